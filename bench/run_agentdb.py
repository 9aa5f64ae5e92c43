#!/usr/bin/env python3
"""Measures `migrate migrate-agentdb` on this machine, side by side with what one would use instead.

Starts a Redis and a PostgreSQL of its own (scripts/stack.sh) below --out, fills Redis with seeded experiences, then,
round by round, copies them into the same empty tables

  - with `migrate migrate-agentdb` (the whole program: schema, copy, indexes, counts),
  - with the plain Python script (agentdb_baseline.py), on a share of the keys where there are many: rates are compared,
  - by a bare COPY of the same rows, in the order in which they lie, from a file into the table with its indexes,

and runs the first a second time, with all rows there. Writes --out/agentdb.json and prints the ratios. Uses the machine
to the full: run nothing beside it.
"""

import argparse
import json
import os
import pathlib
import random
import re
import shlex
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
try:
    import psycopg
    import redis
except ModuleNotFoundError:  # not the project's Python: start again with that one
    os.execv(ROOT / "scripts" / "python", ["python", *sys.argv])

SEED = 20_240_229
COLUMNS = ("redis_key, agent_id, state, action, reward, next_state, done, occurred_at, extra, version, content_hash, expires_at")


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def experience(rng):
    user, genre = f"user-{rng.randrange(100_000)}", rng.choice(["drama", "comedy", "thriller", "documentary"])
    return {"agent_id": f"agent-{rng.randrange(1_000)}",
            "state": {"user": user, "genre": genre, "recent": [rng.randrange(100_000) for _ in range(4)]},
            "action": {"strategy": rng.choice(["vector", "graph", "popular"]), "item": f"media-{rng.randrange(100_000)}"},
            "reward": round(rng.random(), 4), "next_state": {"user": user, "genre": genre}, "done": rng.random() < 0.1,
            "timestamp": round(1.7e9 + rng.random() * 3e7, 3)}


def fill(client, keys):
    """Keys as unique ids are: without any order. The order of generation is not that of SCAN."""
    rng = random.Random(SEED)
    client.flushdb()
    pipeline = client.pipeline(transaction=False)
    for number in range(keys):
        pipeline.set(f"rl:experience:{rng.getrandbits(128):032x}", json.dumps(experience(rng)))
        if number % 5_000 == 4_999:
            pipeline.execute()
    pipeline.execute()
    assert client.dbsize() == keys


def settle(client, database):
    """The servers are ready, and their own chores over."""
    while client.info("persistence")["loading"]:
        time.sleep(0.2)
    while client.info("persistence")["rdb_bgsave_in_progress"] or client.info("persistence")["aof_rewrite_in_progress"]:
        time.sleep(0.2)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CHECKPOINT")


def empty(client, database):
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("TRUNCATE rl_experiences")
    settle(client, database)


def ours(migrate, env, folder):
    begin = time.monotonic()
    run = subprocess.run([migrate, "migrate-agentdb", "--output", "json", "--quarantine-file", str(folder / "quarantine.ndjson")],
                         env=env, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    result = json.loads(run.stdout)
    kind = result["kinds"]["experiences"]
    assert result["consistent"] and kind["rows"] == kind["redis_keys"], result
    seconds = time.monotonic() - begin
    return {"seconds": seconds, "items_per_second": kind["rows"] / seconds, "peak_memory_bytes": result["peak_memory_bytes"],
            "copy_seconds": result["copy_seconds"], "looks": result["looks"]}


def bare_copy(database, rows):
    begin = time.monotonic()
    with psycopg.connect(database) as connection, connection.cursor() as cursor:
        with open(rows, "rb") as lines, cursor.copy(f"COPY rl_experiences ({COLUMNS}) FROM STDIN") as copy:
            while piece := lines.read(1 << 20):
                copy.write(piece)
        connection.commit()
        seconds = time.monotonic() - begin
        count = cursor.execute("SELECT count(*) FROM rl_experiences").fetchone()[0]
    return {"seconds": seconds, "items_per_second": count / seconds}


def script(env):
    run = subprocess.run([sys.executable, str(ROOT / "bench/agentdb_baseline.py")], env=env, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def measure(keys, rounds, options, env):
    client, database = redis.Redis.from_url(env["REDIS_URL"]), env["DATABASE_URL"]
    rows = options.out / "rows.copy"
    results = {"keys": keys, "ours": [], "again": [], "copy": [], "script": []}
    settle(client, database)
    for number in range(rounds):
        say(f"{keys:,} keys, round {number + 1}: filling Redis")
        fill(client, keys)
        settle(client, database)
        if number == 0:
            ours(options.bin, env, options.out)  # makes the tables
        empty(client, database)
        say("migrate-agentdb")
        results["ours"].append(ours(options.bin, env, options.out))
        settle(client, database)
        results["again"].append(ours(options.bin, env, options.out))
        with psycopg.connect(database) as connection, connection.cursor() as cursor, open(rows, "wb") as file:
            with cursor.copy(f"COPY rl_experiences ({COLUMNS}) TO STDOUT") as copy:
                for piece in copy:
                    file.write(piece)
        empty(client, database)
        say("bare COPY")
        results["copy"].append(bare_copy(database, rows))
        empty(client, database)
        if keys > options.script_keys:
            fill(client, options.script_keys)
            settle(client, database)
        say("the script")
        results["script"].append(script(env))
    rate = {name: statistics.median(one["items_per_second"] for one in results[name]) for name in ("ours", "again", "copy", "script")}
    results["rates"] = rate
    results["peak_memory_bytes"] = max(one["peak_memory_bytes"] for one in results["ours"])
    results["times_script"], results["of_bare_copy"] = rate["ours"] / rate["script"], rate["ours"] / rate["copy"]
    say(f"{keys:,} keys: {rate['ours']:,.0f}/s; the script {rate['script']:,.0f}/s ({results['times_script']:.2f} x); bare COPY "
        f"{rate['copy']:,.0f}/s ({results['of_bare_copy']:.0%}); again {rate['again']:,.0f}/s; "
        f"peak {results['peak_memory_bytes'] / 1e6:.0f} MB")
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", default="100000,1000000", help="sizes, with commas between (default 100000,1000000)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--script-keys", type=int, default=1_000_000, help="keys that the script copies, at most (default 1000000)")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build/bench-agentdb")
    parser.add_argument("--bin", default=str(ROOT / "build/release/bin/migrate"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    options.out.chmod(0o711)
    stack = [str(ROOT / "scripts/stack.sh")]
    where = ["--dir", str(options.out / "servers")]
    subprocess.run([*stack, "up", *where, "--servers", "redis,postgres"], check=True, stdout=subprocess.DEVNULL)
    try:
        text = subprocess.run([*stack, "env", *where], check=True, capture_output=True, text=True).stdout
        env = {**os.environ, **{name: shlex.split(value)[0] for name, value in re.findall(r"^export (\w+)=(.+)$", text, re.MULTILINE)}}
        results = [measure(int(keys), options.rounds, options, env) for keys in options.keys.split(",")]
    finally:
        subprocess.run([*stack, "down", *where], check=False, stdout=subprocess.DEVNULL)
    (options.out / "agentdb.json").write_text(json.dumps({"seed": SEED, "results": results}, indent=1))


if __name__ == "__main__":
    main()
