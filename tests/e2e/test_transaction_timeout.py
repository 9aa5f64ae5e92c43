"""A Neo4j whose administrator ends every transaction after a second, unless its client asks for another time."""

import neo4j
import pytest

from conftest import Media, Milvus, Stack, Tool


class PatientMedia(Media):
    """Its own statements ask for time too."""

    def __call__(self, query, **parameters):
        timed = neo4j.Query(query.replace("LABEL", self.label), timeout=60)
        return self.driver.execute_query(timed, parameters, database_=self.database).records


@pytest.fixture(scope="module")
def strict(tmp_path_factory):
    folder = tmp_path_factory.mktemp("strict")
    (folder / "neo4j.conf").write_text("db.transaction.timeout=1s\n")
    server = Stack(folder, "--servers", "neo4j")
    yield server.env
    server("down")


def test_a_copy_asks_for_the_time_it_needs(strict, env, migrate, tmp_path):
    servers = {**env, **{name: value for name, value in strict.items() if name.startswith("NEO4J_")}}
    with neo4j.GraphDatabase.driver(servers["NEO4J_URI"], auth=(servers["NEO4J_USER"], servers["NEO4J_PASSWORD"])) as driver:
        limit = driver.execute_query(neo4j.Query("SHOW SETTINGS 'db.transaction.timeout' YIELD value", timeout=60)).records[0]["value"]
        assert limit == "1s"
        media = PatientMedia(driver, servers["NEO4J_DATABASE"])
        media.create([{"id": f"m{i:05}", "title": "t", "embedding": [1.0, float(i)]} for i in range(2000)])
        media.make_ids_unique()
        tool, rows = Tool(migrate, servers, media, tmp_path), Milvus(env, media.collection)
        try:
            assert tool.run("preflight").returncode == 0
            # One page, read in one transaction, as slowly as it is written.
            result = tool.copy("--batch-size", "100", "--rate-limit", "400")
            assert (result["copied"], result["errors_ridden_out"]) == (2000, 0)
            assert result["copy_seconds"] > 3
            assert tool.validate("--full-scan")["consistent"] == 2000
        finally:
            rows.drop()
