#!/usr/bin/env python3
"""The script one would write instead of `migrate migrate-agentdb`: Redis to PostgreSQL with redis-py and psycopg.

SCAN and MGET in batches of 500; each batch goes by executemany with ON CONFLICT, and is committed. No quarantine, no
expiry, no second look. The tables must be there. Reads REDIS_URL and DATABASE_URL; prints one JSON object.
"""

import json
import os
import resource
import time

import psycopg
import redis
from psycopg.types.json import Jsonb

BATCH = 500
INSERT = """
INSERT INTO rl_experiences AS t (redis_key, agent_id, state, action, reward, next_state, done, occurred_at, version)
VALUES (%s, %s, %s, %s, %s, %s, %s, to_timestamp(%s), %s)
ON CONFLICT (redis_key) DO UPDATE SET agent_id = EXCLUDED.agent_id, state = EXCLUDED.state, action = EXCLUDED.action,
  reward = EXCLUDED.reward, next_state = EXCLUDED.next_state, done = EXCLUDED.done, occurred_at = EXCLUDED.occurred_at,
  version = EXCLUDED.version
WHERE t.version <= EXCLUDED.version
"""


def row(key, text):
    value = json.loads(text)
    return (key, value["agent_id"], Jsonb(value["state"]), Jsonb(value["action"]), value["reward"], Jsonb(value.get("next_state")),
            value["done"], value["timestamp"], value.get("version", 0))


def main():
    source = redis.Redis.from_url(os.environ["REDIS_URL"])
    copied, batch, begin = 0, [], time.monotonic()
    with psycopg.connect(os.environ["DATABASE_URL"]) as target:
        def flush():
            nonlocal copied
            rows = [row(key, text) for key, text in zip(batch, source.mget(batch)) if text is not None]
            with target.cursor() as cursor:
                cursor.executemany(INSERT, rows)
            target.commit()
            copied += len(rows)
            batch.clear()

        for key in source.scan_iter("rl:experience:*", count=BATCH):
            batch.append(key)
            if len(batch) == BATCH:
                flush()
        if batch:
            flush()
    seconds = time.monotonic() - begin
    print(json.dumps({"copied": copied, "seconds": seconds, "items_per_second": copied / seconds,
                      "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))


if __name__ == "__main__":
    main()
