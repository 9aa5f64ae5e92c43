"""`migrate preflight` against real servers and real bad data, seeded by the official driver: exact counts."""

import json
import math
import os
import re
import socket
import subprocess
import urllib.parse
import uuid

import neo4j
import pytest
from rl import rl  # noqa: F401 (fixture)

DIMENSION = 8


def vector(seed):
    return [float(seed + i) for i in range(DIMENSION)]


@pytest.fixture
def graph(env):
    """cypher(query, **parameters) and a label of its own, removed afterwards."""
    label = "Pre" + uuid.uuid4().hex[:12]
    with neo4j.GraphDatabase.driver(env["NEO4J_URI"], auth=(env["NEO4J_USER"], env["NEO4J_PASSWORD"])) as driver:
        def cypher(query, **parameters):
            return driver.execute_query(query, parameters, database_="neo4j").records
        cypher.label = label
        yield cypher
        cypher(f"MATCH (m:{label}) DETACH DELETE m")


@pytest.fixture
def preflight(env, migrate):
    def call(*arguments, **changes):
        environment = {**os.environ, **env, **changes}
        return subprocess.run([migrate, "preflight", *arguments], capture_output=True, text=True, timeout=120, check=False,
                              env={k: v for k, v in environment.items() if v is not None})
    return call


def create(graph, rows):
    graph(f"UNWIND $rows AS row CREATE (m:{graph.label}) SET m = row", rows=rows)


def test_connectivity_and_versions(preflight):
    result = preflight("--check-connectivity", "--output", "json")
    assert result.returncode == 0, result.stdout
    servers = {server["name"]: server for server in json.loads(result.stdout)["servers"]}
    assert servers.keys() == {"Neo4j", "Milvus", "PostgreSQL", "Redis"}
    assert all(server["reached"] and server["problem"] == "" for server in servers.values())
    assert servers["Neo4j"]["version"].startswith(os.environ.get("CROSSOVER_NEO4J_LINE", "5.26") + ".")
    assert servers["PostgreSQL"]["version"].startswith("15.")
    assert servers["Redis"]["version"].startswith("7.")


def test_every_server_is_tried_and_no_secret_is_shown(preflight, env):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        result = preflight("--check-connectivity", NEO4J_URI=f"bolt://127.0.0.1:{port}", MILVUS_URI=f"http://127.0.0.1:{port}",
                           DATABASE_URL=f"postgresql://u:s3cret@127.0.0.1:{port}/d", REDIS_URL=f"redis://:s3cret@127.0.0.1:{port}")
    assert result.returncode == 3, result.stdout
    assert "NOT READY" in result.stdout
    assert len([line for line in result.stdout.splitlines() if line.startswith("•")]) == 4
    assert "s3cret" not in result.stdout + result.stderr


def test_wrong_passwords_are_reasons_each(preflight, env):
    def spoiled(url):
        return re.sub(r":[^:@/]+@", ":not-the-secret@", url)
    result = preflight("--check-connectivity", "--output", "json", NEO4J_PASSWORD="not-the-secret",
                       MILVUS_TOKEN="root:not-the-secret", DATABASE_URL=spoiled(env["DATABASE_URL"]),
                       REDIS_URL=spoiled(env["REDIS_URL"]))
    assert result.returncode == 5
    report = json.loads(result.stdout)
    assert len(report["reasons"]) == 4, report
    assert "not-the-secret" not in result.stdout + result.stderr


def test_postgres_and_redis_are_not_needed_yet(preflight):
    result = preflight("--check-connectivity", DATABASE_URL=None, REDIS_URL=None)
    assert result.returncode == 0, result.stdout
    assert "PostgreSQL is not configured (DATABASE_URL)" in result.stdout


def test_exact_counts_of_bad_data(graph, preflight):
    good = [{"id": f"good-{n}", "title": f"t{n}", "year": 1990 + n, "embedding": vector(n)} for n in range(40)]
    bad = [
        {"id": "short", "embedding": vector(1)[:-1]},
        {"id": "long", "embedding": vector(1) + [1.0]},
        {"id": "empty", "embedding": []},
        {"id": "text", "embedding": "not a list"},
        {"id": "words", "embedding": ["a"] * DIMENSION},
        {"id": "nan", "embedding": [math.nan] + vector(1)[1:]},
        {"id": "infinite", "embedding": vector(1)[:-1] + [math.inf]},
        {"id": "too big for float32", "embedding": vector(1)[:-1] + [1e39]},
        {"id": "zero", "embedding": [0.0] * DIMENSION},
        {"id": "zero in float32", "embedding": [1e-50] * DIMENSION},
        {"embedding": vector(2)},
        {"id": 7, "embedding": vector(3)},
        {"id": True, "embedding": vector(3)},
        {"id": "twice", "embedding": vector(4)},
        {"id": "twice", "embedding": vector(5)},
        {"id": "x" * 8001, "embedding": vector(6)},
    ]
    missing = [{"id": f"without-{n}"} for n in range(3)]
    integers = [{"id": "integers", "embedding": list(range(DIMENSION))}]
    create(graph, good + bad + missing + integers)
    result = preflight("--label", graph.label, "--properties", "title,year", "--output", "json")
    report = json.loads(result.stdout)
    assert result.returncode == 0 and report["ready"], report
    inventory = report["inventory"]
    assert inventory["bad"] == {"wrong_dimension": 3, "not_a_list": 1, "not_numeric": 1, "not_finite": 3, "zero_vector": 2,
                                "id_missing": 1, "id_wrong_type": 2, "id_duplicate": 2, "id_too_long": 1}
    assert inventory["items"] == len(good + bad + integers)
    assert inventory["missing"] == 3
    assert inventory["valid"] == 41
    assert inventory["bad_items"] == 16
    assert inventory["dimension"] == DIMENSION
    assert inventory["dimensions"] == {"0": 1, "7": 1, "8": 53, "9": 1}
    assert inventory["properties"] == {"title": "text", "year": "int64"}
    assert inventory["id_kind"] == "string"
    assert report["required"]["embedding_bytes"] == 41 * DIMENSION * 4
    assert not inventory["ids_ordered"] and not inventory["ids_unique"]


def test_a_large_label_is_looked_at_by_a_sample(graph, preflight):
    """Ids without an order, so that all is found by chance or not at all; one item in ten is bad, one node in eleven no item."""
    graph(f"UNWIND range(1, 22000) AS i CREATE (m:{graph.label} {{id: toString(i), year: i}}) "
          "FOREACH (_ IN CASE WHEN i % 11 > 0 THEN [1] ELSE [] END | SET m.embedding = "
          "CASE WHEN i % 10 = 0 THEN [0.0, 0.0] ELSE [toFloat(i), 1.0] END)")
    result = preflight("--label", graph.label, "--properties", "year", "--output", "json")
    report = json.loads(result.stdout)
    assert result.returncode == 0 and report["ready"], report
    inventory = report["inventory"]
    assert inventory["sampled"] and inventory["items"] == 20000 and inventory["items_exact"] and inventory["missing"] == 2000
    # As many as a busy machine reads in the time for it: a thousand nodes at least.
    assert 800 < inventory["sample_items"] < 10000
    assert inventory["bad"] == {"zero_vector": pytest.approx(inventory["sample_items"] / 10, rel=0.5)}
    assert inventory["valid"] == pytest.approx(18000, rel=0.06) and inventory["bad_items"] == 20000 - inventory["valid"]
    assert inventory["dimensions"] == {"2": inventory["sample_items"]} and inventory["properties"] == {"year": "int64"}
    text = preflight("--label", graph.label).stdout
    assert re.search(r"READY FOR MIGRATION, by a sample of [\d,]+ items\n• 20,000 media items\n", text), text
    full = json.loads(preflight("--full", "--label", graph.label, "--output", "json").stdout)["inventory"]
    assert not full["sampled"] and full["sample_items"] == full["items"] == 20000
    assert full["bad"] == {"zero_vector": 2000} and full["valid"] == 18000


def test_a_zero_vector_is_bad_only_under_cosine(graph, preflight):
    create(graph, [{"id": "a", "embedding": vector(1)}, {"id": "b", "embedding": [0.0] * DIMENSION}])
    for metric, bad in (("COSINE", {"zero_vector": 1}), ("L2", {}), ("IP", {})):
        result = preflight("--label", graph.label, "--metric", metric, "--output", "json")
        assert json.loads(result.stdout)["inventory"]["bad"] == bad, metric


def test_the_statement_it_names_makes_ids_ordered_and_unique(graph, preflight):
    create(graph, [{"id": n, "embedding": vector(n)} for n in range(10)])
    before = json.loads(preflight("--label", graph.label, "--output", "json").stdout)["inventory"]
    assert before["id_kind"] == "integer"
    for statement in filter(str.strip, before["statement"].split(";")):
        graph(statement)
    graph("CALL db.awaitIndexes(60)")
    after = json.loads(preflight("--label", graph.label, "--output", "json").stdout)["inventory"]
    assert after["ids_ordered"] and after["ids_unique"] and after["statement"] == ""
    assert after["valid"] == 10


def test_an_index_without_uniqueness_is_replaced_by_the_statement(graph, preflight):
    create(graph, [{"id": f"{n}", "embedding": vector(n)} for n in range(10)])
    graph(f"CREATE INDEX FOR (m:{graph.label}) ON (m.id)")
    graph("CALL db.awaitIndexes(60)")
    before = json.loads(preflight("--label", graph.label, "--output", "json").stdout)["inventory"]
    assert before["ids_ordered"] and not before["ids_unique"]
    for statement in filter(str.strip, before["statement"].split(";")):
        graph(statement)
    graph("CALL db.awaitIndexes(60)")
    after = json.loads(preflight("--label", graph.label, "--output", "json").stdout)["inventory"]
    assert after["ids_ordered"] and after["ids_unique"]


def test_ends_like_the_guide(graph, preflight):
    create(graph, [{"id": f"{n}", "embedding": vector(n)} for n in range(1200)])
    result = preflight("--label", graph.label)
    assert result.returncode == 0, result.stdout
    lines = result.stdout[result.stdout.index("READY FOR MIGRATION"):].splitlines()
    assert lines[1] == "• 1,200 media items"
    free = os.statvfs("/var/lib/milvus" if os.path.isdir("/var/lib/milvus") else "/")
    shown = re.fullmatch(r"• ([\d.]+) GB disk available \(115 kB required\)", lines[2])
    assert float(shown[1]) == pytest.approx(free.f_bavail * free.f_frsize / 1e9, rel=0.05)
    assert lines[-1].startswith("• Estimated time: ")


def test_nothing_to_copy(graph, preflight):
    result = preflight("--label", graph.label)
    assert result.returncode == 5
    assert result.stdout.index("NOT READY") < result.stdout.index(graph.label)


def test_without_milvus_it_says_what_to_deploy(graph, preflight):
    create(graph, [{"id": "a", "embedding": vector(1)}])
    result = preflight("--label", graph.label, MILVUS_URI=None)
    assert result.returncode == 5
    assert re.search(r"• Milvus is not configured. Deploy Milvus 2.3 or later with at least .* of memory and .* of disk", result.stdout)


def test_an_open_secret_is_warned_of_once(preflight, env):
    """By the name in the URL, which is one of the network; the connection stays here."""
    postgres = urllib.parse.urlsplit(env["DATABASE_URL"])
    redis = urllib.parse.urlsplit(env["REDIS_URL"])
    assert postgres.password and redis.password
    url = (f"host=db.example hostaddr=127.0.0.1 port={postgres.port} dbname={postgres.path[1:]} user={postgres.username}"
           f" password={postgres.password}")
    elsewhere = {"DATABASE_URL": url, "REDIS_URL": f"redis://:{redis.password}@0.0.0.0:{redis.port}"}
    for arguments in (["--check-connectivity"], []):
        result = preflight(*arguments, **elsewhere)
        warnings = sorted(row[row.index("server=") :] for row in result.stderr.splitlines() if "event=open_secret" in row)
        assert len(warnings) == 2, result.stderr
        assert f"server=PostgreSQL address=postgresql://db.example:{postgres.port}{postgres.path} " in warnings[0]
        assert f"server=Redis address=redis://0.0.0.0:{redis.port}/0 " in warnings[1]
        assert postgres.password not in result.stderr and redis.password not in result.stderr
    quiet = preflight("--check-connectivity")
    assert "open_secret" not in quiet.stderr, "nothing leaves this machine"


def test_no_query_of_the_address_of_neo4j_is_printed(env, media, tool):
    """It is a routing driver's context; whatever stands there, messages don't repeat it."""
    address = urllib.parse.urlsplit(env["NEO4J_URI"])
    uri = f"neo4j://{address.hostname}:{address.port}?token=s3cret"
    for embedding, part in (([1.0] * 32769, "have 32769 values"), ("text", "is a list with elements"), (None, "nothing to copy")):
        media("MATCH (m:LABEL) DELETE m")
        media.create([{"id": "one", "embedding": embedding}])
        for command in ("preflight", "migrate-embeddings"):
            done = tool.run(command, NEO4J_URI=uri)
            assert part in done.stdout + done.stderr, done.stdout + done.stderr
            assert "s3cret" not in done.stdout + done.stderr, (command, done.stdout + done.stderr)


def test_a_field_of_the_learning_state_that_is_spelt_otherwise(graph, preflight, rl, env):  # noqa: F811
    create(graph, [{"id": "a", "embedding": vector(1)}])
    for n in range(300):
        rl.redis.set(f"rl:qvalue:{n}", json.dumps({"agent_id": "a", "state_hash": str(n), "action": "x", "q_value": n / 7}))
        rl.redis.set(f"rl:experience:{n}", json.dumps({"agent_id": "a", "state": n, "action": "x", "reward": 1, "done": False, "when": n}))

    def reasons(*arguments, code=5):
        result = preflight("--label", graph.label, "--output", "json", *arguments)
        assert result.returncode == code, result.stdout
        return json.loads(result.stdout)["reasons"]

    said, = reasons()
    assert said.startswith("redis://") and said.endswith(": Of 200 Q values looked at, 200 lack 'value'; 'q_value' looks like it: "
                                                         "--q-value-field q_value takes it for that, --q-value-field value does not."), said
    # Named, it is what is meant; and keys under another prefix are not looked at.
    assert reasons("--q-value-field", "q_value", code=0) == []
    assert reasons("--q-value-field", "value", code=0) == []
    assert reasons("--key-prefix", "app:", code=0) == []
    rl.redis.set("app:rl:qvalue:1", json.dumps({"agentId": "a", "state_hash": "1", "action": "x", "value": 1}))
    try:
        said, = reasons("--key-prefix", "app:")
    finally:
        rl.redis.delete("app:rl:qvalue:1")
    assert ": Of 1 Q values looked at, 1 lack 'agent_id'; 'agentId' looks like it: --agent-id-field agentId takes" in said, said
    assert "--q-value-field q_value" in preflight("--label", graph.label).stdout
