"""Many writers on few ids, through two replicas, while a copy runs and everything but Neo4j dies or freezes at random.

CROSSOVER_SEED repeats a run, CROSSOVER_ROUNDS makes it longer.
"""

import http.client
import os
import random
import signal
import threading

import pytest
from conftest import wait_for
from test_engine import both, engine_path, outbox, start, vector  # noqa: F401 (fixtures)

WRITERS = 50
IDS = 200
REST_EVERY = 10


class Traffic:
    """Writers and deleters that go on whatever happens; each change that was acknowledged is counted."""

    def __init__(self, engines, seed):
        self.engines, self.stopping, self.acknowledged, self.failed = engines, threading.Event(), 0, 0
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.write, args=(random.Random(f"{seed}-{n}"),)) for n in range(WRITERS)]
        for thread in self.threads:
            thread.start()

    def write(self, chance):
        while not self.stopping.is_set():
            engine, name = chance.choice(self.engines), f"hot-{chance.randrange(IDS):03}"
            try:
                if chance.random() < 0.3:
                    answer = engine.delete(name)
                else:
                    answer = engine.put(name, title=str(chance.random()), year=chance.randrange(3000),
                                        embedding=vector(chance.random()))
                good = answer.status in (200, 201, 204, 404)
            except (OSError, http.client.HTTPException):
                good = False
                self.stopping.wait(0.05)
            with self.lock:
                self.acknowledged += good
                self.failed += not good
            self.stopping.wait(chance.uniform(0, 0.1))

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()


def test_at_rest_both_stores_are_equal(start, media, milvus, tool, stack):  # noqa: F811
    seed = os.environ.get("CROSSOVER_SEED") or str(random.randrange(10**9))
    rounds = int(os.environ.get("CROSSOVER_ROUNDS", "20"))
    print(f"CROSSOVER_SEED={seed}")
    chance = random.Random(seed)
    media.create([{"id": f"hot-{n:03}", "title": "first", "year": n, "embedding": vector(n), "embedding_version": 1}
                  for n in range(IDS)])
    media.create([{"id": f"still-{n:04}", "title": "still", "year": n, "embedding": vector(n), "embedding_version": 1}
                  for n in range(2000)])
    tool.what[-1] = "title,year"
    engines = [start("dual_write"), start("dual_write")]
    copy = None

    def copying():
        nonlocal copy
        if copy is None or copy.poll() is not None:
            copy = tool.start("migrate-embeddings", "--output", "json", "--batch-size", "50", "--rate-limit", "500")

    def kill_engine():
        engine = chance.choice(engines)
        engine.kill()
        engine.start()

    def freeze_engine():
        engine = chance.choice(engines)
        engine.signal(signal.SIGSTOP)
        threading.Event().wait(chance.uniform(0.5, 3))
        engine.signal(signal.SIGCONT)

    def kill_copy():
        if copy is not None:
            copy.kill()
            copy.wait()

    def freeze_milvus():
        stack("start", "milvus")  # if it did not survive the last time
        pid = stack.pid("milvus")
        os.kill(pid, signal.SIGSTOP)
        threading.Event().wait(chance.uniform(0.5, 6))
        os.kill(pid, signal.SIGCONT)

    def kill_milvus():
        stack("kill", "milvus")
        stack("start", "milvus")

    faults = [kill_engine, freeze_engine, kill_copy, freeze_milvus, kill_milvus]
    weights = [3, 3, 3, 3, 1]
    for first in range(0, rounds, REST_EVERY):
        traffic = Traffic(engines, f"{seed}-{first}")
        try:
            for number in range(first, min(rounds, first + REST_EVERY)):
                copying()
                before = traffic.acknowledged
                wait_for(lambda before=before: traffic.acknowledged > before + 100)
                fault = chance.choices(faults, weights)[0]
                print(f"round {number}: {fault.__name__}, {traffic.acknowledged} acknowledged, {traffic.failed} failed,"
                      f" {outbox(media)} owed")
                fault()
        finally:
            traffic.stop()
        kill_copy()
        stack("start", "milvus")
        tool.copy()
        wait_for(lambda: outbox(media) == 0, 400)
        rows = both(media, milvus)
        assert len(rows) > 2000
        print(f"at rest: {len(rows)} rows, equal")
