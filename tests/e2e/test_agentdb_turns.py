"""AGENTDB_MODE from redis through dual to postgres and back, under traffic, with everything killed on the way: every
feedback that was acknowledged is there once."""

import collections
import contextlib
import http.client
import random
import signal
import subprocess
import threading
import time

import pytest
from conftest import wait_for
from rl import rl  # noqa: F401 (fixture)
from test_engine import DIMENSION, engine_path, start, vector  # noqa: F401 (fixtures)

CLIENTS = 4
USERS = [f"user-{n}" for n in range(12)]
STATES = ["viewings=1-4", "viewings=5-19"]
ACTIONS = ["vector", "graph", "hybrid"]


class Traffic:
    """Clients that send feedback to any replica, and the same again until it is acknowledged."""

    def __init__(self, replicas, seed, prefix=""):
        self.replicas, self.stop, self.failed = replicas, threading.Event(), []
        self.prefix = prefix
        self.sent = [[] for _ in range(CLIENTS)]  # (user, state, action, reward, id), acknowledged
        self.refusals = collections.Counter()
        self.threads = [threading.Thread(target=self.run, args=(n, random.Random(seed + n))) for n in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def run(self, number, chance):
        try:
            while not self.stop.is_set():
                one = (chance.choice(USERS), chance.choice(STATES), chance.choice(ACTIONS), chance.choice([-1, -0.3, 0.1, 0.7, 1]),
                       f"{self.prefix}{number}-{len(self.sent[number])}")
                self.send_until_acknowledged(one, chance)
                self.sent[number].append(one)
        except AssertionError as failed:
            self.failed.append(failed)

    def send_until_acknowledged(self, one, chance):
        user, state, action, reward, name = one
        end = time.monotonic() + 60
        while True:
            answer = None
            with contextlib.suppress(OSError, http.client.HTTPException):
                answer = chance.choice(self.replicas).request("POST", "/v1/feedback", {
                    "user_id": user, "state": state, "action": action, "reward": reward, "feedback_id": name})
                if answer.status == 200:
                    return
                assert answer.status == 503, answer
                self.refusals[answer.json["detail"]] += 1
            assert time.monotonic() < end, f"not acknowledged for a minute: {one} {answer}"
            self.stop.wait(0.02)

    def count(self):
        return sum(map(len, self.sent))

    def goes_on(self, more=100):
        """Waits until so many more were acknowledged."""
        want = self.count() + more
        wait_for(lambda: self.failed or self.count() >= want)
        assert not self.failed, self.failed

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()
        assert not self.failed, self.failed
        return [one for mine in self.sent for one in mine]


class Replicas:
    """Two, each with a configuration file of its own, which SIGHUP makes it read."""

    def __init__(self, start_one, folder, mode):
        self.files = [folder / f"replica-{n}.yaml" for n in range(2)]
        for file in self.files:
            self.write(file, mode)
        self.engines = [start_one("neo4j_only", "--config", file) for file in self.files]

    @staticmethod
    def write(file, mode):
        file.write_text(f"agentdb:\n  mode: {mode}\n")

    def turn(self, mode):
        for file, engine in zip(self.files, self.engines):
            self.write(file, mode)
            if engine.process.poll() is None:
                engine.signal(signal.SIGHUP)

    def wait_until_in(self, mode):
        for engine in self.engines:
            wait_for(lambda: engine.status()["agentdb_mode"] == mode)

    def kill_and_start(self, number):
        self.engines[number].kill()
        self.engines[number].start()


class Killer:
    """Kills a replica in the middle of a handover, as soon as a store says that the primary moves, or has moved."""

    def __init__(self, rl, replicas, number):
        self.rl, self.replicas, self.number = rl, replicas, number
        self.before = self.primary()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def primary(self):
        return self.rl.redis.get("rl:control:primary"), self.rl.sql("SELECT primary_store FROM agentdb_state")

    def watch(self):
        end = time.monotonic() + 30
        while time.monotonic() < end and self.primary() == self.before:
            pass
        self.replicas.engines[self.number].kill()

    def strike(self):
        self.thread.join()
        assert self.primary() != self.before
        self.replicas.engines[self.number].start()


@pytest.fixture
def restart(stack, rl):
    """Kills a server and starts it."""
    def restart_one(server):
        stack("kill", server)
        stack("start", server)

    assert rl.redis.config_get("appendfsync") == {"appendfsync": "always"}, "Redis must keep what it acknowledges"
    return restart_one


@pytest.fixture
def migrate_agentdb(migrate, env, tmp_path):
    def run(*arguments):
        done = subprocess.run([migrate, "migrate-agentdb", *arguments], env=env, cwd=tmp_path, capture_output=True, text=True,
                              timeout=100, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return run


def expected(sent):
    """{(user, state, action): visits} and the keys of the experiences."""
    visits = collections.Counter((user, state, action) for user, state, action, _, _ in sent)
    keys = {f"rl:experience:feedback:{user}:{name}".encode(): reward for user, _, _, reward, name in sent}
    assert len(keys) == len(sent)
    return visits, keys


def check(experiences, values, sent):
    visits, keys = expected(sent)
    assert {key: one["reward"] for key, one in experiences.items()} == keys
    assert {key: count for key, (_, count) in values.items()} == dict(visits)


def test_nothing_is_lost_on_the_way_to_postgresql_and_back(start, media, rl, restart, migrate_agentdb, tmp_path):  # noqa: F811
    seed = random.randrange(1 << 30)
    print("seed", seed)
    media.create([{"id": "one", "title": "One", "embedding": vector(1)}])
    rl.redis.set("rl:qvalue:old:viewings=1-4:vector",
                 '{"agent_id": "old", "state_hash": "viewings=1-4", "action": "vector", "value": 0.5, "visits": 3}')
    replicas = Replicas(start, tmp_path, "redis")
    traffic = Traffic(replicas.engines, seed)
    try:
        traffic.goes_on()
        restart("redis")
        traffic.goes_on()

        replicas.turn("dual")
        replicas.wait_until_in("dual")
        traffic.goes_on()
        replicas.turn("postgres")  # too early: PostgreSQL lacks what was written in mode redis
        wait_for(lambda: "migrate-agentdb" in (replicas.engines[0].status()["agentdb_refused"] or ""))
        assert replicas.engines[0].status()["agentdb_mode"] == "dual"
        replicas.turn("dual")
        migrate_agentdb()
        restart("postgres")
        traffic.goes_on()

        killer = Killer(rl, replicas, 0)
        replicas.turn("postgres")
        killer.strike()
        replicas.wait_until_in("postgres")
        traffic.goes_on()
        restart("postgres")
        restart("redis")
        traffic.goes_on()

        replicas.turn("dual")  # too early: Redis lacks what came since
        wait_for(lambda: "--reverse" in (replicas.engines[1].status()["agentdb_refused"] or ""))
        assert replicas.engines[1].status()["agentdb_primary"] == "postgres"
        traffic.goes_on()
        killer = Killer(rl, replicas, 1)
        migrate_agentdb("--reverse")  # and the turn that waits goes on by itself
        killer.strike()
        replicas.wait_until_in("dual")
        traffic.goes_on()
        restart("redis")
        traffic.goes_on()
    finally:
        sent = traffic.end()
        print(len(sent), "acknowledged; refused in between:", dict(traffic.refusals))

    wait_for(lambda: rl.owed() == 0)
    old = ("old", "viewings=1-4", "vector")
    in_redis, in_postgres = rl.redis_values(), rl.postgres_values()
    assert in_redis == in_postgres and in_redis.pop(old) == (0.5, 3)
    left, right = rl.redis_experiences(), rl.postgres_experiences()
    assert left.keys() == right.keys()
    for key, one in left.items():
        assert one == right[key], (key, one, right[key], rl.redis.get(key))
    check(rl.redis_experiences(), in_redis, sent)

    replicas.turn("redis")
    replicas.wait_until_in("redis")
    more = Traffic(replicas.engines, seed + 1000, "more")
    more.goes_on()
    sent += more.end()
    in_redis = rl.redis_values()
    del in_redis[old]
    check(rl.redis_experiences(), in_redis, sent)
