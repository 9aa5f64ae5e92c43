"""A few questions to a recommendation-engine, for scripts: ask_engine.py ADDRESS QUESTION [ARGUMENT...]

  wait-for-mode MODE       until /status says so
  wait-for-agentdb MODE    likewise, of what is learnt
  wait-for-source SOURCE   until searches are answered by milvus or neo4j
  latency                  of searches, store by store, and how far both agree
  recommend USER           five films with reasons
"""

import http.client
import json
import sys
import time

PATIENCE = 120


def ask(address, method, path, body=None):
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    connection.request(method, path, json.dumps(body) if body is not None else None)
    answer = connection.getresponse()
    text = answer.read().decode()
    if answer.status >= 400:
        sys.exit(f"error: {method} {path} was answered {answer.status}: {text}")
    return text


def wait_until(condition, what):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            sys.exit(f"error: {what} did not come to pass in {PATIENCE} s")
        time.sleep(0.1)


def read_metrics(address):
    values = {}
    for line in ask(address, "GET", "/metrics").splitlines():
        if not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            values[name] = float(value)
    return values


def quantile(values, store, share):
    """Upper bound of the bucket in which the share lies, in ms."""
    prefix = 'crossover_search_duration_seconds_bucket{store="' + store + '",le="'
    buckets = sorted((float(name[len(prefix):-2].replace("+Inf", "inf")), count)
                     for name, count in values.items() if name.startswith(prefix))
    if not buckets or buckets[-1][1] == 0:
        return None
    return next(1000 * bound for bound, count in buckets if count >= share * buckets[-1][1])


def latency(address):
    values = read_metrics(address)
    print(f"{'searches of':<12} {'count':>8} {'mean':>9} {'half within':>12} {'95 % within':>12}")
    for store in ("neo4j", "milvus"):
        count = values.get(f'crossover_search_duration_seconds_count{{store="{store}"}}', 0)
        if count:
            mean = 1000 * values[f'crossover_search_duration_seconds_sum{{store="{store}"}}'] / count
            print(f"{store:<12} {count:>8,.0f} {mean:>6.1f} ms {quantile(values, store, 0.5):>9.1f} ms"
                  f" {quantile(values, store, 0.95):>9.1f} ms")
    compared = values.get("crossover_shadow_overlap_count", 0)
    if compared:
        print(f"{compared:,.0f} answers were compared: {100 * values['crossover_shadow_overlap_sum'] / compared:.1f} % of the films"
              " are the same")


def recommend(address, user):
    answer = json.loads(ask(address, "POST", "/v1/recommendations", {"user_id": user, "k": 5}))
    print(f"For {user} (strategy {answer['strategy']}):")
    for film in answer["results"]:
        print(f"  {film.get('title', film['id'])[:40]:<40} {film.get('year', ''):>4}  {film['reason']}")


def main():
    address, question, *arguments = sys.argv[1:]
    if question == "wait-for-mode":
        wait_until(lambda: json.loads(ask(address, "GET", "/status"))["storage_mode"] == arguments[0], "the mode")
    elif question == "wait-for-agentdb":
        wait_until(lambda: json.loads(ask(address, "GET", "/status"))["agentdb_mode"] == arguments[0], "the mode")
    elif question == "wait-for-source":
        path = "/v1/media/the-matrix-1999/similar?k=1"
        wait_until(lambda: json.loads(ask(address, "GET", path))["source"] == arguments[0], "an answer of that store")
    elif question == "latency":
        latency(address)
    else:
        recommend(address, arguments[0])


if __name__ == "__main__":
    main()
