"""POST /v1/feedback and what is learnt from it, on real servers, judged by redis-py and psycopg."""

import json
import subprocess
import threading
import urllib.parse

import psycopg
import pytest
from conftest import wait_for
from proxy import Proxy
from rl import learn, rl  # noqa: F401 (fixture)
from test_engine import DIMENSION, engine_path, start, vector  # noqa: F401 (fixtures)
from test_recommendations import ask, people  # noqa: F401 (fixtures)

STATE = "viewings=5-19"


@pytest.fixture
def engine(start, media, rl):  # noqa: F811
    media.create([{"id": "one", "title": "One", "embedding": vector(1)}])
    return lambda mode, **changes: start("neo4j_only", AGENTDB_MODE=mode, **changes)


def feedback(engine, user="u", reward=1, state=STATE, action="graph", **more):
    return engine.request("POST", "/v1/feedback", {"user_id": user, "reward": reward, "state": state, "action": action, **more})


def recorded(answer):
    assert answer.status == 200, answer
    return answer.json


def make_primary_postgres(engine_in, rl):
    """As after a handover; there is nothing to hand over."""
    wait_for(lambda: rl.redis.exists("rl:control:primary"))
    rl.redis.delete("rl:control:uncaptured")
    return wait_for(lambda: engine_in.status()["agentdb_primary"] == "postgres")


@pytest.mark.parametrize("mode", ["redis", "dual", "postgres"])
def test_values_are_exact_wherever_they_are(engine, rl, mode):
    served = engine(mode)
    if mode == "postgres":
        make_primary_postgres(served, rl)
    value, visits = 0.0, 0
    rewards = [0.1, 0.7, -0.3, 1, -1, 1 / 3, 0.5, 0.9, 1e-9, 0.25, 0.3, -0.123456789012345, 1]
    for number, reward in enumerate(rewards):
        value, visits = learn(value, visits, reward)
        answer = recorded(feedback(served, reward=reward, media_id=f"film-{number}", next_state="viewings=20-", done=number % 2 == 1))
        assert answer == {"value": value, "visits": visits, "recorded": True, "store": "postgres" if mode == "postgres" else "redis"}
    assert recorded(feedback(served, reward=0.5, action="vector", media_id=7))["value"] == 0.5
    want = {("u", STATE, "graph"): (value, visits), ("u", STATE, "vector"): (0.5, 1)}
    if mode != "postgres":
        assert rl.redis_values() == want
        held = rl.redis_experiences()
        assert rl.redis.exists("rl:control:uncaptured"), "PostgreSQL lacks it, or nobody knows"
    if mode == "dual":
        wait_for(lambda: rl.owed() == 0)
        assert rl.postgres_experiences() == held
    if mode != "redis":
        assert rl.postgres_values() == want
        held = rl.postgres_experiences()
    assert sorted(one["reward"] for one in held.values()) == sorted([*rewards, 0.5])
    for one in held.values():
        assert (one["agent_id"], one["state"]) == ("u", STATE)
        if one["media_id"] == 7:
            assert "next_state" not in one and one["action"] == "vector" and one["done"] is False
        else:
            number = int(one["media_id"].removeprefix("film-"))
            assert one["next_state"] == "viewings=20-" and one["done"] == (number % 2 == 1) and one["reward"] == rewards[number]
    store = "postgres" if mode == "postgres" else "redis"
    assert served.metric(f'crossover_feedback_total{{result="recorded",store="{store}"}}') == len(rewards) + 1
    assert served.metric(f'crossover_agentdb_mode{{mode="{mode}"}}') == 1
    status = served.status()
    assert (status["agentdb_mode"], status["agentdb_primary"], status["agentdb_refused"]) == (mode, store, None)
    assert status["agentdb_mode_from"] == "AGENTDB_MODE in the environment"


@pytest.mark.parametrize("mode", ["dual", "postgres"])
def test_the_same_feedback_counts_once_for_each_user(engine, rl, mode):
    served = engine(mode)
    if mode == "postgres":
        make_primary_postgres(served, rl)
    assert recorded(feedback(served, reward=0.5, feedback_id="a.1"))["recorded"] is True
    again = recorded(feedback(served, reward=-1, feedback_id="a.1"))
    assert (again["recorded"], again["value"], again["visits"]) == (False, 0.5, 1)
    assert recorded(feedback(served, user="v", reward=0.25, feedback_id="a.1"))["recorded"] is True
    want = {("u", STATE, "graph"): (0.5, 1), ("v", STATE, "graph"): (0.25, 1)}
    wait_for(lambda: mode == "postgres" or rl.owed() == 0)
    assert rl.postgres_values() == want
    assert len(rl.postgres_experiences()) == 2


BAD = [
    ("{", 400), ("[]", 422), ("{}", 422), ('{"user_id": "u", "reward": NaN, "decision": "a/graph"}', 400),
    ('{"user_id": "u", "reward": 1e999, "decision": "a/graph"}', 400),
    (b'{"user_id": "\xff", "reward": 1, "decision": "a/graph"}', 400),
    (b'{"user_id": "\xed\xa0\x80", "reward": 1, "decision": "a/graph"}', 400),
    ('{"user_id": "\\ud800", "reward": 1, "decision": "a/graph"}', 400),
    ({"reward": 1.0000001}, 422), ({"reward": -1.5}, 422), ({"reward": "1"}, 422), ({"reward": None}, 422), ({"reward": [1]}, 422),
    ({"user_id": ""}, 422), ({"user_id": 5}, 422), ({"user_id": "x" * 1025}, 422), ({"user_id": "a\0b"}, 422),
    ({"decision": "nothing"}, 422), ({"decision": "a/best"}, 422), ({"decision": "a:b/graph"}, 422), ({"decision": 1}, 422),
    ({"decision": None}, 422), ({"state": "a", "action": "graph"}, 422), ({"state": "a"}, 422),
    ({"next_state": "a b"}, 422), ({"next_state": "a" * 65}, 422), ({"done": "yes"}, 422), ({"done": 1}, 422),
    ({"media_id": ""}, 422), ({"media_id": 1.5}, 422), ({"media_id": "a\0"}, 422), ({"media_id": "x" * 8001}, 422),
    ({"feedback_id": "a:b"}, 422), ({"feedback_id": ""}, 422), ({"feedback_id": 7}, 422), ({"feedbackid": "7"}, 422),
    ({"media_id": "x" * 1_100_000}, 413),
]


def test_what_is_malformed_is_refused_and_changes_nothing(engine, rl):
    served = engine("dual")
    for body, status in BAD:
        if isinstance(body, dict) and body:
            body = {"user_id": "u", "reward": 1, "decision": "a/graph", **body}
        answer = served.request("POST", "/v1/feedback", body)
        assert answer.status == status, (str(body)[:200], answer)
        assert answer.headers["Content-Type"] == "application/problem+json" and answer.json["detail"], body
    assert rl.redis_experiences() == {} and rl.redis_values() == {} and rl.owed() == 0


NASTY = ["'; DROP TABLE rl_experiences; --", 'x","value":9,"y":"', "*", "a:b:c", "%s %d $1 {0}", "\n\r\t\\\"/", "rl:control:primary",
         "]] os.exit() --", "Zoë 🎬 \u2028", "-1", "null", "\x7f\x01"]


@pytest.mark.parametrize("mode", ["dual", "postgres"])
def test_strings_are_only_strings(engine, rl, mode):
    served = engine(mode)
    if mode == "postgres":
        make_primary_postgres(served, rl)
    for text in NASTY:
        recorded(feedback(served, user=text, reward=0.5, media_id=text, feedback_id="1"))
    wait_for(lambda: mode == "postgres" or rl.owed() == 0)
    want = {(text, STATE, "graph"): (0.5, 1) for text in NASTY}
    assert rl.postgres_values() == want
    assert sorted((one["agent_id"], one["media_id"]) for one in rl.postgres_experiences().values()) == sorted(zip(NASTY, NASTY))
    if mode == "dual":
        assert rl.redis_values() == want and rl.redis_experiences() == rl.postgres_experiences()


def test_a_write_and_a_handover_wait_for_each_other(engine, rl):
    served = engine("postgres")
    make_primary_postgres(served, rl)
    answers = []
    with psycopg.connect(rl.postgres_url) as mover:
        rl.sql("UPDATE agentdb_lease SET holder = 'another', held_until = now() + interval '1 hour' WHERE name = 'handover'")
        mover.execute("UPDATE agentdb_state SET primary_store = 'moving'")
        client = threading.Thread(target=lambda: answers.append(feedback(served, reward=0.5)))
        client.start()
        wait_for(lambda: rl.sql("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%%rl_experiences%%'"
                                " AND pid <> pg_backend_pid()"), 10)
        mover.commit()
        wait_for(lambda: served.status()["agentdb_primary"] == "moving")
        assert rl.postgres_experiences() == {} and answers == [], "what waited is refused, and goes on waiting"
        mover.execute("UPDATE agentdb_state SET primary_store = 'postgres'")
        mover.commit()
        client.join()
    assert recorded(answers[0])["visits"] == 1 and len(rl.postgres_experiences()) == 1


def test_postgresql_away_in_dual_fails_no_request(engine, rl, stack):
    served = engine("dual")
    wait_for(lambda: served.status()["agentdb_primary"] == "redis")
    stack("kill", "postgres")
    try:
        for number in range(200):
            recorded(feedback(served, user=f"u{number % 7}", reward=number % 3 - 1, feedback_id=str(number)))
        assert served.request("GET", "/readyz").status == 200
        assert rl.owed() == 207
        wait_for(lambda: served.status()["agentdb_owed"] == 207)
        assert served.metric("crossover_agentdb_owed") == 207
        assert "event=agentdb_error" in served.log()
    finally:
        stack("start", "postgres")
    wait_for(lambda: rl.owed() == 0)
    assert rl.postgres_experiences() == rl.redis_experiences() and len(rl.redis_experiences()) == 200
    assert rl.postgres_values() == rl.redis_values()


def test_without_its_store_the_service_is_not_ready(engine, start, rl):  # noqa: F811
    served = engine("redis", REDIS_URL="redis://127.0.0.1:1/0")
    assert served.request("GET", "/readyz").status == 503
    answer = feedback(served)
    assert answer.status == 503 and answer.headers["Retry-After"] == "1", answer
    nothing = start("neo4j_only", REDIS_URL="", AGENTDB_MODE="")
    assert nothing.request("GET", "/readyz").status == 200
    assert nothing.status()["agentdb_mode"] is None
    answer = feedback(nothing)
    assert answer.status == 503 and "AGENTDB_MODE" in answer.json["detail"], answer


def test_what_others_have_stored_of_a_value_is_kept(engine, rl):
    keys = [f"rl:qvalue:u:{STATE}:{action}" for action in ("vector", "graph", "hybrid")]
    rl.redis.set(keys[0], json.dumps({"agent_id": "u", "state_hash": STATE, "action": "vector", "value": 0.2, "visits": 4,
                                      "note": {"by": "x", "list": [], "big": 0.1234567890123456789}}), ex=1000)
    rl.redis.hset(keys[1], mapping={"agent_id": "u", "state_hash": STATE, "action": "graph", "value": "0.5", "note": "y"})
    rl.redis.set(keys[2], "not json")
    served = engine("dual")
    for _ in range(2):
        recorded(feedback(served, reward=1, action="vector"))
    recorded(feedback(served, reward=-0.5, action="graph"))
    assert feedback(served, action="hybrid").status == 500 and rl.redis.get(keys[2]) == b"not json"
    held = json.loads(rl.redis.get(keys[0]))
    value, visits = learn(*learn(0.2, 4, 1), 1)
    assert (held["value"], held["visits"]) == (value, visits)
    assert held["note"] == {"by": "x", "list": [], "big": 0.12345678901234568} and 0 < rl.redis.ttl(keys[0]) <= 1000
    assert rl.redis.hmget(keys[1], "value", "visits", "note") == [b"-0.5", b"1", b"y"]
    wait_for(lambda: rl.owed() == 0)
    rows = rl.sql("SELECT action, value, visits, extra, expires_at IS NOT NULL FROM q_values ORDER BY action")
    assert rows == [("graph", -0.5, 1, {"note": "y"}, False), ("vector", value, visits, {"note": held["note"]}, True)]


def test_recommendations_follow_what_was_learnt(engine, people, rl):  # noqa: F811
    served = engine("dual")
    user = people("me", war_1=5, war_2=5, odd_2=4, love_1=1, love_2=1)
    first = ask(served, user)
    assert (first["strategy"], first["decision"], first["explored"]) == ("hybrid", f"{STATE}/hybrid", False)
    assert ask(served, user, strategy="vector")["decision"] == f"{STATE}/vector"
    assert "decision" not in ask(served, "nobody")

    def judge(answer, reward):
        return recorded(served.request("POST", "/v1/feedback", {"user_id": user, "reward": reward, "decision": answer["decision"]}))

    judge(first, -1)
    taken = []
    for _ in range(200):
        answer = ask(served, user)
        taken.append((answer["strategy"], answer["explored"]))
        judge(answer, 1 if answer["strategy"] == "graph" else -0.5)
    late = taken[100:]
    assert sum(strategy == "graph" for strategy, _ in late) > 75
    assert all(strategy == "graph" or explored for strategy, explored in late), "what is not the best is exploration"
    assert any(explored for _, explored in late), "it never stops to explore"


@pytest.mark.parametrize("mode", ["dual", "postgres"])
def test_the_users_policy_comes_from_the_primary(engine, people, rl, mode):  # noqa: F811
    served = engine(mode)
    user = people("me", war_1=5, war_2=5)
    people("twin", war_1=5, war_2=5, odd_2=5)
    policy = json.dumps({"co_watched": 0, "same_genre": 10})
    if mode == "postgres":
        make_primary_postgres(served, rl)
        rl.sql("INSERT INTO policies (redis_key, agent_id, policy) VALUES (%s, %s, %s)", f"rl:policy:{user}".encode(), user, policy.encode())
    else:
        rl.redis.set(f"rl:policy:{user}", policy)
    answer = ask(served, user, strategy="graph")
    assert answer["policy"] == "user" and answer["results"][0]["id"] == "war-3"


NAMES = {"agent_id": "who", "state": "seen", "action": "did", "reward": "got", "next_state": "then", "done": "over", "timestamp": "at",
         "state_hash": "seen_hash", "value": "q_value"}
NAMED = ["--key-prefix", "app:", *(part for name, ours in NAMES.items() for part in (
    f"--{'q-value' if name == 'value' else name.replace('_', '-')}-field", ours))]


def named(record):
    return {NAMES.get(name, name): part for name, part in record.items()}


@pytest.fixture
def prefixed(rl):
    """What Redis holds under the keys of a prefix."""
    def forget():
        for key in rl.redis.scan_iter("app:*"):
            rl.redis.delete(key)

    def held(key):
        return json.loads(rl.redis.get("app:" + key))
    forget()
    yield held
    forget()


@pytest.mark.parametrize("mode", ["redis", "dual"])
def test_both_names_of_a_field_are_read_and_the_configured_one_is_written(start, people, rl, prefixed, migrate, env, tmp_path, mode):  # noqa: F811
    usual = people("usual", war_1=5, war_2=5, odd_2=4, love_1=1, love_2=1)
    ours = people("ours", war_1=5, war_2=5, odd_2=4, love_1=1, love_2=1)
    hashed = people("hashed", war_1=5, war_2=5, odd_2=4, love_1=1, love_2=1)

    def qvalue(user, action, value, visits):
        return {"agent_id": user, "state_hash": STATE, "action": action, "value": value, "visits": visits}

    for user in (usual, ours):
        for action, value in (("vector", 0.5), ("graph", -0.5)):
            one = qvalue(user, action, value, 1000)
            rl.redis.set(f"app:rl:qvalue:{user}:{STATE}:{action}", json.dumps({**(one if user == usual else named(one)), "note": "kept"}))
    rl.redis.hset(f"app:rl:qvalue:{hashed}:{STATE}:vector", mapping={**qvalue(hashed, "vector", 0.5, 1000), "note": "kept"})
    rl.redis.hset(f"app:rl:qvalue:{hashed}:{STATE}:graph", mapping=named(qvalue(hashed, "graph", -0.5, 1000)))
    served = start("neo4j_only", *NAMED, AGENTDB_MODE=mode)
    for user in (usual, ours, hashed):
        answer = ask(served, user)  # of whom nothing were known, it would be the usual one: hybrid, and no exploration
        assert (answer["decision"] == f"{STATE}/vector") != answer["explored"], answer

    value, visits = learn(0.5, 1000, 1)
    for user in (usual, ours, hashed):
        assert recorded(feedback(served, user=user, reward=1, action="vector", feedback_id="1", media_id=7, next_state="viewings=20-")) == {
            "value": value, "visits": visits, "recorded": True, "store": "redis"}
    recorded(feedback(served, user=hashed, reward=1, action="graph"))
    recorded(feedback(served, user="new", reward=0.5, action="hybrid"))
    for user in (usual, ours):
        assert {**prefixed(f"rl:qvalue:{user}:{STATE}:vector"), "version": 1} == {
            **named(qvalue(user, "vector", value, visits)), "note": "kept", "version": 1}
        one = prefixed(f"rl:experience:feedback:{user}:1")
        assert one.pop("version") > 0 and one.pop("at") > 1.7e9
        assert one == {"who": user, "seen": STATE, "did": "vector", "got": 1, "then": "viewings=20-", "over": False, "media_id": 7}
    assert {**prefixed(f"rl:qvalue:new:{STATE}:hybrid"), "version": 1} == {**named(qvalue("new", "hybrid", 0.5, 1)), "version": 1}
    held = rl.redis.hgetall(f"app:rl:qvalue:{hashed}:{STATE}:vector")
    assert (float(held[b"q_value"]), int(held[b"visits"]), held[b"note"]) == (value, visits, b"kept") and b"value" not in held
    assert float(rl.redis.hget(f"app:rl:qvalue:{hashed}:{STATE}:graph", "q_value")) == learn(-0.5, 1000, 1)[0]
    assert rl.redis_experiences() == {} and rl.redis_values() == {}, "nothing without the prefix"
    if mode == "redis":
        return

    # PostgreSQL has one name for each, and what it learns comes back under the user's.
    wait_for(lambda: rl.owed() == 0)
    want = {(user, STATE, "vector"): (value, visits) for user in (usual, ours, hashed)} | {
        (hashed, STATE, "graph"): learn(-0.5, 1000, 1), ("new", STATE, "hybrid"): (0.5, 1)}
    assert rl.postgres_values() == want
    one = rl.postgres_experiences()[f"app:rl:experience:feedback:{usual}:1".encode()]
    assert one.pop("timestamp") > 1.7e9 and one == {"agent_id": usual, "state": STATE, "action": "vector", "reward": 1, "done": False,
                                                    "next_state": "viewings=20-", "media_id": 7}
    served.close()

    def run(*arguments):
        done = subprocess.run([migrate, "migrate-agentdb", *arguments, *NAMED], env=env, cwd=tmp_path, capture_output=True, text=True,
                              timeout=100, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    run()
    served = start("neo4j_only", *NAMED, AGENTDB_MODE="postgres")
    wait_for(lambda: served.status()["agentdb_primary"] == "postgres")
    answer = ask(served, usual)
    assert (answer["decision"] == f"{STATE}/vector") != answer["explored"], answer
    more = learn(value, visits, -1)
    assert recorded(feedback(served, user=usual, reward=-1, action="vector", feedback_id="2")) == {
        "value": more[0], "visits": more[1], "recorded": True, "store": "postgres"}
    run("--reverse")
    assert prefixed(f"rl:qvalue:{usual}:{STATE}:vector")["q_value"] == more[0]
    later = learn(0.5, 1, -1)
    recorded(feedback(served, user="new", reward=-1, action="hybrid", feedback_id="3"))  # which the turn carries
    served.close()
    served = start("neo4j_only", *NAMED, AGENTDB_MODE="dual")
    wait_for(lambda: served.status()["agentdb_primary"] == "redis")
    assert {**prefixed(f"rl:qvalue:new:{STATE}:hybrid"), "version": 1} == {**named(qvalue("new", "hybrid", *later)), "version": 1}
    one = prefixed("rl:experience:feedback:new:3")
    assert one.pop("version") > 0 and one.pop("at") > 1.7e9
    assert one == {"who": "new", "seen": STATE, "did": "hybrid", "got": -1, "over": False}
    assert rl.redis_experiences() == {} and rl.redis_values() == {}


def away(url, seconds):
    """A proxy before the server of the URL, whose answers come so much later; and the URL by way of it."""
    parts = urllib.parse.urlsplit(url)
    proxy = Proxy((parts.hostname, parts.port), seconds)
    return proxy, url.replace(f"{parts.hostname}:{parts.port}", proxy.address)


@pytest.mark.parametrize("mode", ["dual", "postgres"])
def test_a_store_at_a_distance_is_asked(engine, people, rl, mode):  # noqa: F811
    """Connecting takes more round trips than a read has time for."""
    setting = "DATABASE_URL" if mode == "postgres" else "REDIS_URL"
    proxy, url = away(rl.postgres_url if mode == "postgres" else rl.redis_url, 0.035)
    served = engine(mode, **{setting: url})
    user = people("me", war_1=5, war_2=5)
    if mode == "postgres":
        make_primary_postgres(served, rl)
        rl.sql("INSERT INTO policies (redis_key, agent_id, policy) VALUES (%s, %s, %s)", f"rl:policy:{user}".encode(), user, b'{"same_genre": 10}')
    else:
        rl.redis.set(f"rl:policy:{user}", '{"same_genre": 10}')
    wait_for(lambda: ask(served, user, strategy="graph")["policy"] == "user", 10)
    assert served.request("GET", "/readyz").json == {"status": "ready"}
    # Too far away for a read: it is said.
    proxy.delay = 0.15
    wait_for(lambda: ask(served, user, strategy="graph")["policy"] != "user" and "note" in served.request("GET", "/readyz").json, 30)
    assert served.request("GET", "/readyz").json["note"] == (
        f"{'PostgreSQL' if mode == 'postgres' else 'Redis'} does not answer within a tenth of a second: recommendations are made without"
        " what was learnt.")
    wait_for(lambda: 'what="read what was learnt, for a recommendation"' in served.log())


def test_a_redis_that_may_forget_is_warned_of(engine, rl):
    assert rl.redis.config_get("appendfsync") == {"appendfsync": "always"}
    try:
        rl.redis.config_set("appendfsync", "everysec")
        served = engine("redis")
        wait_for(lambda: "event=agentdb_warning" in served.log())
        assert "appendfsync=everysec" in served.log()
    finally:
        rl.redis.config_set("appendfsync", "always")
