#!/usr/bin/env python3
"""Is this build slower than a former one? Runs both in turns on the same servers, so that a slow minute hits both.

    bench/compare_builds.py --former FOLDER      where the former build's migrate and recommendation-engine are

Starts servers of its own below --out and measures, turn by turn, what users wait for: copying embeddings, validating
them, searching and putting through the engine, feedback, copying the learning state into empty tables and again into
full ones. For each figure it prints the medians and the median of the turns' ratios, this build over the former; below
1.00 is faster. What a build writes goes into collections and databases of its own. Run nothing beside it.
"""

import argparse
import collections
import contextlib
import json
import pathlib
import statistics
import subprocess
import sys
import time

from run import DIMENSION, ROOT, Servers, await_quiet, run_measured, say

import numpy
import psycopg
import redis

sys.path.insert(0, str(ROOT / "tests" / "e2e"))
import run_agentdb
from conftest import wait_for
from run_engine import Service
from run_feedback import Http

PARTS = ("copy", "engine", "feedback", "agentdb")
SETTLE = 30  # seconds, at most, until the servers' chores of the turn before are over


class Comparison:
    def __init__(self, options, servers):
        self.options, self.servers = options, servers
        self.builds = {"this": options.bin, "former": options.former}
        self.measured = collections.defaultdict(lambda: collections.defaultdict(list))

    def turns(self, measure):
        """measure(build, its folder of programs) gives figures by name; the builds take turns in starting."""
        for turn in range(self.options.rounds):
            for build in list(self.builds)[:: 1 if turn % 2 == 0 else -1]:
                await_quiet(SETTLE)
                figures = measure(build, self.builds[build])
                for name, value in figures.items():
                    self.measured[name][build].append(value)
                say(f"{build}: " + ", ".join(f"{name} {value:,.3f}" for name, value in figures.items()))

    def timed(self, command):
        return run_measured([str(part) for part in command], self.servers.environment, self.options.out, "compare.log")

    # -- embeddings --

    def copy(self):
        label = f"Media{self.options.items}"

        def measure(build, programs):
            files = [self.options.out / f"{build}{end}" for end in (".checkpoint", ".quarantine")]
            for file in files:
                file.unlink(missing_ok=True)
            what = ["--label", label, "--collection", f"compare_{build}", "--properties", "title,genre,year", "--output", "json"]
            copied = self.timed([programs / "migrate", "migrate-embeddings", *what, "--checkpoint-file", files[0],
                                 "--quarantine-file", files[1]])  # fmt: skip
            assert copied["copied"] == self.options.items, copied
            await_quiet(SETTLE)
            validated = self.timed([programs / "migrate", "validate", "--full-scan", *what])
            self.servers.empty_milvus()
            return {"copy, s": copied["copy_seconds"], "copy, processor s": copied["cpu_seconds"],
                    "validate, s": self.options.items / validated["items_per_second"],
                    "validate, processor s": validated["cpu_seconds"]}  # fmt: skip

        self.turns(measure)

    # -- the engine --

    def load(self, kind, seconds, service, *arguments):
        cpu = service.cpu_seconds()
        command = [self.options.bin / "bench_search", kind, "--vectors", self.options.out / "queries.f32", "--dimension", DIMENSION,
                   "--seconds", seconds, "--address", service.address, *arguments]  # fmt: skip
        result = json.loads(subprocess.check_output(list(map(str, command)), env=self.servers.environment, text=True))
        result["cpu_ms"] = 1000 * (service.cpu_seconds() - cpu) / result["requests"] if result.get("requests") else 0
        return result

    def make_labels(self):
        """One for each build, with an item that tells types and dimension."""
        with self.servers.neo4j() as driver:
            for build in self.builds:
                driver.execute_query(f"CREATE CONSTRAINT IF NOT EXISTS FOR (m:Put{build}) REQUIRE m.id IS UNIQUE")
                driver.execute_query(f"MERGE (m:Put{build} {{id: 'first'}}) SET m += {{title: 'First', genre: 'Drama', year: 2000, "
                                     "embedding: $vector}", vector=[1.0] * DIMENSION)  # fmt: skip

    def engine(self):
        label = f"Media{self.options.items}"
        chance = numpy.random.default_rng(11)
        chance.normal(0, 1, (200, DIMENSION)).astype("<f4").tofile(self.options.out / "queries.f32")
        # One collection for both: two of the same rows have other segments, and other times. The later build opens the former's.
        self.timed([self.options.former / "migrate", "migrate-embeddings", "--label", label, "--collection", "compare_search", "--properties",
                    "title,genre,year", "--checkpoint-file", "search.checkpoint", "--quarantine-file", "search.quarantine", "--output", "json"])  # fmt: skip
        await_quiet(600)
        self.make_labels()

        def measure(build, programs):
            def start(mode, label, collection):
                return contextlib.closing(Service(self, [
                    str(programs / "recommendation-engine"), "--listen", "127.0.0.1:0", "--storage-mode", mode, "--label", label,
                    "--collection", collection, "--shadow-share", "0"], r"event=listening.* address=(\S+)"))  # fmt: skip

            figures = {}
            with start("hybrid", label, "compare_search") as service:
                self.load("http", 2, service, "--connections", 16)
                one = self.load("http", 5, service, "--connections", 1)
                many = self.load("http", 5, service, "--connections", 16)
                figures["search, 1 connection, p50 ms"] = one["p50_ms"]
                figures["search, 1 connection, p95 ms"] = one["p95_ms"]
                figures["search, 16 connections, processor ms"] = many["cpu_ms"]
            with start("dual_write", f"Put{build}", f"compare_put_{build}") as service:
                puts = ["--rate", 100, "--connections", 16]
                self.load("puts", 3, service, *puts)
                put = self.load("puts", 8, service, *puts)
                figures["PUT in dual_write, p50 ms"], figures["PUT in dual_write, p95 ms"] = put["p50_ms"], put["p95_ms"]
            return figures

        self.turns(measure)
        self.servers.empty_milvus()

    # -- the learning state --

    def database(self, build, part):
        """One for each build, since their tables may differ."""
        name = f"compare_{build}_{part}"
        url = self.servers.environment["DATABASE_URL"]
        with psycopg.connect(url, autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                connection.execute(f"CREATE DATABASE {name}")
        return url.rpartition("/")[0] + "/" + name

    def feedback(self):
        self.make_labels()
        client = redis.Redis.from_url(self.servers.environment["REDIS_URL"])
        client.flushdb()

        def measure(build, programs):
            figures = {}
            for mode in ("redis", "postgres"):
                client.flushdb()
                command = [str(programs / "recommendation-engine"), "--listen", "127.0.0.1:0", "--label", f"Put{build}", "--properties",
                           "title", "--dimension", str(DIMENSION), "--storage-mode", "neo4j_only"]  # fmt: skip
                with contextlib.closing(Service(self, command, r"event=listening.* address=(\S+)", AGENTDB_MODE=mode, MILVUS_URI="",
                                                DATABASE_URL=self.database(build, "feedback"))) as service:  # fmt: skip
                    if mode == "postgres":
                        wait_for(lambda: client.exists("rl:control:primary"))
                        client.delete("rl:control:uncaptured")
                    http, took = Http(service.address), []
                    wait_for(lambda: service.ready())
                    for number in range(900):
                        begin = time.perf_counter()
                        http.post("/v1/feedback", {"user_id": f"user-{number % 100}", "decision": "viewings=5-19/graph", "reward": 0.5})
                        took.append(1000 * (time.perf_counter() - begin))
                    figures[f"feedback in {mode}, p50 ms"] = statistics.median(took[100:])
                    figures[f"feedback in {mode}, p95 ms"] = statistics.quantiles(took[100:], n=100)[94]
            return figures

        self.turns(measure)
        client.flushdb()

    def agentdb(self):
        client = redis.Redis.from_url(self.servers.environment["REDIS_URL"])
        run_agentdb.fill(client, self.options.keys)
        folder = self.options.out

        def measure(build, programs):
            database = self.database(build, "copy")
            env = {**self.servers.environment, "DATABASE_URL": database}
            with psycopg.connect(database, autocommit=True) as connection:
                if connection.execute("SELECT to_regclass('rl_experiences') IS NOT NULL").fetchone()[0]:
                    connection.execute("TRUNCATE rl_experiences")
            run_agentdb.settle(client, database)
            first = run_agentdb.ours(programs / "migrate", env, folder)
            run_agentdb.settle(client, database)
            again = run_agentdb.ours(programs / "migrate", env, folder)
            return {"learning state, into empty tables, s": first["seconds"], "learning state, again, s": again["seconds"]}

        self.turns(measure)

    def table(self):
        yield f"| what | this build | former | ratio (median of {self.options.rounds} turns, lowest to highest) |"
        yield "| --- | --- | --- | --- |"
        for name, by_build in self.measured.items():
            ratios = sorted(this / former for this, former in zip(by_build["this"], by_build["former"]))
            yield (f"| {name} | {statistics.median(by_build['this']):.3f} | {statistics.median(by_build['former']):.3f} "
                   f"| {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}) |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--former", type=pathlib.Path, required=True, help="folder of the former build's programs")
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/release/bin", help="folder of this build's programs")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas between (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=6, help="turns of each build (default %(default)s)")
    parser.add_argument("--items", type=int, default=50_000, help="embeddings (default %(default)s)")
    parser.add_argument("--keys", type=int, default=200_000, help="experiences (default %(default)s)")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build/bench-compare", help="folder of servers and results")
    options = parser.parse_args()
    options.out, options.bin, options.former = options.out.resolve(), options.bin.resolve(), options.former.resolve()
    parts = options.only.split(",")
    if not set(parts) <= set(PARTS):
        parser.error(f"--only takes {', '.join(PARTS)}")
    options.out.mkdir(parents=True, exist_ok=True)
    options.out.chmod(0o711)
    servers = Servers(options.out / "stack")
    servers.up("neo4j,milvus,redis,postgres")
    try:
        servers.fill(options.items, [options.items])
        comparison = Comparison(options, servers)
        for part in parts:
            say(part)
            getattr(comparison, part)()
            print("\n".join(comparison.table()), flush=True)
        (options.out / "compare.json").write_text(json.dumps(comparison.measured, indent=1) + "\n")
    finally:
        servers.down()


if __name__ == "__main__":
    main()
