"""Sends a steady mix of requests to a recommendation-engine until it is told to stop: traffic.py ADDRESS FILE.ndjson

Searches, writes of what is there already, look-ups, recommendations and feedback on them, eight at a time, of the media in the first 200 lines of the
file. On SIGTERM it ends with a line that says how it went; exit code 1 when a request failed.
"""

import http.client
import json
import random
import signal
import statistics
import sys
import threading
import time
import urllib.parse

CLIENTS = 8
PAUSE = 0.01


class Client(threading.Thread):
    def __init__(self, address, films, stop, number):
        super().__init__()
        self.address, self.films, self.stop, self.chance = address, films, stop, random.Random(number)
        self.took, self.failures = [], []
        self.feedback = None

    def run(self):
        host, _, port = self.address.rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=30)
        while not self.stop.wait(PAUSE):
            started = time.perf_counter()
            try:
                connection.request(*self.next_request())
                answer = connection.getresponse()
                body = answer.read()
                if answer.status >= 400:
                    self.failures.append(f"{answer.status} {body[:200]!r}")
                elif b'"decision"' in body:
                    self.judge(json.loads(body))
            except (OSError, http.client.HTTPException) as failed:
                self.failures.append(repr(failed))
                connection.close()
            self.took.append(time.perf_counter() - started)

    def judge(self, recommended):
        """Users who do not exist like one of the strategies better than the others."""
        likes = ("vector", "graph", "hybrid")[int(self.user[-1]) % 3] == recommended["strategy"]
        reward = 1 if self.chance.random() < (0.8 if likes else 0.2) else 0
        self.feedback = {"user_id": self.user, "decision": recommended["decision"], "reward": reward}

    def next_request(self):
        if self.feedback:
            feedback, self.feedback = self.feedback, None
            return "POST", "/v1/feedback", json.dumps(feedback)
        kind = self.chance.random()
        film = self.chance.choice(self.films)
        path = "/v1/media/" + urllib.parse.quote(str(film["id"]), safe="")
        if kind < 0.5:
            return "GET", path + "/similar?k=10"
        if kind < 0.7:
            return "PUT", path, json.dumps(film)
        if kind < 0.9:
            return "GET", path
        self.user = f"user-{self.chance.randrange(500):04}"
        return "POST", "/v1/recommendations", json.dumps({"user_id": self.user, "k": 5})


def read_films(address, file):
    """What the traffic writes is what is there already."""
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    films = []
    with open(file, encoding="utf-8") as lines:
        names = [json.loads(line)["id"] for _, line in zip(range(200), lines)]
    for name in names:
        connection.request("GET", "/v1/media/" + urllib.parse.quote(name, safe=""))
        film = json.loads(connection.getresponse().read())
        films.append({key: value for key, value in film.items() if key not in ("embedding", "embedding_version")})
    return films


def main():
    address, file = sys.argv[1:3]
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    clients = [Client(address, read_films(address, file), stop, number) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    while not stop.wait(1):  # with a limit, or Python would not see the signal
        pass
    for client in clients:
        client.join()
    took = [one for client in clients for one in client.took]
    failures = [one for client in clients for one in client.failures]
    cuts = statistics.quantiles(took, n=100)
    print(f"{len(took):,} requests while the modes were turned, {len(failures)} failed; half within {1000 * cuts[49]:.1f} ms, "
          f"95 % within {1000 * cuts[94]:.1f} ms")
    for failure in failures[:5]:
        print(f"  failed: {failure}")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
