#!/usr/bin/env python3
"""Measures POST /v1/feedback beside the bare operation that it stands on, and shows that learning pays.

Starts servers of its own (Neo4j, Redis with `appendfsync always`, PostgreSQL) below build/bench/feedback, and engines:

  - In modes redis and dual: feedback through the engine, in turn with the same Lua script called by redis-py on the same Redis.
    In mode postgres: in turn with the same statement, prepared, by psycopg on the same PostgreSQL. Rounds alternate, so that a
    slow minute hits both. The target is p95 <= 1.2 x the bare one's + 0.5 ms.
  - A seeded simulation through the engine: users who are each served best by one strategy that nobody knows, and who reward what
    they get. Reward per round with what is learnt, beside that of the strategy that was usual before.

Prints both, and writes build/bench/feedback-results.json. Run nothing beside it.
"""

import argparse
import http.client
import json
import os
import pathlib
import random
import re
import signal
import statistics
import sys
import time
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
try:
    import neo4j
    import psycopg
    import redis
except ModuleNotFoundError:  # not the project's Python: start again with that one
    os.execv(ROOT / "scripts" / "python", ["python", *sys.argv])
from conftest import Stack, wait_for
from engine import Engine

LABEL, DIMENSION = "BenchFeedback", 8
STATE = "viewings=5-19"
ROUNDS, REQUESTS, WARM_UP = 8, 400, 100
USERS, TURNS, SHOWN = 30, 60, 12


def source_text(file, name):
    """A Lua script or statement as the engine has it: from its source, so that both run the same."""
    return re.search(rf'{name} = R"(\w+)\((.*?)\)\1"', (ROOT / "src/learning" / file).read_text(), re.DOTALL)[2]


def p95(took):
    return statistics.quantiles(took, n=100)[94]


def timed(count, action):
    took = []
    for number in range(count):
        begin = time.perf_counter()
        action(number)
        took.append(1000 * (time.perf_counter() - begin))
    return took


class Http:
    def __init__(self, address):
        host, _, port = address.rpartition(":")
        self.connection = http.client.HTTPConnection(host, int(port), timeout=30)

    def post(self, path, body):
        self.connection.request("POST", path, json.dumps(body))
        answer = self.connection.getresponse()
        content = answer.read()
        assert answer.status == 200, content
        return json.loads(content)


class BareRedis:
    def __init__(self, env, mode):
        self.redis, self.mode = redis.Redis.from_url(env["REDIS_URL"]), mode
        self.script = self.redis.register_script(source_text("redis_scripts.cpp", "kRecord"))

    def record(self, number):
        user = f"bare-{number % 100}"
        now = time.time()
        self.script(
            keys=["rl:control:primary", "rl:control:owed", "rl:control:uncaptured", "rl:experience:" + uuid.uuid4().hex,
                  f"rl:qvalue:{user}:{STATE}:graph"],
            args=[self.mode, uuid.uuid4().hex,
                  f'{{"agent_id":"{user}","state":"{STATE}","action":"graph","reward":0.5,"done":false,"timestamp":{now:.6f}',
                  "0.5", f'{{"agent_id":"{user}","state_hash":"{STATE}","action":"graph"', "0.1", "", ""])  # fmt: skip


class BarePostgres:
    def __init__(self, env, _):
        self.connection = psycopg.connect(env["DATABASE_URL"], autocommit=True, prepare_threshold=0)
        numbered = source_text("postgres_store.cpp", "kRecord")
        self.connection.execute(f"PREPARE record(bytea, text, text, text, float8, text, boolean, bigint, jsonb, bytea, float8) AS {numbered}")

    def record(self, number):
        user = f"bare-{number % 100}"
        key = uuid.uuid4().hex
        self.connection.execute(
            f"EXECUTE record('rl:experience:{key}', '{user}', '{STATE}', 'graph', 0.5, NULL, false, {int(time.time() * 1e6)}, NULL,"
            f" 'rl:qvalue:{user}:{STATE}:graph', 0.1)", prepare=False).fetchone()  # fmt: skip


class Bench:
    def __init__(self, folder, env, path):
        self.folder, self.env, self.path = folder, env, path
        self.redis = redis.Redis.from_url(env["REDIS_URL"])
        self.results = {}

    def engine(self, mode):
        return Engine(self.path, self.env, self.folder, f"engine-{mode}-{uuid.uuid4().hex[:6]}", "--label", LABEL, "--properties", "title",
                      "--dimension", DIMENSION, AGENTDB_MODE=mode, MILVUS_URI="")  # fmt: skip

    def compare(self, mode, kind):
        served = self.engine(mode)
        try:
            if mode == "postgres":
                wait_for(lambda: self.redis.exists("rl:control:primary"))
                self.redis.delete("rl:control:uncaptured")
                wait_for(lambda: served.status()["agentdb_primary"] == "postgres")
            bare, client = kind(self.env, mode), Http(served.address)

            def through(number):
                client.post("/v1/feedback", {"user_id": f"user-{number % 100}", "decision": STATE + "/graph", "reward": 0.5})

            timed(WARM_UP, through)
            timed(WARM_UP, bare.record)
            ours, theirs = [], []
            for _ in range(ROUNDS):
                theirs += timed(REQUESTS, bare.record)
                ours += timed(REQUESTS, through)
        finally:
            served.close()
        result = {"engine_p50": statistics.median(ours), "engine_p95": p95(ours), "bare_p50": statistics.median(theirs),
                  "bare_p95": p95(theirs)}  # fmt: skip
        result["limit_p95"] = 1.2 * result["bare_p95"] + 0.5
        self.results[mode] = result
        print(f"{mode:<10} engine p50 {result['engine_p50']:.2f} ms, p95 {result['engine_p95']:.2f} ms; bare p50 {result['bare_p50']:.2f} ms,"
              f" p95 {result['bare_p95']:.2f} ms; ratio of p95 {result['engine_p95'] / result['bare_p95']:.2f},"
              f" limit {result['limit_p95']:.2f} ms: {'kept' if result['engine_p95'] <= result['limit_p95'] else 'MISSED'}")  # fmt: skip

    def simulate(self, seed):
        """Rewards are drawn before anything is chosen: both sides are judged by the same draws."""
        print(f"simulation: seed {seed}, {USERS} users, {TURNS} rounds each")
        chance = random.Random(seed)
        actions = ["vector", "graph", "hybrid"]
        usual = "hybrid"
        draws = {}
        for user in range(USERS):
            favourite = chance.choice(actions)
            draws[user] = [{action: 1 if chance.random() < (0.8 if action == favourite else 0.2) else 0 for action in actions}
                           for _ in range(TURNS)]  # fmt: skip
        served = self.engine("redis")
        learnt, before, explored = [0] * TURNS, [0] * TURNS, 0
        try:
            client = Http(served.address)
            for turn in range(TURNS):
                for user in range(USERS):
                    name = f"sim-{user}"
                    answer = client.post("/v1/recommendations", {"user_id": name, "k": 3})
                    reward = draws[user][turn][answer["strategy"]]
                    client.post("/v1/feedback", {"user_id": name, "decision": answer["decision"], "reward": reward})
                    learnt[turn] += reward
                    before[turn] += draws[user][turn][usual]
                    explored += answer["explored"]
        finally:
            served.close()
        width = TURNS // SHOWN
        for name, curve in (("learning", learnt), ("baseline", before)):
            means = [sum(curve[n : n + width]) / width / USERS for n in range(0, TURNS, width)]
            print(f"{name:<9} " + " ".join(f"{mean:.2f}" for mean in means) + f"   sum {sum(curve)}")
        last = TURNS // 3
        print(f"{100 * explored / TURNS / USERS:.0f} % of all choices explored; in the last third the reward is"
              f" {sum(learnt[-last:]) / sum(before[-last:]):.2f} times the baseline's")  # fmt: skip
        self.results["simulation"] = {"seed": seed, "learning": learnt, "baseline": before}
        assert sum(learnt) > sum(before) and sum(learnt[-last:]) > sum(learnt[:last]), "learning does not help"

    def prepare(self):
        """One film of each kind, and users with five viewings each: enough for every strategy."""
        with neo4j.GraphDatabase.driver(self.env["NEO4J_URI"], auth=(self.env["NEO4J_USER"], self.env["NEO4J_PASSWORD"])) as driver:
            def run(query, **parameters):
                driver.execute_query(query, parameters, database_=self.env["NEO4J_DATABASE"])

            run(f"CREATE CONSTRAINT IF NOT EXISTS FOR (m:{LABEL}) REQUIRE m.id IS UNIQUE")
            chance = random.Random(1)
            rows = [{"id": f"film-{n}", "title": f"Film {n}", "genre": "Drama", "director": f"D{n % 5}",
                     "embedding": [chance.uniform(-1, 1) for _ in range(DIMENSION)]} for n in range(60)]  # fmt: skip
            run(f"UNWIND $rows AS row MERGE (m:{LABEL} {{id: row.id}}) SET m = row", rows=rows)
            run(f"UNWIND range(0, {USERS - 1}) AS n MERGE (u:User {{id: 'sim-' + n}}) WITH u, n UNWIND range(0, 4) AS k"
                f" MATCH (m:{LABEL} {{id: 'film-' + ((n * 7 + k * 11) % 60)}}) MERGE (u)-[v:VIEWED]->(m) SET v.rating = 5, v.at = 1")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=5, help="of the simulation")
    parser.add_argument("--only", choices=["latency", "simulation"])
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    folder = ROOT / "build/bench/feedback"
    folder.mkdir(parents=True, exist_ok=True)
    stack = Stack(folder / "servers", "--servers", "neo4j,redis,postgres")
    try:
        bench = Bench(folder, stack.env, str(ROOT / "build/release/bin/recommendation-engine"))
        for key in bench.redis.scan_iter("rl:*", count=10_000):
            bench.redis.delete(key)
        with psycopg.connect(stack.env["DATABASE_URL"], autocommit=True) as connection:
            for table in ("rl_experiences", "q_values", "policies", "agent_metadata", "agentdb_state", "agentdb_lease", "agentdb_schema"):
                connection.execute(f"DROP TABLE IF EXISTS {table}")
        bench.prepare()
        if options.only != "latency":
            bench.simulate(options.seed)
        if options.only != "simulation":
            bench.compare("redis", BareRedis)
            bench.compare("dual", BareRedis)
            bench.compare("postgres", BarePostgres)
    finally:
        stack("down")
    (ROOT / "build/bench/feedback-results.json").write_text(json.dumps(bench.results, indent=1))


if __name__ == "__main__":
    main()
