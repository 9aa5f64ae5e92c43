"""`kill -9` of `migrate` at random moments, with ids deleted from Neo4j between the kills, ends equal to Neo4j: judged by
the official clients."""

import json
import os
import random
import struct
import subprocess
import time
import uuid

import neo4j
import pymilvus
from conftest import wait_for

DIMENSION = 64
ITEMS = 20_000
KILLS = 10
SEED = int(os.environ.get("CROSSOVER_SEED", "20240611"))


def float32(values):
    return list(struct.unpack(f"<{len(values)}f", struct.pack(f"<{len(values)}f", *values)))


def test_ends_equal_to_neo4j(env, migrate, tmp_path):
    print(f"seed {SEED} (set CROSSOVER_SEED to repeat)")
    rng = random.Random(SEED)
    label = "Kill" + uuid.uuid4().hex[:12]
    driver = neo4j.GraphDatabase.driver(env["NEO4J_URI"], auth=(env["NEO4J_USER"], env["NEO4J_PASSWORD"]))

    def cypher(query, **parameters):
        records, _, _ = driver.execute_query(query, parameters, database_=env.get("NEO4J_DATABASE", "neo4j"))
        return records

    cypher(f"CREATE CONSTRAINT FOR (m:{label}) REQUIRE m.id IS UNIQUE")
    cypher("CALL db.awaitIndexes(60)")
    for first in range(0, ITEMS, 2000):
        cypher(f"UNWIND $items AS item CREATE (m:{label}) SET m = item",
               items=[{"id": f"item-{n:06}", "title": f"title {n}", "embedding_version": n % 3,
                       "embedding": [rng.gauss(0, 1) for _ in range(DIMENSION)]} for n in range(first, first + 2000)])

    command = [migrate, "migrate-embeddings", "--label", label, "--collection", label.lower(), "--properties", "title",
               "--batch-size", "200", "--output", "json",
               "--checkpoint-file", str(tmp_path / "checkpoint.json"), "--quarantine-file", str(tmp_path / "quarantine.ndjson")]
    environment = {**os.environ, **env}
    # A rate that makes sure that the copy is still under way at every kill.
    slowly = [*command, "--rate-limit", "1500"]
    killed = 0
    while killed < KILLS:
        log = tmp_path / "stderr.log"
        with open(log, "w") as stderr:
            run = subprocess.Popen(slowly, env=environment, stdout=subprocess.DEVNULL, stderr=stderr)
        wait_for(lambda log=log, run=run: "copying" in log.read_text() or run.poll() is not None)
        time.sleep(rng.uniform(0.2, 2.0))  # the moment of the kill, not a wait for something
        if run.poll() is not None:
            assert run.returncode == 0, log.read_text()
            break
        run.kill()
        run.wait()
        killed += 1
        gone = [row["id"] for row in cypher(f"MATCH (m:{label}) WITH m.id AS id, rand() AS r ORDER BY r LIMIT 20 RETURN id")]
        cypher(f"UNWIND $ids AS id MATCH (m:{label} {{id: id}}) DETACH DELETE m", ids=gone)
    assert killed == KILLS

    last = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert last.returncode == 0, (last.stdout, last.stderr)
    result = json.loads(last.stdout)
    assert result["read"] == result["copied"] + result["quarantined"] + result["skipped"], result

    expected = {row["id"]: (row["v"], row["t"], float32(row["e"])) for row in
                cypher(f"MATCH (m:{label}) RETURN m.id AS id, m.embedding_version AS v, m.title AS t, m.embedding AS e")}
    milvus = pymilvus.MilvusClient(uri=env["MILVUS_URI"], token=env["MILVUS_TOKEN"])
    found, after = {}, ""
    while True:
        page = milvus.query(label.lower(), filter=f'id > "{after}"', limit=5000, consistency_level="Strong",
                            output_fields=["id", "embedding_version", "title", "embedding"])
        if not page:
            break
        for row in page:
            found[row["id"]] = (row["embedding_version"], row["title"], [float(x) for x in row["embedding"]])
        after = max(row["id"] for row in page)
    assert len(expected) == ITEMS - 20 * KILLS
    assert found.keys() == expected.keys()
    assert found == expected
