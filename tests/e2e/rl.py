"""The reinforcement-learning state in both stores, as redis-py and psycopg see it."""

import json

import psycopg
import pytest
import redis

TABLES = ("rl_experiences", "q_values", "policies", "agent_metadata", "agentdb_state", "agentdb_lease", "agentdb_schema")


def learn(value, visits, reward):
    """The Q value after one more reward, to the bit."""
    return value + max(1 / (visits + 1), 0.1) * (reward - value), visits + 1


class Rl:
    def __init__(self, env):
        self.env = env
        self.redis_url, self.postgres_url = env["REDIS_URL"], env["DATABASE_URL"]
        self.redis = redis.Redis.from_url(self.redis_url)

    def sql(self, query, *parameters):
        with psycopg.connect(self.postgres_url) as connection:
            cursor = connection.execute(query, parameters or None)
            return cursor.fetchall() if cursor.description else None

    def forget(self):
        keys = list(self.redis.scan_iter("rl:*", count=10_000))
        for first in range(0, len(keys), 1000):
            self.redis.delete(*keys[first:first + 1000])
        for table in TABLES:
            self.sql(f"DROP TABLE IF EXISTS {table} CASCADE")

    def _redis_values(self, kind):
        keys = list(self.redis.scan_iter(f"rl:{kind}:*", count=10_000))
        return {key: json.loads(value) for key, value in zip(keys, self.redis.mget(keys))} if keys else {}

    def redis_experiences(self):
        """{key: everything but the version}"""
        return {key: {name: part for name, part in value.items() if name != "version"}
                for key, value in self._redis_values("experience").items()}

    def redis_values(self):
        """{(agent, state, action): (value, visits)}"""
        return {(one["agent_id"], one["state_hash"], one["action"]): (one["value"], one["visits"])
                for one in self._redis_values("qvalue").values()}

    def postgres_experiences(self):
        rows = self.sql("SELECT redis_key, agent_id, state, action, reward, next_state, done,"
                        " extract(epoch FROM occurred_at)::float8, extra FROM rl_experiences")
        names = ("agent_id", "state", "action", "reward", "next_state", "done", "timestamp")
        return {row[0]: {name: part for name, part in zip(names, row[1:8]) if name != "next_state" or part is not None} | (row[8] or {})
                for row in rows}

    def postgres_values(self):
        rows = self.sql("SELECT agent_id, state_hash, action, value, visits FROM q_values")
        return {tuple(row[:3]): tuple(row[3:]) for row in rows}

    def owed(self):
        return self.redis.hlen("rl:control:owed")


@pytest.fixture
def rl(env):
    stores = Rl(env)
    stores.forget()
    yield stores
    stores.forget()
