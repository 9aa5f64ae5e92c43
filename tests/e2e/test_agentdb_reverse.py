"""`migrate migrate-agentdb --reverse`: PostgreSQL back to Redis, byte for byte."""

import json
import os
import random
import threading
import time

import redis
from conftest import wait_for

SEED = int(os.environ.get("CROSSOVER_SEED", "20240712"))
ANY_BYTES = bytes(range(256))


def experience(**changes):
    return {"agent_id": "a", "state": {"x": [1, "two"]}, "action": 3, "reward": 0.1, "next_state": None, "done": True,
            "timestamp": 1700000000.1234567, "more": {"deep": ["er"]}, **changes}


def become_primary(agentdb, store="postgres"):
    agentdb.sql("UPDATE agentdb_state SET primary_store = %s, epoch = epoch + 1, reverse_through = NULL", store)


def test_what_was_lost_comes_back(agentdb):
    r = agentdb.redis
    r.set(b"rl:experience:" + ANY_BYTES, json.dumps(experience()))
    r.set("rl:experience:v", json.dumps(experience(version=1_700_000_000_000_000)), px=9_000_000)
    r.set("rl:qvalue:text", json.dumps({"agent_id": "a", "state_hash": "s", "action": "3", "value": 9007199254740993}))
    r.set("rl:qvalue:number", json.dumps({"agent_id": "b", "state_hash": "s", "action": 3, "value": -0.5, "visits": 0}))
    r.hset("rl:agent:hash", mapping={"epsilon": "0.10", "version": "5"})
    r.set("rl:agent:json", json.dumps({"epsilon": 0.1}))
    r.set(b"rl:policy:\xff", ANY_BYTES)
    before = {key: (json.loads(r.get(key)), r.pexpiretime(key)) for key in r.scan_iter("rl:*")
              if r.type(key) == b"string" and not key.startswith(b"rl:policy:")}
    agentdb.json()
    become_primary(agentdb)
    r.flushall()
    begun = time.time()
    result = agentdb.json("--reverse")
    assert result["complete"] and sum(kind["written"] for kind in result["kinds"].values()) == 7
    after = {key: (json.loads(r.get(key)), r.pexpiretime(key)) for key in r.scan_iter("rl:*") if not key.startswith(b"rl:policy:")}
    assert after.pop(b"rl:agent:hash") == ({"epsilon": "0.10", "version": 5}, -1)
    assert after == before
    assert r.get(b"rl:policy:\xff") == ANY_BYTES
    through = agentdb.sql("SELECT reverse_through FROM agentdb_state")[0][0]
    assert through == result["reverse_through"] and -11 < through / 1e6 - begun < 0

    again = agentdb.json("--reverse")
    assert sum(kind["unchanged"] for kind in again["kinds"].values()) == 7
    assert agentdb.json("--verify")["equal"]


def test_what_redis_still_has_keeps_its_form(agentdb):
    r = agentdb.redis
    r.hset("rl:experience:h", mapping={"agent_id": "h", "state": ' {"k": 1} ', "action": "left", "reward": "1.50", "done": "True",
                                       "timestamp": "1700000000", "more": "007"})
    r.set("rl:experience:same", json.dumps(experience(), indent=2))
    r.set("rl:experience:newer", json.dumps(experience(version=9)))
    r.set("rl:experience:gone", json.dumps(experience()), px=9_000_000)
    agentdb.json()
    become_primary(agentdb)
    same = r.get("rl:experience:same")
    agentdb.sql("UPDATE rl_experiences SET reward = 2.5, version = 77, content_hash = NULL WHERE redis_key = 'rl:experience:h'")
    agentdb.sql("UPDATE rl_experiences SET expires_at = now() - interval '1 hour' WHERE redis_key = 'rl:experience:gone'")
    agentdb.sql("UPDATE rl_experiences SET version = 8 WHERE redis_key = 'rl:experience:newer'")
    assert agentdb.json("--reverse", "--dry-run", code=4)["kinds"]["experiences"]["written"] == 1
    assert r.hget("rl:experience:h", "reward") == b"1.50"
    result = agentdb.json("--reverse", code=4)
    assert result["kinds"]["experiences"] == {"rows": 4, "written": 1, "unchanged": 1, "expired": 1, "kept": 1, "left_out": False}
    assert r.hgetall("rl:experience:h") == {b"agent_id": b"h", b"state": b' {"k": 1} ', b"action": b"left", b"reward": b"2.5",
                                           b"done": b"True", b"timestamp": b"1700000000", b"more": b"007", b"version": b"77"}
    assert r.get("rl:experience:same") == same
    assert json.loads(r.get("rl:experience:newer"))["version"] == 9


def test_what_is_written_to_redis_meanwhile_is_not_overwritten(agentdb):
    """Nobody should; but a value that changes between the look at it and the write is looked at once more."""
    keys = [f"rl:experience:{n}" for n in range(20_000)]
    agentdb.redis.mset({key: json.dumps(experience()) for key in keys})
    agentdb.json()
    agentdb.sql("UPDATE rl_experiences SET version = 1, reward = 5, content_hash = NULL")
    become_primary(agentdb)
    newer = json.dumps(experience(version=9))
    stop, touched = threading.Event(), set()

    def write():
        rng, client = random.Random(SEED), redis.Redis.from_url(agentdb.env["REDIS_URL"])
        while not stop.is_set():
            chosen = rng.sample(keys, 100)
            client.mset(dict.fromkeys(chosen, newer))
            touched.update(chosen)

    thread = threading.Thread(target=write)
    run = agentdb.start("--reverse", "--output", "json")
    thread.start()
    out, err = run.communicate(timeout=60)
    stop.set()
    thread.join()
    assert run.returncode in (0, 4), out + err
    assert len(touched) > 1_000
    assert {agentdb.redis.get(key) for key in touched} == {newer.encode()}


def test_skipping_history_is_not_complete_and_servers_may_restart(agentdb):
    pipeline = agentdb.redis.pipeline(transaction=False)
    for n in range(20_000):
        pipeline.set(f"rl:experience:{n}", json.dumps(experience(reward=n)))
    pipeline.execute()
    agentdb.json()
    become_primary(agentdb)
    assert not agentdb.json("--reverse", "--skip-history")["complete"]
    assert agentdb.sql("SELECT reverse_through FROM agentdb_state") == [(None,)]
    agentdb.redis.flushall()
    agentdb.redis.config_set("appendfsync", "always")
    run = agentdb.start("--reverse", "--output", "json")
    wait_for(lambda: agentdb.redis.dbsize() > 500)
    run.kill()
    run.communicate()
    run = agentdb.start("--reverse", "--output", "json")
    wait_for(lambda: run.poll() is not None or agentdb.redis.dbsize() > 8_000)
    for server in ("postgres", "redis"):
        agentdb.servers("kill", server)
        agentdb.servers("start", server)
    out, err = run.communicate(timeout=60)
    assert run.returncode == 0, out + err
    result = json.loads(out)
    counts = result["kinds"]["experiences"]
    assert result["errors_ridden_out"] > 0 and counts["rows"] == 20_000, result
    assert counts["written"] + counts["unchanged"] == 20_000, counts
    assert agentdb.redis.dbsize() == 20_000
    assert agentdb.json("--verify")["equal"]
