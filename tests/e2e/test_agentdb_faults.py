"""`migrate migrate-agentdb` killed, with servers restarted, and with keys that come, change and go under it."""

import json
import os
import random
import signal
import subprocess
import threading
import time

import redis
from conftest import wait_for

SEED = int(os.environ.get("CROSSOVER_SEED", "20240712"))
KEYS = 30_000


def value(reward, **changes):
    return json.dumps({"agent_id": "a'; DROP TABLE q_values; --", "state": {"n": reward}, "action": "play", "reward": reward,
                       "next_state": {}, "done": False, "timestamp": 1700000000, **changes})


def fill(agentdb, keys=KEYS):
    pipeline = agentdb.redis.pipeline(transaction=False)
    for n in range(keys):
        pipeline.set(f"rl:experience:{n}", value(n))
        if n % 100 == 0:
            pipeline.set(f"rl:qvalue:{n}", json.dumps({"agent_id": "a", "state_hash": str(n), "action": n, "value": n}))
            pipeline.set(b"rl:policy:\xff%d" % n, bytes([n % 256]) * 100)
    pipeline.execute()


def assert_equal(agentdb):
    """By the official clients alone."""
    ours = agentdb.redis
    keys = [key for key in ours.scan_iter("rl:experience:*", count=5000)]
    in_redis = {key: json.loads(text) for key, text in zip(keys, ours.mget(keys)) if text is not None}
    rows = {bytes(key): (reward, state) for key, reward, state in agentdb.sql("SELECT redis_key, reward, state FROM rl_experiences")}
    assert rows == {key: (record["reward"], record["state"]) for key, record in in_redis.items()}
    for prefix, table in (("rl:qvalue:", "q_values"), ("rl:policy:", "policies")):
        assert {bytes(row[0]) for row in agentdb.sql(f"SELECT redis_key FROM {table}")} == set(ours.scan_iter(prefix + "*", count=5000))
    indexes = agentdb.sql("SELECT count(*) FROM pg_indexes WHERE tablename = 'rl_experiences'")
    assert indexes == [(3,)]


def test_killed_anywhere(agentdb):
    print(f"seed {SEED} (set CROSSOVER_SEED to repeat)")
    rng = random.Random(SEED)
    fill(agentdb)
    killed = 0
    for _ in range(8):
        run = agentdb.start("--batch-size", "200")
        try:
            run.communicate(timeout=rng.uniform(0.02, 0.7))  # the moment of the kill
        except subprocess.TimeoutExpired:
            run.kill()
            run.communicate()
            killed += 1
            if agentdb.sql("SELECT to_regclass('agentdb_lease') IS NOT NULL")[0][0]:  # as five seconds later
                agentdb.sql("UPDATE agentdb_lease SET held_until = now() - interval '1 second'")
        agentdb.redis.delete(f"rl:experience:{rng.randrange(KEYS)}")
        agentdb.redis.set(f"rl:experience:{rng.randrange(KEYS)}", value(-1))
    assert killed >= 3
    result = agentdb.json()
    assert result["consistent"]
    assert_equal(agentdb)


def test_interrupted(agentdb):
    fill(agentdb)
    run = agentdb.start("--batch-size", "1")
    wait_for(lambda: agentdb.sql("SELECT to_regclass('rl_experiences') IS NOT NULL")[0][0] and agentdb.counts() > 100)
    run.send_signal(signal.SIGINT)
    out, _ = run.communicate(timeout=20)
    assert run.returncode == 130 and out.startswith("INTERRUPTED")
    assert 0 < agentdb.counts() < KEYS
    agentdb.json()
    assert_equal(agentdb)


def test_servers_killed_and_restarted_midway(agentdb):
    fill(agentdb)
    for server in ("postgres", "redis"):
        agentdb.sql("DROP TABLE IF EXISTS rl_experiences, q_values, policies, agent_metadata, agentdb_state, agentdb_lease, agentdb_schema")
        agentdb.redis.config_set("appendfsync", "always")
        run = agentdb.start("--batch-size", "20", "--output", "json")
        wait_for(lambda: agentdb.sql("SELECT to_regclass('rl_experiences') IS NOT NULL")[0][0] and agentdb.counts() > 500)
        agentdb.servers("kill", server)
        agentdb.servers("start", server)
        out, err = run.communicate(timeout=60)
        assert run.returncode == 0, out + err
        result = json.loads(out)
        assert result["errors_ridden_out"] > 0 and result["consistent"]
        assert_equal(agentdb)


def test_changes_that_postgresql_forgot_when_it_was_killed_are_brought_again(agentdb):
    """Commits are not waited for on disk, and no count tells of an update that was undone."""
    fill(agentdb)
    agentdb.json()
    pipeline = agentdb.redis.pipeline(transaction=False)
    for n in range(KEYS):
        pipeline.set(f"rl:experience:{n}", value(-n))
    pipeline.execute()
    run = agentdb.start("--batch-size", "10", "--output", "json")
    wait_for(lambda: agentdb.sql("SELECT count(*) FROM rl_experiences WHERE reward < 0")[0][0] > 1_000)
    agentdb.servers("kill", "postgres")
    agentdb.servers("start", "postgres")
    out, err = run.communicate(timeout=60)
    assert run.returncode == 0, out + err
    assert json.loads(out)["errors_ridden_out"] > 0
    assert_equal(agentdb)


def test_keys_that_come_change_and_go_meanwhile(agentdb):
    print(f"seed {SEED} (set CROSSOVER_SEED to repeat)")
    fill(agentdb, 20_000)
    stop, writes = threading.Event(), [0]

    def traffic():
        rng, client = random.Random(SEED), redis.Redis.from_url(agentdb.env["REDIS_URL"])
        while not stop.is_set():
            key = f"rl:experience:{rng.randrange(25_000)}"
            what = rng.randrange(4)
            if what == 0:
                client.delete(key)
            elif what == 1:
                client.set(key, value(rng.randrange(10**6)), px=rng.choice([1, 200, 60_000]))
            else:
                client.set(key, value(rng.randrange(10**6)))
            writes[0] += 1

    thread = threading.Thread(target=traffic)
    thread.start()
    try:
        wait_for(lambda: writes[0] > 100)
        result = agentdb.json("--batch-size", "100")
        assert result["looks"] >= 2
    finally:
        stop.set()
        thread.join()
    result = agentdb.json()
    assert result["consistent"]
    # Those that are about to expire do so in either store by the same clock.
    wait_for(lambda: not any(0 < agentdb.redis.pttl(key) < 1_000 for key in agentdb.redis.scan_iter("rl:experience:*", count=5000)))
    agentdb.json()
    assert_equal(agentdb)
    assert agentdb.json("--verify")["equal"]


def test_keys_that_expire_after_they_were_read(agentdb):
    """Redis calls that no write, and what was read of it would be the count."""
    fill(agentdb, 10_000)
    pipeline = agentdb.redis.pipeline(transaction=False)
    for n in range(1_000):
        pipeline.set(f"rl:experience:short-{n}", value(n), px=1_000)
    pipeline.execute()
    begun = time.monotonic()
    result = agentdb.json("--batch-size", "1")
    assert time.monotonic() - begun > 1, "too quick to be tested"
    assert result["kinds"]["experiences"]["rows"] == agentdb.counts() == 10_000
    assert_equal(agentdb)


def test_scan_that_shows_keys_twice(agentdb):
    """A table that grows and shrinks while it is walked over gives duplicates; they change nothing."""
    fill(agentdb, 5_000)
    stop = threading.Event()

    def resize():
        client = redis.Redis.from_url(agentdb.env["REDIS_URL"])
        while not stop.is_set():
            pipeline = client.pipeline(transaction=False)
            for n in range(40_000):
                pipeline.set(f"other:{n}", "")
            pipeline.execute()
            client.delete(*(f"other:{n}" for n in range(40_000)))

    thread = threading.Thread(target=resize)
    thread.start()
    try:
        for _ in range(3):
            result = agentdb.json("--batch-size", "50")
            assert result["consistent"]
    finally:
        stop.set()
        thread.join()
    assert_equal(agentdb)
