#!/usr/bin/env python3
"""Measures recommendation-engine on this machine, side by side with the bare Milvus client, and mode against mode.

Uses the servers and the 150,000 items of bench/run.py (below build/bench; made where they are missing), copies them to Milvus where
that has not been done, and measures, round by round:

  - searches through the engine in `hybrid`, the same by the bare client, and by the same endpoint written in Python
    (search_service.py): latency at one connection, rate at 16, and the processor time that each service takes for a request,
  - searches in `hybrid`, in `neo4j_only` with Neo4j's vector index, and by exact comparison in Cypher, each with its recall@10
    against brute force,
  - PUT at a fixed rate in `neo4j_only`, and in `dual_write` with Milvus up, answering 200 ms late, and down,

and then the engine's memory over as many requests as come in an hour at a hundred a second.

Writes build/bench/engine-table.md and engine-results.json. Run nothing beside it.
"""

import argparse
import collections
import contextlib
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request

from run import DIMENSION, ROOT, Servers, await_quiet, describe_machine, say

import numpy

sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from proxy import Proxy

COLLECTION = "bench_media"
QUERIES = 200
SECONDS = 8
PUT_LABEL, PUT_COLLECTION = "BenchPut", "bench_put"  # apart, so that no search finds what is put
PUT_SECONDS = 10  # a thousand requests: ten of them are slower than p99
PUT_TURNS = 8  # of all modes, so that a slow minute hits all
INDEX = "bench_vectors"
HOUR_OF_REQUESTS = 3600 * 100


class Service:
    """Something that answers over HTTP, in its own process, which says where it listens."""

    def __init__(self, bench, command, says, **environment):
        self.log = open(bench.options.out / "service.log", "w+")
        self.process = subprocess.Popen(
            command, env={**bench.servers.environment, **environment}, stdout=self.log, stderr=self.log
        )
        while not (found := re.search(says, self.text())):
            if self.process.poll() is not None:
                sys.exit("error: the service ended: " + self.text())
            time.sleep(0.1)
        self.address = found[1]

    def text(self):
        self.log.seek(0)
        return self.log.read()

    def ready(self):
        with contextlib.suppress(urllib.error.HTTPError):
            return urllib.request.urlopen(f"http://{self.address}/readyz").status == 200
        return False

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_bytes(self):
        return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{self.process.pid}/status").read_text())[1]) * 1024

    def close(self):
        self.process.terminate()
        self.process.wait(60)
        self.log.close()


class Bench:
    def __init__(self, options, servers):
        self.options, self.servers, self.label = options, servers, f"Media{options.items}"
        self.measured = collections.defaultdict(list)
        self.vectors = options.out / "queries.f32"

    def program(self, name):
        return str(ROOT / "build" / "release" / "bin" / name)

    def search_command(self, kind, seconds, *arguments):
        return [self.program("bench_search"), kind, "--vectors", str(self.vectors), "--dimension", str(DIMENSION),
                "--seconds", str(seconds), *map(str, arguments)]  # fmt: skip

    def load(self, kind, *arguments, service=None, seconds=SECONDS):
        await_quiet(60)
        cpu = service.cpu_seconds() if service else 0
        command = self.search_command(kind, seconds, *arguments)
        result = json.loads(subprocess.check_output(command, env=self.servers.environment, text=True))
        if service and result.get("requests"):
            result["cpu_ms"] = 1000 * (service.cpu_seconds() - cpu) / result["requests"]
        return result

    def note(self, name, result):
        self.measured[name].append(result)
        say(f"{name}: " + ", ".join(f"{key} {value:,.2f}" for key, value in result.items() if isinstance(value, float)))

    def engine(self, mode, label=None, collection=COLLECTION, **environment):
        """One replica on the bench's media."""
        command = [self.program("recommendation-engine"), "--listen", "127.0.0.1:0", "--storage-mode", mode,
                   "--label", label or self.label, "--collection", collection, "--shadow-share", "0"]  # fmt: skip
        return contextlib.closing(Service(self, command, r"event=listening.* address=(\S+)", **environment))

    def python_service(self):
        packages = self.options.out / "python"
        pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps", "--upgrade"]
        subprocess.run([*pip, "--target", str(packages), "-r", str(ROOT / "bench/requirements.txt")], check=True)
        command = [sys.executable, str(ROOT / "bench/search_service.py"), COLLECTION, str(DIMENSION), "title,genre,year"]
        return contextlib.closing(Service(self, command, r"listening on (\S+)", PYTHONPATH=str(packages)))

    # -- what has to be there --

    def prepare(self):
        with self.servers.neo4j() as driver:
            if not self.servers.milvus().has_collection(COLLECTION):
                say("copying to Milvus")
                subprocess.run(
                    [self.program("migrate"), "migrate-embeddings", "--label", self.label, "--collection", COLLECTION,
                     "--checkpoint-file", "engine-checkpoint.json", "--quarantine-file", "engine-quarantine.ndjson"],
                    env=self.servers.environment, cwd=self.options.out, check=True, stdout=sys.stderr,
                )  # fmt: skip
            say("making room for what is put")
            driver.execute_query(f"CREATE CONSTRAINT IF NOT EXISTS FOR (m:{PUT_LABEL}) REQUIRE m.id IS UNIQUE")
            driver.execute_query(
                f"MERGE (m:{PUT_LABEL} {{id: 'first'}}) SET m += {{title: 'First', genre: 'Drama', year: 2000, embedding: $vector}}",
                vector=[1.0] * DIMENSION,
            )
            say("waiting until Milvus has compacted and indexed what it was given")
            await_quiet(1800)
            say("reading all vectors, for brute force")
            rows = driver.execute_query(f"MATCH (m:{self.label}) WHERE m.id STARTS WITH 'media-' RETURN m.id, m.embedding").records
            self.ids = [row[0] for row in rows]
            stored = numpy.array([row[1] for row in rows], dtype=numpy.float32)
        # Neighbourhoods as real embeddings have them: a query is an item, moved a little.
        chance = numpy.random.default_rng(11)
        queries = stored[chance.choice(len(stored), QUERIES, replace=False)]
        queries = queries + chance.normal(0, 0.02, queries.shape).astype(numpy.float32)
        queries.astype("<f4").tofile(self.vectors)
        stored /= numpy.linalg.norm(stored, axis=1, keepdims=True)
        similar = queries @ stored.T
        self.truth = [{self.ids[n] for n in row} for row in numpy.argpartition(-similar, 10, axis=1)[:, :10]]

    def make_index(self):
        with self.servers.neo4j() as driver:
            say("building Neo4j's vector index")
            driver.execute_query(
                f"CREATE VECTOR INDEX {INDEX} IF NOT EXISTS FOR (m:{self.label}) ON m.embedding OPTIONS {{indexConfig: "
                f"{{`vector.dimensions`: {DIMENSION}, `vector.similarity_function`: 'cosine'}}}}"
            )
            driver.execute_query("CALL db.awaitIndexes(3600)")

    def drop_index(self):
        with self.servers.neo4j() as driver:
            driver.execute_query(f"DROP INDEX {INDEX} IF EXISTS")

    # -- what is measured --

    def recall(self, engine):
        found = self.load("http", "--address", engine.address, "--neighbours")["neighbours"]
        return statistics.mean(len(truth & set(ids)) / 10 for truth, ids in zip(self.truth, found))

    def overhead(self):
        """The engine and the bare client in turn, so that a slow minute hits both."""
        with self.engine("hybrid") as engine:
            for connections in (1, 16):
                bare = self.load("bare", "--collection", COLLECTION, "--connections", connections)
                through = self.load("http", "--address", engine.address, "--connections", connections, service=engine)
                self.note(f"bare_{connections}", bare)
                self.note(f"engine_{connections}", through)
        with self.python_service() as service:
            for connections in (1, 16):
                through = self.load("http", "--address", service.address, "--connections", connections, service=service)
                self.note(f"python_{connections}", through)

    def exact(self):
        with self.engine("neo4j_only") as engine:
            self.note("search_exact", {**self.load("http", "--address", engine.address), "recall": 1.0})

    def indexes(self):
        with self.engine("hybrid") as engine:
            self.note("search_hybrid", {**self.load("http", "--address", engine.address), "recall": self.recall(engine)})
        with self.engine("neo4j_only") as engine:
            self.load("http", "--address", engine.address)  # the index's pages come into memory
            self.note("search_index", {**self.load("http", "--address", engine.address), "recall": self.recall(engine)})

    def writes(self):
        milvus = self.servers.environment["MILVUS_URI"]
        host, _, port = milvus.partition("://")[2].partition(":")
        slow = Proxy((host, int(port)), delay=0.2)
        cases = (
            ("put_neo4j_only", "neo4j_only", milvus),
            ("put_neo4j_again", "neo4j_only", milvus),  # how much two runs of one and the same differ
            ("put_dual_up", "dual_write", milvus),
            ("put_dual_slow", "dual_write", f"http://{slow.address}"),
            ("put_dual_down", "dual_write", "http://127.0.0.1:1"),
        )
        try:
            for turn in range(PUT_TURNS):
                for name, mode, uri in cases[turn % len(cases) :] + cases[: turn % len(cases)]:
                    with self.engine(mode, PUT_LABEL, PUT_COLLECTION, MILVUS_URI=uri) as engine:
                        puts = ["puts", "--address", engine.address, "--rate", self.options.rate, "--connections", 16]
                        self.load(*puts, seconds=3)  # warms up
                        self.note(name, self.load(*puts, seconds=PUT_SECONDS))
        finally:
            slow.close()

    def memory(self):
        """Searches as fast as they come, and changes beside them: an hour's worth, in slices."""
        with self.engine("hybrid", PUT_LABEL, PUT_COLLECTION) as engine:
            while not engine.ready():
                time.sleep(0.1)
            there = ["--address", engine.address, "--connections", 16]
            puts = subprocess.Popen(
                self.search_command("puts", 100_000, *there, "--rate", self.options.rate),
                stdout=subprocess.DEVNULL, env=self.servers.environment,
            )  # fmt: skip
            try:
                self.memory_slices, requests = [], 0
                while requests < HOUR_OF_REQUESTS:
                    output = subprocess.check_output(self.search_command("http", 30, *there), env=self.servers.environment)
                    requests += json.loads(output)["requests"] + 30 * self.options.rate
                    self.memory_slices.append({"requests": requests, "bytes": engine.memory_bytes()})
                    say(f"{requests:,} requests, {engine.memory_bytes() / 1e6:.0f} MB")
            finally:
                puts.terminate()
                puts.wait()

    def middle(self, name, key):
        return statistics.median(result[key] for result in self.measured[name])

    def table(self, machine):
        overhead = statistics.median(a["p95_ms"] - b["p95_ms"] for a, b in zip(self.measured["engine_1"], self.measured["bare_1"]))
        share = statistics.median(
            a["per_second"] / b["per_second"] for a, b in zip(self.measured["engine_16"], self.measured["bare_16"])
        )
        yield (f"{self.options.items:,} items × {DIMENSION}, {len(self.measured['bare_1'])} round(s), on {machine['cores']} × "
               f"{machine['cpu']}; {machine['servers']['neo4j']}, Milvus {machine['servers']['milvus']}. Medians.")
        yield ""
        yield "| what | reached | to reach |"
        yield "| --- | --- | --- |"
        yield f"| search through the engine over the bare client, p95, one connection | {overhead:+.2f} ms | ≤ +1 ms |"
        yield f"| searches a second of the bare client's, 16 connections | {share:.0%} | ≥ 80% |"
        cpu = statistics.median(a["cpu_ms"] / b["cpu_ms"] for a, b in zip(self.measured["engine_16"], self.measured["python_16"]))
        yield f"| processor time for a search, of FastAPI's with pymilvus | {cpu:.2f} | ≤ 0.25 |"
        for name, what, bound in (
            ("put_dual_up", "`dual_write` with Milvus up", "≤ 1.25 ×"),
            ("put_dual_slow", "`dual_write` with Milvus 200 ms late", "≤ 1.25 ×"),
            ("put_dual_down", "`dual_write` with Milvus down", "≤ 1.25 ×"),
            ("put_neo4j_again", "`neo4j_only` once more", "what noise makes"),
        ):
            ratio = statistics.median(
                a["p99_ms"] / b["p99_ms"] for a, b in zip(self.measured[name], self.measured["put_neo4j_only"])
            )
            yield f"| PUT p99 in {what}, over `neo4j_only`, {self.options.rate}/s | {ratio:.2f} × | {bound} |"
        hybrid = self.middle("search_hybrid", "p95_ms")
        for name, what in (("search_index", "Neo4j's vector index"), ("search_exact", "exact comparison in Cypher")):
            yield f"| `hybrid` against {what}, p95 | {self.middle(name, 'p95_ms') / hybrid:.1f} × faster | what is true |"
        first, last = self.memory_slices[0], self.memory_slices[-1]
        yield (f"| resident memory after {first['requests']:,} and after {last['requests']:,} requests "
               f"| {first['bytes'] / 1e6:.0f} MB, {last['bytes'] / 1e6:.0f} MB | flat |")
        yield ""
        yield "| what | p50 | p95 | p99 | a second | recall@10 |"
        yield "| --- | --- | --- | --- | --- | --- |"
        for name, what in (
            ("bare_1", "bare client, 1 connection"), ("engine_1", "engine, 1 connection"), ("bare_16", "bare client, 16"),
            ("engine_16", "engine, 16"), ("python_1", "FastAPI, 1 connection"), ("python_16", "FastAPI, 16"),
            ("search_hybrid", "`hybrid`"), ("search_index", "`neo4j_only`, vector index"),
            ("search_exact", "`neo4j_only`, exact"), ("put_neo4j_only", "PUT, `neo4j_only`"),
            ("put_neo4j_again", "PUT, `neo4j_only`, once more"),
            ("put_dual_up", "PUT, `dual_write`, Milvus up"), ("put_dual_slow", "PUT, `dual_write`, Milvus late"),
            ("put_dual_down", "PUT, `dual_write`, Milvus down"),
        ):  # fmt: skip
            recall = f"{self.middle(name, 'recall'):.3f}" if "recall" in self.measured[name][0] else ""
            yield (f"| {what} | {self.middle(name, 'p50_ms'):.2f} ms | {self.middle(name, 'p95_ms'):.2f} ms "
                   f"| {self.middle(name, 'p99_ms'):.2f} ms | {self.middle(name, 'per_second'):,.0f} | {recall} |")
        yield ""
        yield (f"Processor time for a search: engine {self.middle('engine_16', 'cpu_ms'):.2f} ms, "
               f"FastAPI {self.middle('python_16', 'cpu_ms'):.2f} ms.")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="how often to measure all (default: %(default)s)")
    parser.add_argument("--rate", type=int, default=100, help="PUTs a second (default: %(default)s)")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build" / "bench", help="folder of servers and results")
    parser.add_argument("--items", type=int, default=150_000, help="default: %(default)s")
    options = parser.parse_args()
    options.out = options.out.resolve()
    options.out.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cmake", "--preset", "release"], cwd=ROOT, check=True, stdout=sys.stderr)
    targets = ["--target", "migrate", "recommendation-engine", "bench_search"]
    subprocess.run(["cmake", "--build", "--preset", "release", *targets], cwd=ROOT, check=True, stdout=sys.stderr)
    servers = Servers(options.out / "stack")
    servers.up()
    try:
        servers.fill(options.items, [options.items])
        bench = Bench(options, servers)
        bench.prepare()
        for number in range(options.rounds):
            say(f"round {number + 1} of {options.rounds}")
            bench.overhead()
            bench.writes()
            bench.exact()
        bench.make_index()
        for _ in range(options.rounds):
            bench.indexes()
        bench.drop_index()
        bench.memory()
        machine = describe_machine(servers)
        results = {"machine": machine, **bench.measured, "memory": bench.memory_slices}
        (options.out / "engine-results.json").write_text(json.dumps(results, indent=1) + "\n")
        table = "\n".join(bench.table(machine)) + "\n"
        (options.out / "engine-table.md").write_text(table)
        print(table)
    finally:
        servers.down()


if __name__ == "__main__":
    main()
