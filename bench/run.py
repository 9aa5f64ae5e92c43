#!/usr/bin/env python3
"""Runs every comparison of docs/performance.md on this machine, side by side, and writes the table.

Builds the release preset, starts a Neo4j and a Milvus of its own (scripts/stack.sh) below --out, fills Neo4j with
scripts/make_media.py and then, round by round, measures

  - the Python script (python_baseline.py) on a share of the items: it is rates that are compared,
  - `migrate migrate-embeddings` at three sizes, with its peak memory,
  - `migrate validate --full-scan`,
  - what the servers can do by themselves (bench_ceiling), just before and just after each of the two.

Every collection and checkpoint is dropped in between, and nothing starts before the machine has become quiet. Writes
--out/results.json with all that was measured and --out/table.md with the ratios. Uses the machine to the full: run
nothing beside it.
"""

import argparse
import collections
import json
import os
import pathlib
import platform
import shlex
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
try:
    import neo4j
    import pymilvus
except ModuleNotFoundError:  # not the project's Python: start again with that one
    os.execv(ROOT / "scripts" / "python", ["python", *sys.argv])

DIMENSION = 768


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def busy_share(seconds):
    def ticks():
        fields = [int(field) for field in pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
        return sum(fields), fields[3] + fields[4]  # all; idle and waiting for a disk

    total, idle = ticks()
    time.sleep(seconds)
    later_total, later_idle = ticks()
    return 1 - (later_idle - idle) / max(1, later_total - total)


def await_quiet(limit=180):
    """Waits until the servers' own chores (compaction, indexes, garbage) are over; the busy share at the end."""
    deadline = time.monotonic() + limit
    while True:
        busy = busy_share(2)
        if busy < 0.15:
            return busy
        if time.monotonic() > deadline:
            say(f"the machine does not become quiet ({busy:.0%} busy): going on, with noise")
            return busy


class Servers:
    def __init__(self, folder):
        self.folder = folder
        self.environment = dict(os.environ)

    def up(self, which="neo4j,milvus"):
        stack = [str(ROOT / "scripts" / "stack.sh")]
        subprocess.run([*stack, "up", "--dir", str(self.folder), "--servers", which], check=True, stdout=sys.stderr)
        for line in subprocess.check_output([*stack, "env", "--dir", str(self.folder)], text=True).splitlines():
            name, _, value = line.removeprefix("export ").partition("=")
            self.environment[name] = shlex.split(value)[0]

    def down(self):
        subprocess.run([str(ROOT / "scripts" / "stack.sh"), "down", "--dir", str(self.folder)], check=True, stdout=sys.stderr)

    def neo4j(self):
        user = (self.environment["NEO4J_USER"], self.environment["NEO4J_PASSWORD"])
        return neo4j.GraphDatabase.driver(self.environment["NEO4J_URI"], auth=user)

    def milvus(self):
        return pymilvus.MilvusClient(self.environment["MILVUS_URI"], token=self.environment["MILVUS_TOKEN"])

    def versions(self):
        with self.neo4j() as driver:
            agent = driver.get_server_info().agent
        return {"neo4j": agent, "milvus": self.milvus().get_server_version()}

    def empty_milvus(self):
        milvus = self.milvus()
        for collection in milvus.list_collections():
            for alias in milvus.list_aliases(collection)["aliases"]:
                milvus.drop_alias(alias)
            milvus.drop_collection(collection)

    def fill(self, items, sizes):
        """`items` nodes labelled MediaContent; the first n of them in the order of ids are labelled Media<n> too."""
        with self.neo4j() as driver:
            (there,) = driver.execute_query("MATCH (m:MediaContent) RETURN count(m)").records[0]
            if there != items:
                if there:
                    sys.exit(f"error: {self.folder} holds {there} items, not {items}. Delete it or give another --out.")
                say(f"filling Neo4j with {items:,} items")
                make_media = [sys.executable, str(ROOT / "scripts" / "make_media.py")]
                subprocess.run(
                    [*make_media, "--count", str(items), "--dimension", str(DIMENSION)],
                    check=True, env=self.environment, stdout=sys.stderr,
                )
            for size in sizes:
                label = f"Media{size}"
                driver.execute_query(f"CREATE CONSTRAINT IF NOT EXISTS FOR (m:{label}) REQUIRE m.id IS UNIQUE")
                driver.execute_query(f"MATCH (m:MediaContent) WITH m ORDER BY m.id LIMIT {size} SET m:{label}")
            driver.execute_query("CALL db.awaitIndexes(300)")


def run_measured(command, environment, folder, log_name):
    """Runs one program in `folder`; what it printed as JSON, with its processor time."""
    with open(folder / log_name, "w") as log:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True, cwd=folder)
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"error: {shlex.join(command)} ended with {process.returncode}; see {log.name}\n{output}")
    return {**json.loads(output), "cpu_seconds": usage.ru_utime + usage.ru_stime}


class Bench:
    def __init__(self, options, servers):
        self.options = options
        self.servers = servers
        self.measured = collections.defaultdict(list)

    def program(self, name):
        return str(self.options.bin / name)

    def run(self, name, command):
        busy = await_quiet()
        result = run_measured(command, self.servers.environment, self.options.out, f"{name}.log")
        result["busy_before"] = busy
        self.measured[name].append(result)
        return result

    def baseline(self):
        script = str(ROOT / "bench" / "python_baseline.py")
        limit = self.options.baseline_items
        result = self.run("baseline", [sys.executable, script, "--limit", str(limit)])
        say(f"python script: {result['items_per_second']:,.0f} items/s over {limit:,} items")
        self.servers.empty_milvus()

    def ceiling(self, kind, extra=()):
        result = self.run(f"ceiling_{kind}", [self.program("bench_ceiling"), "--label", f"Media{self.options.items}", kind, *extra])
        say(f"ceiling of {kind}: {result['ceiling']:,.0f} items/s  {json.dumps(result['together'])}")
        return result["ceiling"]

    def migrate(self, size):
        for leftover in ("checkpoint.json", "quarantine.ndjson"):
            (self.options.out / leftover).unlink(missing_ok=True)
        result = self.run(
            f"migrate_{size}",
            [
                self.program("migrate"), "migrate-embeddings", "--label", f"Media{size}", "--collection", "bench_media",
                "--properties", "title,genre,year", "--checkpoint-file", "checkpoint.json",
                "--quarantine-file", "quarantine.ndjson", "--output", "json",
            ],
        )  # fmt: skip
        assert result["copied"] == size, result
        say(f"migrate of {size:,}: {result['items_per_second']:,.0f} items/s, {result['peak_memory_bytes'] / 1e6:.0f} MB")
        return result

    def validate(self, size):
        result = self.run(
            "validate",
            [
                self.program("migrate"), "validate", "--full-scan", "--label", f"Media{size}", "--collection", "bench_media",
                "--properties", "title,genre,year", "--output", "json",
            ],
        )  # fmt: skip
        say(f"validate of {size:,}: {result['items_per_second']:,.0f} items/s, {result['peak_memory_bytes'] / 1e6:.0f} MB")
        return result

    def round(self):
        largest = self.options.items
        self.servers.empty_milvus()
        self.baseline()
        for size in self.options.sizes[:-1]:
            for _ in range(3 if size <= 10_000 else 1):
                self.migrate(size)
                self.servers.empty_milvus()
        before = self.ceiling("copy")
        result = self.migrate(largest)
        scan = ["--collection", "bench_media"]
        scan_before = self.ceiling("validate", scan)
        validated = self.validate(largest)
        scan_after = self.ceiling("validate", scan)
        self.servers.empty_milvus()
        after = self.ceiling("copy")
        python = self.measured["baseline"][-1]
        self.measured["ratios"].append(
            {
                "copy_to_python": result["items_per_second"] / python["items_per_second"],
                "copy_to_ceiling": result["items_per_second"] / statistics.mean([before, after]),
                "validate_to_ceiling": validated["items_per_second"] / statistics.mean([scan_before, scan_after]),
            }
        )


class Table:
    """Markdown of what was measured. Several measurements of one thing: their median, and the range."""

    def __init__(self, bench):
        self.measured = bench.measured
        self.options = bench.options

    def spread(self, name, key, form):
        values = sorted(self.value(result, key) for result in self.measured[name])
        middle = form(statistics.median(values))
        return middle if len(values) == 1 else f"{middle} ({form(values[0])}–{form(values[-1])})"

    @staticmethod
    def value(result, key):
        for part in key.split("."):
            result = result[part]
        return result

    def ratios(self):
        def times(value):
            return f"{value:.1f} ×"

        def percent(value):
            return f"{value:.0%}"

        def megabytes(value):
            return f"{value / 1e6:.0f} MB"

        yield "| what | reached | to reach |"
        yield "| --- | --- | --- |"
        yield f"| copy, against the Python script | {self.spread('ratios', 'copy_to_python', times)} | ≥ 12 × |"
        yield f"| copy, against the servers' ceiling | {self.spread('ratios', 'copy_to_ceiling', percent)} | ≥ 75% |"
        yield f"| full validation, against its ceiling | {self.spread('ratios', 'validate_to_ceiling', percent)} | ≥ 75% |"
        largest = statistics.median(r["items_per_second"] for r in self.measured[f"migrate_{self.options.items}"])
        for size in self.options.sizes:
            name = f"migrate_{size}"
            flat = self.spread(name, "items_per_second", lambda rate: percent(rate / largest))
            memory = self.spread(name, "peak_memory_bytes", megabytes)
            yield f"| copy of {size:,}: rate, against that of {self.options.items:,} | {flat} | flat |"
            yield f"| copy of {size:,}: peak memory | {memory} | ≤ 150 MB |"
        yield f"| full validation: peak memory | {self.spread('validate', 'peak_memory_bytes', megabytes)} | |"

    def figures(self):
        def rate(value):
            return f"{value:,.0f}"

        def seconds(value):
            return f"{value:.1f} s"

        yield "| what | items/s | flush, index, load |"
        yield "| --- | --- | --- |"
        share = self.measured["baseline"][0]["items"]
        yield (
            f"| Python script ({share:,} items) | {self.spread('baseline', 'items_per_second', rate)} "
            f"| {self.spread('baseline', 'index_seconds', seconds)} |"
        )
        for size in self.options.sizes:
            name = f"migrate_{size}"
            yield (
                f"| `migrate migrate-embeddings`, {size:,} items | {self.spread(name, 'items_per_second', rate)} "
                f"| {self.spread(name, 'index_seconds', seconds)} |"
            )
        yield f"| `migrate validate --full-scan` | {self.spread('validate', 'items_per_second', rate)} | |"
        for kind, sides in (("copy", ("drain", "upserts")), ("validate", ("drain", "scan"))):
            for when in ("alone", "together"):
                for side in sides:
                    figure = self.spread(f"ceiling_{kind}", f"{when}.{side}", rate)
                    yield f"| ceiling of {kind}: {side}, {when} | {figure} | |"

    def text(self, machine):
        servers = machine["servers"]
        head = (
            f"{self.options.items:,} items × {DIMENSION}, {len(self.measured['ratios'])} round(s), on "
            f"{machine['cores']} × {machine['cpu']}, {machine['memory_gb']:.0f} GB; {servers['neo4j']}, "
            f"Milvus {servers['milvus']}. Medians, with lowest and highest in brackets."
        )
        return "\n".join([head, "", *self.ratios(), "", *self.figures(), ""])


def describe_machine(servers):
    cpus = [line.partition(":")[2].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    return {
        "cpu": cpus[0] if cpus else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30,
        "kernel": platform.release(),
        "commit": subprocess.check_output(["git", "-C", str(ROOT), "describe", "--always", "--dirty"], text=True).strip(),
        "servers": servers.versions(),
    }


def build():
    subprocess.run(["cmake", "--preset", "release"], cwd=ROOT, check=True, stdout=sys.stderr)
    targets = ["--target", "migrate", "bench_ceiling"]
    subprocess.run(["cmake", "--build", "--preset", "release", *targets], cwd=ROOT, check=True, stdout=sys.stderr)


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="10,000 items, one round: does it work at all?")
    parser.add_argument("--rounds", type=int, help="how often to measure all (default 3)")
    parser.add_argument("--out", type=pathlib.Path, help="folder of the servers and results (default build/bench)")
    parser.add_argument("--bin", type=pathlib.Path, help="use these programs and build nothing")
    parser.add_argument("--keep-servers", action="store_true", help="leave the servers running")
    options = parser.parse_args()
    options.sizes = [10_000] if options.quick else [10_000, 50_000, 150_000]
    options.items = options.sizes[-1]
    options.baseline_items = 5_000 if options.quick else 20_000
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.out = (options.out or ROOT / "build" / ("bench-quick" if options.quick else "bench")).resolve()
    options.build = options.bin is None
    options.bin = (options.bin or ROOT / "build" / "release" / "bin").resolve()
    return options


def main():
    options = parse_options()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.build:
        build()
    servers = Servers(options.out / "stack")
    servers.up()
    try:
        servers.fill(options.items, options.sizes)
        machine = describe_machine(servers)
        bench = Bench(options, servers)
        for number in range(options.rounds):
            say(f"round {number + 1} of {options.rounds}")
            bench.round()
            (options.out / "results.json").write_text(json.dumps({"machine": machine, **bench.measured}, indent=1) + "\n")
        table = Table(bench).text(machine)
        (options.out / "table.md").write_text(table)
        print(table)
    finally:
        if not options.keep_servers:
            servers.down()


if __name__ == "__main__":
    main()
