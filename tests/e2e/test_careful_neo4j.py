"""A Neo4j whose administrator is careful: transactions end after a second unless a client asks for another time, or a database may
only be read."""

import pathlib

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
    yield server
    server("down")


def with_neo4j_of(strict, env):
    return {**env, **{name: value for name, value in strict.env.items() if name.startswith("NEO4J_")}}


def test_a_copy_asks_for_the_time_it_needs(strict, env, migrate, tmp_path):
    servers = with_neo4j_of(strict, env)
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


def test_a_database_that_may_only_be_read(strict, env, migrate, tmp_path):
    """The lease of a copy has no place there."""
    servers = with_neo4j_of(strict, env)
    with neo4j.GraphDatabase.driver(servers["NEO4J_URI"], auth=(servers["NEO4J_USER"], servers["NEO4J_PASSWORD"])) as driver:
        media = PatientMedia(driver, servers["NEO4J_DATABASE"])
        media.create([{"id": "one", "title": "t", "embedding": [1.0, 2.0]}])
        media.make_ids_unique()
        tool, rows = Tool(migrate, servers, media, tmp_path), Milvus(env, media.collection)
        assert tool.run("preflight").returncode == 0
        settings = pathlib.Path(strict.folder, "neo4j.conf")
        before = settings.read_text()

        def restart_with(text):
            strict("down")  # in good order: a database that may only be read can't be recovered
            settings.write_text(text)
            strict("up", "--servers", "neo4j")

        restart_with(before + "server.databases.read_only=neo4j\n")
        for command in ("preflight", "migrate-embeddings"):
            done = tool.run(command)
            words = done.stdout + done.stderr
            assert done.returncode == 5 and "This user may not write to database neo4j: the copy keeps its lease there" in words, words
        assert not rows.exists() and not tool.checkpoint.exists()
        restart_with(before)
        assert tool.copy()["copied"] == 1
        rows.drop()
