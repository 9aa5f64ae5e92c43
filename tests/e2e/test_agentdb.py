"""`migrate migrate-agentdb` from Redis to PostgreSQL: what is copied, what is quarantined, and what is left alone."""

import base64
import datetime
import decimal
import json
import os
import signal
import socket
import stat
import subprocess
import threading

import psycopg
import pytest
import redis
from conftest import wait_for

SQL = "'; DROP TABLE rl_experiences; -- \" \\ $1 %s \u2028"
ANY_BYTES = bytes(range(256))


def experience(**changes):
    return {"agent_id": "a", "state": {"x": 1}, "action": "play", "reward": 0.5, "next_state": None, "done": False,
            "timestamp": 1700000000.25, **changes}


def q_value(**changes):
    return {"agent_id": "a", "state_hash": "s", "action": "play", "value": 0.1, "visits": 3, **changes}


def without(record, name):
    return {key: value for key, value in record.items() if key != name}


def test_copies_all_kinds_exactly(agentdb):
    r = agentdb.redis
    r.set("rl:experience:1", json.dumps(experience(state=SQL, action={"sql": SQL}, agent_id=SQL, note=SQL, version=7)))
    r.set(b"rl:experience:" + ANY_BYTES, json.dumps(experience()))
    r.set("rl:experience:" + SQL, json.dumps(without(experience(), "next_state")))
    r.set("rl:experience:numbers", '{"agent_id":"n","state":[9007199254740993,0.1,1e30,-0],"action":18446744073709551616,'
          '"reward":9007199254740993,"done":true,"timestamp":1700000000.1234567,"b":12345678901234567890.5}')
    r.hset("rl:experience:hash", mapping={"agent_id": "h", "state": '{"k": [1, 2]}', "action": "left", "reward": "1e-3", "done": "True",
                                          "timestamp": "1700000000", "version": "9", "more": "007"})
    large = "x" * 10_000_000
    r.set("rl:experience:large", json.dumps(experience(state=large)))
    r.set("rl:qvalue:a:s:play", json.dumps(q_value()))
    r.set("rl:qvalue:a:s:3", json.dumps(without(q_value(action=3, version=5), "visits")))
    r.hset("rl:qvalue:hash", mapping={"agent_id": SQL, "state_hash": SQL, "action": SQL, "value": "-2.5"})
    r.set(b"rl:policy:" + ANY_BYTES, ANY_BYTES * 1000)
    r.set("rl:policy:empty", b"")
    r.set("rl:agent:one", json.dumps({"name": SQL, "version": 4, "big": 2**63}))
    r.hset("rl:agent:two", mapping={"epsilon": "0.10", SQL: SQL})
    r.set("rl:experience:expiring", json.dumps(experience()), px=3_600_000)
    r.set("rl:control:owed", "no record"), r.set("another", "no record")

    result = agentdb.json()
    assert {kind: (n["redis_keys"], n["rows"], n["quarantined"]) for kind, n in result["kinds"].items()} == {
        "experiences": (7, 7, 0), "q_values": (3, 3, 0), "policies": (2, 2, 0), "agents": (2, 2, 0)}
    assert result["consistent"] and result["looks"] == 1 and result["peak_memory_bytes"] < 150_000_000

    rows = {bytes(row[0]): row[1:] for row in agentdb.sql(
        "SELECT redis_key, agent_id, state, action, reward, next_state, done, occurred_at, extra, version FROM rl_experiences")}
    utc = datetime.timezone.utc
    at = datetime.datetime(2023, 11, 14, 22, 13, 20, 250000, utc)
    assert rows[b"rl:experience:1"] == (SQL, SQL, {"sql": SQL}, 0.5, None, False, at, {"note": SQL}, 7)
    assert rows[b"rl:experience:" + ANY_BYTES] == ("a", {"x": 1}, "play", 0.5, None, False, at, None, 0)
    assert rows[b"rl:experience:hash"] == ("h", {"k": [1, 2]}, "left", 0.001, None, True,
                                           datetime.datetime(2023, 11, 14, 22, 13, 20, tzinfo=utc), {"more": "007"}, 9)
    assert rows[b"rl:experience:large"][1] == large
    # A null is kept apart from nothing, and numbers keep their digits.
    null = agentdb.sql("SELECT redis_key, next_state IS NULL FROM rl_experiences WHERE redis_key IN ('rl:experience:1', %s)",
                       ("rl:experience:" + SQL).encode())
    assert {bytes(key): absent for key, absent in null} == {b"rl:experience:1": False, ("rl:experience:" + SQL).encode(): True}
    text = agentdb.sql("SELECT state::text, action::text, extra->>'reward', extra->>'timestamp', extra->>'b' FROM rl_experiences "
                       "WHERE redis_key = 'rl:experience:numbers'")[0]
    assert [decimal.Decimal(x) for x in json.loads(text[0], parse_float=decimal.Decimal)] == [
        9007199254740993, decimal.Decimal("0.1"), 10**30, 0]
    assert text[1:] == ("18446744073709551616", "9007199254740993", "1700000000.1234567", "12345678901234567890.5")
    expiry = agentdb.sql("SELECT (extract(epoch FROM expires_at) * 1000)::bigint FROM rl_experiences WHERE redis_key = 'rl:experience:expiring'")
    assert expiry[0][0] == r.pexpiretime("rl:experience:expiring")

    q = {bytes(row[0]): row[1:] for row in agentdb.sql("SELECT redis_key, agent_id, state_hash, action, value, visits, version FROM q_values")}
    assert q == {b"rl:qvalue:a:s:play": ("a", "s", "play", 0.1, 3, 0), b"rl:qvalue:a:s:3": ("a", "s", "3", 0.1, 0, 5),
                 b"rl:qvalue:hash": (SQL, SQL, SQL, -2.5, 0, 0)}
    policies = {bytes(key): bytes(policy) for key, policy in agentdb.sql("SELECT redis_key, policy FROM policies")}
    assert policies == {b"rl:policy:" + ANY_BYTES: ANY_BYTES * 1000, b"rl:policy:empty": b""}
    agents = {agent: (metadata, version) for agent, metadata, version in agentdb.sql("SELECT agent_id, metadata, version FROM agent_metadata")}
    assert agents == {"one": ({"name": SQL, "big": 2**63}, 4), "two": ({"epsilon": "0.10", SQL: SQL}, 0)}

    assert agentdb.json("--verify")["equal"]
    again = agentdb.json()
    assert (again["written"], again["unchanged"], again["deleted"]) == (0, 14, 0)
    assert not agentdb.quarantine.exists()


BAD = {
    "json": (b'{"agent_id": ', "ends too soon"),
    "trailing": (json.dumps(experience()).encode() + b"}", "bad JSON at byte"),
    "array": (b"[1, 2]", "an object is expected"),
    "reward-nan": (json.dumps(experience(reward=float("nan"))).encode(), "reward: bad JSON: NaN, which is not finite"),
    "reward-inf": (json.dumps(experience(reward=-float("inf"))).encode(), "reward: bad JSON: -Infinity, which is not finite"),
    "reward-1e999": (json.dumps(experience()).replace("0.5", "1e999").encode(), "reward is 1e999, which is not finite as a double"),
    "reward-text": (json.dumps(experience(reward="0.5")).encode(), "reward is not a number"),
    "done": (json.dumps(experience(done="yes")).encode(), "done is not true or false"),
    "agent": (json.dumps(experience(agent_id=5)).encode(), "agent_id is not a string"),
    "no-state": (json.dumps(without(experience(), "state")).encode(), "state is missing"),
    "time": (json.dumps(experience(timestamp=1e16)).encode(), "beyond the dates"),
    "version": (json.dumps(experience(version=-1)).encode(), "version is not a whole number from 0"),
    "zero": (json.dumps(experience(state="a\0b")).encode(), "state: \\u0000 in a text"),
    "utf8": (b'{"agent_id": "\xff"}', "agent_id: invalid UTF-8 at byte"),
    "surrogate": (b'{"agent_id": "\\ud800"}', "agent_id: a lone surrogate \\ud800"),
    "digits": (json.dumps(experience()).replace('{"x": 1}', "1e5000").encode(), "more digits than PostgreSQL can keep"),
    "deep": (json.dumps(experience()).replace('{"x": 1}', "[" * 1001 + "]" * 1001).encode(), "1,000 levels"),
    "long" * 700: (json.dumps(experience()).encode(), "PostgreSQL's index holds 2600"),
}


def test_quarantines_with_reasons_once(agentdb):
    r = agentdb.redis
    for name, (value, _) in BAD.items():
        r.set("rl:experience:" + name, value)
    r.rpush("rl:experience:list", "x")
    r.zadd(b"rl:policy:\xff", {"x": 1})
    r.hset("rl:experience:hash", mapping={"agent_id": "h", "state": '{"k":', "action": "x", "reward": "inf", "done": "1", "timestamp": "1"})
    r.set("rl:experience:good", json.dumps(experience()))
    r.set("rl:qvalue:first", json.dumps(q_value()))
    for _ in range(2):  # a second run doubles no line
        result = agentdb.json(code=4)
        assert result["kinds"]["experiences"] == {"redis_keys": len(BAD) + 3, "rows": 1, "quarantined": len(BAD) + 2, "left_out": False}
        assert result["consistent"]
        bad = {line["key"]: line for line in agentdb.bad_keys()}
        assert len(bad) == len(agentdb.bad_keys()) == len(BAD) + 3
        for name, (value, reason) in BAD.items():
            line = bad["rl:experience:" + name]
            assert reason in line["reason"], line
            assert base64.b64decode(line["value_base64"]) == value and line["kind"] == "experience"
        assert bad["rl:experience:list"]["reason"] == "a list, where a JSON string or a hash is expected"
        assert bad["rl:policy:\\xff"]["key_hex"] == b"rl:policy:\xff".hex()
        assert "state: bad JSON" in bad["rl:experience:hash"]["reason"] or "reward is inf" in bad["rl:experience:hash"]["reason"]
    # Two keys that mean the same Q value: the one that was there stays.
    r.set("rl:qvalue:second", json.dumps(q_value(value=9)))
    agentdb.json(code=4)
    assert agentdb.sql("SELECT redis_key, value FROM q_values") == [(b"rl:qvalue:first", 0.1)]
    assert [line["reason"] for line in agentdb.bad_keys() if line["key"] == "rl:qvalue:second"] == [
        "another key has the same agent_id, state_hash and action"]
    # What the quarantine names is no difference, as long as the other key stands.
    compared = agentdb.json("--verify")
    assert compared["equal"] and compared["kinds"]["q_values"] == {
        "redis_keys": 2, "rows": 1, "equal": 1, "quarantined": 1, "missing": 0, "different": 0, "orphaned": 0, "left_out": False}
    assert len(compared["quarantine_examples"]) == 5
    r.rename("rl:qvalue:first", "away")
    assert [(one["key"], one["what"]) for one in agentdb.json("--verify", code=4)["differences"]] == [
        ("rl:qvalue:first", "in PostgreSQL only")]
    r.rename("away", "rl:qvalue:first")
    # A row whose value goes bad goes too; a value that is mended comes.
    r.set("rl:experience:good", "bad"), r.set("rl:experience:json", json.dumps(experience()))
    assert agentdb.json(code=4)["kinds"]["experiences"]["rows"] == 1
    assert agentdb.sql("SELECT redis_key FROM rl_experiences") == [(b"rl:experience:json",)]


def test_what_postgresql_itself_refuses_is_quarantined_and_no_difference(agentdb):
    """By a check that an administrator has added, for one."""
    r = agentdb.redis
    r.mset({f"rl:experience:{n}": json.dumps(experience(reward=n)) for n in range(5)})
    agentdb.json()
    agentdb.sql("ALTER TABLE rl_experiences ADD CONSTRAINT small CHECK (reward < 100)")
    r.mset({"rl:experience:2": json.dumps(experience(reward=200)), "rl:experience:new": json.dumps(experience(reward=300))})
    reason = 'PostgreSQL refuses it: new row for relation "rl_experiences" violates check constraint "small"'
    # Before the copy its former row is there, and differs.
    compared = agentdb.json("--verify", code=4)
    assert [(one["key"], one["what"]) for one in compared["differences"]] == [
        ("rl:experience:2", f"PostgreSQL has a row, but the value cannot be one: {reason}.")]
    assert compared["quarantine_examples"] == [f"rl:experience:new: {reason}."]
    for _ in range(2):
        result = agentdb.json(code=4)
        assert result["consistent"]
        assert result["kinds"]["experiences"] == {"redis_keys": 6, "rows": 4, "quarantined": 2, "left_out": False}
        assert {line["key"]: line["reason"] for line in agentdb.bad_keys()} == {
            "rl:experience:2": reason + ".", "rl:experience:new": reason + "."}
    compared = agentdb.json("--verify")
    assert compared["equal"] and compared["differences"] == [] and compared["kinds"]["experiences"] == {
        "redis_keys": 6, "rows": 4, "equal": 4, "quarantined": 2, "missing": 0, "different": 0, "orphaned": 0, "left_out": False}
    assert sorted(compared["quarantine_examples"]) == sorted(result["quarantine_examples"]) == [
        f"rl:experience:2: {reason}.", f"rl:experience:new: {reason}."]
    shown = agentdb.run("--verify").stdout
    assert shown.startswith("EQUAL\n") and f"    rl:experience:new: {reason}." in shown.splitlines(), shown
    # What is only missing is a difference all the same.
    agentdb.sql("DELETE FROM rl_experiences WHERE redis_key = 'rl:experience:3'")
    assert [(one["key"], one["what"]) for one in agentdb.json("--verify", code=4)["differences"]] == [("rl:experience:3", "in Redis only")]


def test_what_changed_is_copied_and_what_is_gone_deleted(agentdb):
    r = agentdb.redis
    for n in range(1_200):
        r.set(f"rl:experience:{n}", json.dumps(experience(reward=n)))
    r.set("rl:qvalue:k", json.dumps(q_value()))
    agentdb.json()
    r.delete(*(f"rl:experience:{n}" for n in range(100)))
    r.set("rl:experience:500", json.dumps(experience(reward=-1)))
    r.set("rl:experience:new", json.dumps(experience()))
    r.pexpire("rl:experience:501", 3_600_000)
    r.pexpire("rl:experience:502", 1)
    r.set("rl:qvalue:k", json.dumps(q_value(state_hash="moved")))
    result = agentdb.json()
    assert (result["kinds"]["experiences"]["rows"], result["written"]) == (1_100, 4)
    assert agentdb.sql("SELECT reward FROM rl_experiences WHERE redis_key = 'rl:experience:500'") == [(-1.0,)]
    assert agentdb.sql("SELECT state_hash FROM q_values") == [("moved",)]
    assert agentdb.json("--verify")["equal"]
    r.flushall()
    assert agentdb.json("--allow-deletes")["kinds"]["experiences"] == {"redis_keys": 0, "rows": 0, "quarantined": 0, "left_out": False}


def refused(done):
    assert done.returncode == 5, done.stdout + done.stderr
    return json.loads(done.stdout), done.stderr


def test_what_was_not_asked_for_is_not_deleted(agentdb):
    r = agentdb.redis
    r.mset({f"rl:experience:{n}": json.dumps(experience(reward=n)) for n in range(3_000)})
    agentdb.json()
    # Another database number: not one key of ours, under none of the prefixes but another.
    other = agentdb.env["REDIS_URL"].rsplit("/", 1)[0] + "/1"
    elsewhere = redis.Redis.from_url(other)
    elsewhere.mset({f"app:rl:experience:{n}": "x" for n in range(7)} | {"{tag}:rl:qvalue:1": "x", "orl": "x", "rl:control:x": "x"})
    result = agentdb.json("--dry-run", REDIS_URL=other)
    assert (result["to_delete"], result["deletes_refused"], result["lookalike_keys"]) == (3_000, False, 8)
    result, err = refused(agentdb.run("--output", "json", REDIS_URL=other))
    assert (result["to_delete"], result["deletes_refused"], result["deleted"], result["kinds"]["experiences"]["rows"]) == (3_000, True, 0, 3_000)
    for words in ("3,000 of 3,000 rows", "has not one key of the learning state", "8 keys look like the learning state's",
                  "7 with 'app:'", "1 with '{tag}:'", "--key-prefix", "--allow-deletes"):
        assert words in err, err
    shown = agentdb.run(REDIS_URL=other).stdout
    assert "3,000 rows, whose keys are gone" in shown, shown
    # Fewer rows than the rule asks about, but an empty Redis all the same.
    agentdb.sql("DELETE FROM rl_experiences WHERE redis_key <> 'rl:experience:5'")
    elsewhere.flushdb()
    result, err = refused(agentdb.run("--output", "json", REDIS_URL=other))
    assert (result["to_delete"], agentdb.counts()) == (1, 1) and "1 of 1 rows" in err
    assert agentdb.json()["kinds"]["experiences"]["rows"] == 3_000

    # A tenth may go; more is asked about first. What has expired by itself does not count, all else is done.
    r.delete(*(f"rl:experience:{n}" for n in range(300)))
    for n in range(300, 500):
        r.pexpire(f"rl:experience:{n}", 3_600_000)
    result = agentdb.json()
    assert (result["deleted"], result["kinds"]["experiences"]["rows"]) == (300, 2_700)
    r.delete(*(f"rl:experience:{n}" for n in range(300, 771)))
    agentdb.sql("UPDATE rl_experiences SET expires_at = now() - interval '1 second' WHERE expires_at IS NOT NULL")
    r.set("rl:experience:new", json.dumps(experience())), r.set("rl:experience:1000", json.dumps(experience(reward=-1)))
    result, err = refused(agentdb.run("--output", "json"))
    assert (result["to_delete"], result["deleted"], result["written"]) == (271, 200, 2) and "271 of 2,501 rows" in err
    assert agentdb.sql("SELECT reward FROM rl_experiences WHERE redis_key IN ('rl:experience:new', 'rl:experience:1000') ORDER BY 1") == [
        (-1.0,), (0.5,)]
    result = agentdb.json("--allow-deletes")
    assert (result["deleted"], result["to_delete"], result["kinds"]["experiences"]["rows"]) == (271, 0, 2_230)

    # Values that are no longer valid would take their rows with them.
    r.mset({f"rl:experience:{n}": "spoilt" for n in range(1_000, 1_500)})
    result, err = refused(agentdb.run("--output", "json"))
    assert (result["to_delete"], result["deleted"], result["kinds"]["experiences"]["quarantined"]) == (500, 0, 500)
    assert agentdb.counts() == 2_230


def waiting_for_a_lock(agentdb, query):
    return agentdb.sql("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE %s", query)


def test_what_goes_while_rows_are_deleted_counts_for_all_kinds_together(agentdb):
    r = agentdb.redis
    for n in range(90):
        r.mset({f"rl:experience:{n}": json.dumps(experience()), f"rl:qvalue:{n}": json.dumps(q_value(state_hash=str(n))),
                f"rl:policy:{n}": b"x", f"rl:agent:{n}": "{}"})
    agentdb.json()
    r.delete("rl:experience:0")
    with psycopg.connect(agentdb.env["DATABASE_URL"]) as holder:
        holder.execute("SELECT FROM rl_experiences WHERE redis_key = 'rl:experience:0' FOR UPDATE")
        run = agentdb.start()
        wait_for(lambda: waiting_for_a_lock(agentdb, "DELETE FROM rl_experiences t USING%"))
        r.flushall()  # one row was counted as gone, and is about to be deleted
    out, err = run.communicate(timeout=60)
    assert run.returncode == 5 and "Redis lost many keys of the learning state while rows without one were deleted" in err, out + err
    # The one, and the ninety of the next kind, which a run may delete without being asked.
    assert [agentdb.counts(table) for table in ("rl_experiences", "q_values", "policies", "agent_metadata")] == [89, 0, 90, 90]


def test_a_row_of_a_spoilt_value_counts_once_though_its_batch_was_tried_twice(agentdb):
    r = agentdb.redis
    r.mset({f"rl:experience:{n}": json.dumps(experience(reward=n)) for n in range(400)})
    agentdb.json()
    r.mset({f"rl:experience:{n}": "spoilt" for n in range(200, 400)} | {"rl:experience:0": json.dumps(experience(reward=-1))})
    # A sequence is not rolled back: the first attempt fails, with what passes by itself.
    agentdb.sql("CREATE SEQUENCE attempts")
    agentdb.sql("CREATE FUNCTION fail_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF nextval('attempts') = 1 THEN"
                " RAISE EXCEPTION 'another transaction was quicker' USING ERRCODE = '40001'; END IF; RETURN NEW; END $$")
    try:
        agentdb.sql("CREATE TRIGGER fail_once BEFORE INSERT OR UPDATE ON rl_experiences FOR EACH ROW EXECUTE FUNCTION fail_once()")
        result, err = refused(agentdb.run("--output", "json"))
    finally:
        agentdb.sql("DROP FUNCTION fail_once CASCADE")
        agentdb.sql("DROP SEQUENCE attempts")
    assert (result["errors_ridden_out"], result["written"], result["deleted"], result["to_delete"]) == (1, 1, 0, 200)
    assert "200 of 400 rows" in err
    result = agentdb.json("--allow-deletes", code=4)
    assert (result["deleted"], result["kinds"]["experiences"]) == (200, {"redis_keys": 400, "rows": 200, "quarantined": 200, "left_out": False})


def test_keys_under_a_prefix(agentdb):
    r = agentdb.redis
    r.set("{app}:rl:experience:1", json.dumps(experience())), r.set("{app}:rl:policy:u", b"bytes"), r.set("rl:experience:1", json.dumps(experience()))
    result = agentdb.json("--key-prefix", "{app}:")
    assert result["lookalike_keys"] == 1 and "1 with ''" in result["notes"][0]
    assert agentdb.sql("SELECT redis_key FROM rl_experiences") == [(b"{app}:rl:experience:1",)]
    assert agentdb.sql("SELECT redis_key, agent_id, policy FROM policies") == [(b"{app}:rl:policy:u", "u", b"bytes")]
    assert agentdb.json("--verify", "--key-prefix", "{app}:")["equal"]
    agentdb.sql("UPDATE agentdb_state SET primary_store = 'postgres'")
    agentdb.sql("UPDATE rl_experiences SET reward = 9, version = 1, content_hash = NULL")
    agentdb.json("--reverse", "--key-prefix", "{app}:")
    assert json.loads(r.get("{app}:rl:experience:1"))["reward"] == 9 and json.loads(r.get("rl:experience:1"))["reward"] == 0.5


def test_a_newer_row_is_never_overwritten(agentdb):
    r = agentdb.redis
    r.set("rl:experience:1", json.dumps(experience(version=5)))
    agentdb.json()
    agentdb.sql("UPDATE rl_experiences SET version = 6, reward = 6, content_hash = NULL")
    r.set("rl:experience:1", json.dumps(experience(version=5, reward=5.5)))
    agentdb.json()
    assert agentdb.sql("SELECT version, reward FROM rl_experiences") == [(6, 6.0)]
    r.set("rl:experience:1", json.dumps(experience(version=7, reward=7)))
    agentdb.json()
    assert agentdb.sql("SELECT version, reward FROM rl_experiences") == [(7, 7.0)]


def test_dry_run_and_skip_history(agentdb):
    r = agentdb.redis
    r.set("rl:experience:1", json.dumps(experience())), r.set("rl:experience:2", "bad"), r.set("rl:qvalue:k", json.dumps(q_value()))
    result = agentdb.json("--dry-run", code=4)
    assert result["kinds"]["experiences"] == {"redis_keys": 2, "rows": 1, "quarantined": 1, "left_out": False}
    assert agentdb.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]
    assert not agentdb.quarantine.exists()
    result = agentdb.json("--skip-history")
    assert result["kinds"]["experiences"]["left_out"] and result["kinds"]["q_values"]["rows"] == 1
    assert agentdb.counts() == 0
    shown = agentdb.run("--dry-run").stdout
    assert "would be rows" in shown and "rl:experience:2: bad JSON at byte 0" in shown


def test_verify_finds_each_difference_and_writes_nothing(agentdb):
    r = agentdb.redis
    for n in range(8):
        r.set(f"rl:experience:{n}", json.dumps(experience(reward=n)))
    r.set("rl:policy:p", b"bytes")
    agentdb.json()
    assert agentdb.run("--verify").stdout.startswith("EQUAL\n")
    agentdb.sql("UPDATE rl_experiences SET reward = 99 WHERE redis_key = 'rl:experience:0'")
    agentdb.sql("UPDATE rl_experiences SET state = '{\"x\": 1.0000000000000000001}' WHERE redis_key = 'rl:experience:1'")
    agentdb.sql("DELETE FROM rl_experiences WHERE redis_key = 'rl:experience:2'")
    agentdb.sql("UPDATE rl_experiences SET version = 3 WHERE redis_key = 'rl:experience:4'")
    agentdb.sql("UPDATE policies SET policy = 'other'")
    r.delete("rl:experience:3"), r.pexpire("rl:experience:5", 9_000_000)
    before = agentdb.sql("SELECT xmin::text, redis_key FROM rl_experiences ORDER BY redis_key")
    result = agentdb.json("--verify", code=4)
    assert {line["key"]: line["what"] for line in result["differences"]} == {
        "rl:experience:0": "reward differs", "rl:experience:1": "state differs", "rl:experience:2": "in Redis only",
        "rl:experience:3": "in PostgreSQL only", "rl:experience:4": "the version is 0 in Redis and 3 in PostgreSQL",
        "rl:experience:5": "expiry differs", "rl:policy:p": "policy differs"}
    assert agentdb.sql("SELECT xmin::text, redis_key FROM rl_experiences ORDER BY redis_key") == before


def test_refusals(agentdb):
    agentdb.redis.set("rl:experience:1", json.dumps(experience()))
    for missing in ("REDIS_URL", "DATABASE_URL"):
        done = agentdb.run(**{missing: ""})
        assert done.returncode == 2 and missing in done.stderr
    wrong = agentdb.env["DATABASE_URL"].replace(agentdb.env["DATABASE_URL"].split(":")[2].split("@")[0], "secret-word")
    done = agentdb.run(DATABASE_URL=wrong)
    assert done.returncode == 2 and "password authentication failed" in done.stderr and "secret-word" not in done.stderr
    agentdb.json()
    for store, words in (("postgres", "--reverse"), ("moving", "handover")):
        agentdb.sql("UPDATE agentdb_state SET primary_store = %s", store)
        done = agentdb.run()
        assert done.returncode == 5 and words in done.stderr
    agentdb.sql("UPDATE agentdb_state SET primary_store = 'redis'")
    assert agentdb.run("--reverse").returncode == 5
    agentdb.sql("INSERT INTO agentdb_schema (version) VALUES (99)")
    done = agentdb.run()
    assert done.returncode == 5 and "version 99" in done.stderr


def test_the_token_of_uncaptured_writes(agentdb):
    r = agentdb.redis
    r.set("rl:control:uncaptured", "token"), r.set("rl:experience:1", json.dumps(experience()))
    agentdb.json("--skip-history")
    assert r.get("rl:control:uncaptured") == b"token"
    agentdb.json()
    assert r.get("rl:control:uncaptured") is None


def test_a_token_that_was_set_meanwhile_stays(agentdb):
    r = agentdb.redis
    r.set("rl:control:uncaptured", "before")
    for n in range(5_000):
        r.set(f"rl:experience:{n}", json.dumps(experience(reward=n)))
    run = agentdb.start("--batch-size", "1", "--output", "json")
    wait_for(lambda: agentdb.sql("SELECT to_regclass('rl_experiences') IS NOT NULL")[0][0] and agentdb.counts() > 100)
    r.set("rl:control:uncaptured", "meanwhile")
    assert run.poll() is None, "too quick to be tested"
    out, err = run.communicate(timeout=60)
    assert run.returncode == 0, out + err
    assert "An engine in the mode redis wrote meanwhile" in json.loads(out)["notes"][0]
    assert r.get("rl:control:uncaptured") == b"meanwhile"


def test_two_at_once_and_an_output_that_is_no_file(agentdb):
    for n in range(3_000):
        agentdb.redis.set(f"rl:experience:{n}", json.dumps(experience(reward=n)))
    agentdb.redis.set("rl:experience:bad", "bad")
    agentdb.quarantine = "/dev/null"
    runs = [agentdb.start("--output", "json") for _ in range(2)]
    for run in runs:
        out, err = run.communicate(timeout=60)
        assert run.returncode == 4, out + err
        assert json.loads(out)["kinds"]["experiences"]["rows"] == 3_000
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    assert agentdb.sql("SELECT version FROM agentdb_schema") == [(1,), (2,)]


def test_one_copy_at_a_time(agentdb):
    agentdb.redis.set("rl:experience:1", json.dumps(experience()))
    agentdb.json()
    assert agentdb.sql("SELECT holder FROM agentdb_lease") == [(None,), (None,)]
    agentdb.redis.set("rl:experience:2", json.dumps(experience()))
    agentdb.sql("UPDATE agentdb_lease SET holder = 'another', held_until = now() + interval '1 hour' WHERE name = 'copy'")
    done = agentdb.run()
    assert done.returncode == 5 and "Another 'migrate migrate-agentdb' is at work" in done.stderr, done.stderr
    assert agentdb.counts() == 1
    agentdb.sql("UPDATE agentdb_lease SET held_until = now() - interval '1 second'")
    agentdb.json()
    assert agentdb.counts() == 2


def test_a_frozen_copy_that_another_took_over_writes_nothing_more(agentdb):
    r = agentdb.redis
    r.mset({f"rl:experience:{n}": json.dumps(experience(reward=n)) for n in range(30_000)})
    run = agentdb.start("--batch-size", "20")
    wait_for(lambda: agentdb.sql("SELECT to_regclass('rl_experiences') IS NOT NULL")[0][0] and agentdb.counts() > 500)
    run.send_signal(signal.SIGSTOP)
    # Not in the midst of a transaction, which its locks would make others wait for.
    def idle():
        if agentdb.sql("SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'crossover%%' AND state <> 'idle'"):
            run.send_signal(signal.SIGCONT)
            agentdb.counts()
            run.send_signal(signal.SIGSTOP)
            return False
        return True
    wait_for(idle)
    agentdb.quarantine = agentdb.folder / "another.ndjson"
    assert agentdb.json()["kinds"]["experiences"]["rows"] == 30_000
    agentdb.sql("DELETE FROM rl_experiences WHERE reward >= 29000")  # what the frozen one would bring again
    run.send_signal(signal.SIGCONT)
    out, err = run.communicate(timeout=60)
    assert run.returncode == 5 and "it took over when this one had been silent" in err, out + err
    assert agentdb.counts() == 29_000


def test_fields_of_other_names(agentdb, tmp_path):
    r = agentdb.redis
    names = {"agent_id": "agentId", "timestamp": "time_stamp", "reward": "reward_value"}
    renamed = {names.get(name, name): part for name, part in experience().items()}
    for n in range(300):
        r.set(f"rl:qvalue:{n}", json.dumps({"agent_id": "a", "state_hash": str(n), "action": "x", "q_value": n / 7}))
        r.set(f"rl:experience:{n}", json.dumps({**renamed, "reward_value": n}))
    for more in ((), ("--dry-run",)):
        done = agentdb.run("--skip-history", *more)
        assert done.returncode == 5, done.stdout + done.stderr
        assert "Of 200 Q values looked at, 200 lack 'value'; 'q_value' looks like it: --q-value-field q_value" in done.stderr
        assert agentdb.sql("SELECT to_regclass('q_values') IS NULL") == [(True,)] and not agentdb.quarantine.exists()
    assert "'agentId' looks like it: --agent-id-field agentId" in agentdb.run().stderr
    # The usual name is read too.
    r.set("rl:qvalue:usual", json.dumps(q_value()))
    config = tmp_path / "config.yaml"
    config.write_text("agentdb: {fields: {q_value: q_value, agent_id: agentId, timestamp: time_stamp}}\n")
    flags = ("--config", config, "--reward-field", "reward_value")
    result = agentdb.json(*flags)
    assert [result["kinds"][kind]["rows"] for kind in ("q_values", "experiences")] == [301, 300]
    assert agentdb.sql("SELECT agent_id, reward, extra FROM rl_experiences WHERE reward = 7") == [("a", 7.0, None)]
    assert agentdb.sql("SELECT value, extra FROM q_values WHERE state_hash = '5'") == [(5 / 7, {"visits": None})]
    assert agentdb.json("--verify", *flags)["equal"]
    agentdb.sql("UPDATE agentdb_state SET primary_store = 'postgres'")
    agentdb.sql("UPDATE q_values SET value = 9, version = 1, content_hash = NULL WHERE state_hash = '5'")
    r.delete("rl:experience:7")
    agentdb.json("--reverse", *flags)
    assert json.loads(r.get("rl:qvalue:5")) == {"agentId": "a", "state_hash": "5", "action": "x", "q_value": 9, "version": 1}
    assert json.loads(r.get("rl:experience:7")) == {**renamed, "reward_value": 7}
    # Named, though something else looks like it: no guess.
    agentdb.sql("UPDATE agentdb_state SET primary_store = 'redis'")
    agentdb.clear()
    r.set("rl:qvalue:1", json.dumps({"agent_id": "a", "state_hash": "1", "action": "x", "q_value": 1}))
    assert agentdb.json("--q-value-field", "value", code=4)["kinds"]["q_values"]["quarantined"] == 1


FIELDS = {"agent_id": "who", "state": "seen", "action": "did", "reward": "got", "next_state": "then", "done": "over", "timestamp": "at",
          "state_hash": "seen_hash", "value": "worth"}
FLAGS = [part for name, ours in FIELDS.items() for part in (f"--{'q-value' if name == 'value' else name.replace('_', '-')}-field", ours)]


def renamed(record):
    return {FIELDS.get(name, name): part for name, part in record.items()}


def test_every_field_of_another_name_there_and_back(agentdb):
    r = agentdb.redis
    first = experience(state={"deep": ["er"]}, action=3, next_state={"x": None}, done=True, more="kept")
    r.set("rl:experience:text", json.dumps(renamed(first)))
    r.set("rl:experience:usual", json.dumps(first))
    r.set("rl:experience:both", json.dumps({**first, "seen": 1}))
    in_hash = {"agent_id": "h", "state": '{"k": 1}', "action": "left", "reward": "1.50", "next_state": '"true"', "done": "True",
               "timestamp": "1700000000"}
    r.hset("rl:experience:hash", mapping=renamed(in_hash))
    r.set("rl:qvalue:text", json.dumps(renamed(q_value(action=7))))
    r.hset("rl:qvalue:hash", mapping=renamed({"agent_id": "h", "state_hash": "s", "action": "x", "value": "0.5"}))
    result = agentdb.json(*FLAGS, code=4)
    assert [line["reason"] for line in agentdb.bad_keys()] == ["both seen and state are there"]
    assert [result["kinds"][kind]["rows"] for kind in ("experiences", "q_values")] == [3, 2]
    rows = {bytes(row[0]).decode(): row[1:] for row in agentdb.sql(
        "SELECT redis_key, agent_id, state, action, reward, next_state, done, extract(epoch FROM occurred_at)::float8, extra FROM rl_experiences")}
    want = ("a", {"deep": ["er"]}, 3, 0.5, {"x": None}, True, 1700000000.25, {"more": "kept"})
    assert rows == {"rl:experience:text": want, "rl:experience:usual": want,
                    "rl:experience:hash": ("h", {"k": 1}, "left", 1.5, "true", True, 1700000000.0, None)}
    assert agentdb.sql("SELECT agent_id, state_hash, action, value FROM q_values ORDER BY 1") == [("a", "s", "7", 0.1), ("h", "s", "x", 0.5)]
    r.delete("rl:experience:both")
    agentdb.json(*FLAGS)
    assert agentdb.json("--verify", *FLAGS)["equal"]

    # Back: what is lost or older comes under the user's names; what says the same keeps its form.
    agentdb.sql("UPDATE agentdb_state SET primary_store = 'postgres'")
    agentdb.sql("UPDATE rl_experiences SET reward = 9, version = 1, content_hash = NULL WHERE redis_key <> 'rl:experience:text'")
    agentdb.sql("UPDATE q_values SET value = 9, version = 1, content_hash = NULL")
    r.delete("rl:experience:text", "rl:qvalue:text")
    back = agentdb.json("--reverse", *FLAGS)
    assert back["complete"] and [back["kinds"][kind]["written"] for kind in ("experiences", "q_values")] == [3, 2]
    assert json.loads(r.get("rl:experience:text")) == renamed(first)
    assert json.loads(r.get("rl:experience:usual")) == {**renamed({**first, "reward": 9}), "version": 1}
    assert r.hgetall("rl:experience:hash") == {name.encode(): text.encode() for name, text in {
        **renamed({**in_hash, "reward": "9"}), "version": "1"}.items()}
    assert json.loads(r.get("rl:qvalue:text")) == {**renamed(q_value(action=7, value=9)), "version": 1}
    assert r.hgetall("rl:qvalue:hash") == {b"who": b"h", b"seen_hash": b"s", b"did": b"x", b"worth": b"9", b"version": b"1"}
    assert agentdb.json("--verify", *FLAGS)["equal"]


def test_verify_does_not_count_what_is_on_its_way(agentdb):
    r = agentdb.redis
    for n in range(20):
        r.set(f"rl:experience:{n}", json.dumps(experience(reward=n)))
    agentdb.json()
    stop, rounds = threading.Event(), [0]

    def change():
        client = redis.Redis.from_url(agentdb.env["REDIS_URL"])
        while not stop.is_set():
            rounds[0] += 1
            client.set("rl:experience:3", json.dumps(experience(reward=1_000 + rounds[0])))

    thread = threading.Thread(target=change)
    thread.start()
    try:
        wait_for(lambda: rounds[0] > 0)
        result = agentdb.json("--verify")
    finally:
        stop.set()
        thread.join()
    assert (result["differences"], result["unsettled"]) == ([], 1)
    assert result["kinds"]["experiences"]["equal"] == 19


def free_ports(count):
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


@pytest.fixture
def redis_server(tmp_path):
    """Starts Redis servers with the options that are given; ends them."""
    running = []

    def start(port, *options):
        folder = tmp_path / f"redis-{port or len(running)}"
        folder.mkdir()
        running.append(subprocess.Popen(["redis-server", "--bind", "127.0.0.1", "--dir", str(folder), "--save", "", *options],
                                        stdout=subprocess.DEVNULL))
    yield start
    for process in running:
        process.terminate()
    for process in running:
        process.wait()


def answers(client):
    try:
        return client.ping()
    except redis.RedisError:
        return False


def test_a_redis_cluster(agentdb, redis_server, tmp_path):
    # A cluster's bus listens 10,000 ports above, which must exist.
    ports = [port for port in free_ports(60) if port < 55_000][:3]
    assert len(ports) == 3
    for port in ports:
        redis_server(port, "--port", str(port), "--cluster-enabled", "yes")
    for port in ports:
        wait_for(lambda port=port: answers(redis.Redis(port=port)))
    nodes = [f"127.0.0.1:{port}" for port in ports]
    subprocess.run(["redis-cli", "--cluster", "create", *nodes, "--cluster-yes"], check=True, capture_output=True, timeout=60)
    for port in ports:
        wait_for(lambda port=port: redis.Redis(port=port).execute_command("CLUSTER INFO")["cluster_state"] == "ok")
    cluster = redis.RedisCluster(host="127.0.0.1", port=ports[0])
    for n in range(1_000):
        cluster.set(f"rl:experience:{n}", json.dumps(experience(reward=n)), px=9_000_000 if n % 10 == 0 else None)
    cluster.hset("rl:agent:h", mapping={"a": "b"})
    url = f"redis://127.0.0.1:{ports[1]}"
    result = agentdb.json(REDIS_URL=url)
    assert result["kinds"]["experiences"] == {"redis_keys": 1_000, "rows": 1_000, "quarantined": 0, "left_out": False}
    assert agentdb.sql("SELECT sum(reward), count(expires_at) FROM rl_experiences") == [(sum(range(1_000)), 100)]
    assert agentdb.json("--verify", REDIS_URL=url)["equal"]
    cluster.delete("rl:experience:5")
    assert agentdb.json(REDIS_URL=url)["kinds"]["experiences"]["rows"] == 999

    # A slot whose move somebody has begun and left: it is waited for, visibly, and the others are copied meanwhile.
    cluster.flushall()
    agentdb.sql("TRUNCATE rl_experiences, agent_metadata")
    for n in range(1_000):
        cluster.set(f"rl:experience:{n}", json.dumps(experience(reward=n)))
    here, there = redis.Redis(port=ports[0]), redis.Redis(port=ports[1])
    there.execute_command("CLUSTER SETSLOT", 0, "IMPORTING", here.execute_command("CLUSTER MYID"))
    here.execute_command("CLUSTER SETSLOT", 0, "MIGRATING", there.execute_command("CLUSTER MYID"))
    with open(tmp_path / "stderr.log", "w+") as log:
        run = subprocess.Popen(agentdb.command("--output", "json"), env={**agentdb.env, "REDIS_URL": url},
                               stdout=subprocess.PIPE, stderr=log, text=True)
        wait_for(lambda: "waiting for one slot of the Redis cluster" in (tmp_path / "stderr.log").read_text())
        wait_for(lambda: agentdb.counts() >= 900)
        assert run.poll() is None
        for server in (here, there):
            server.execute_command("CLUSTER SETSLOT", 0, "STABLE")
        out, _ = run.communicate(timeout=60)
    assert run.returncode == 0 and json.loads(out)["kinds"]["experiences"]["rows"] == 1_000


def test_tls_and_a_user_of_few_rights(agentdb, redis_server, tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(key),
                    "-out", str(certificate)], check=True, capture_output=True)
    port = free_ports(1)[0]
    redis_server(port, "--port", "0", "--tls-port", str(port), "--tls-cert-file", str(certificate), "--tls-key-file", str(key),
                 "--tls-auth-clients", "no", "--tls-ca-cert-file", str(certificate))
    admin = redis.Redis(port=port, ssl=True, ssl_ca_certs=str(certificate))
    wait_for(lambda: answers(admin))
    admin.execute_command("ACL", "SETUSER", "reader", "on", ">p%ss@:word", "~rl:*", "-@all", "+@read", "+@connection", "+scan")
    for n in range(500):
        admin.set(f"rl:experience:{n}", json.dumps(experience(reward=n)), px=9_000_000 if n == 7 else None)
    admin.hset("rl:agent:h", mapping={"a": "b"})
    url = f"rediss://reader:p%25ss%40%3Aword@127.0.0.1:{port}"
    result = agentdb.json("--redis-ca-file", certificate, REDIS_URL=url)
    assert (result["kinds"]["experiences"]["rows"], result["kinds"]["agents"]["rows"]) == (500, 1)
    assert agentdb.sql("SELECT redis_key FROM rl_experiences WHERE expires_at IS NOT NULL") == [(b"rl:experience:7",)]
    done = agentdb.run("--redis-ca-file", certificate, REDIS_URL=url.replace("p%25ss", "wrong"))
    assert done.returncode == 2 and "word" not in done.stderr.replace("password", "")
