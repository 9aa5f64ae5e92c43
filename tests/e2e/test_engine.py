"""recommendation-engine in its four modes on real servers, judged by the official clients."""

import math
import os
import random
import signal
import socket
import subprocess
import threading
import time

import pytest
from conftest import ROOT, float32, wait_for
from engine import Engine

DIMENSION = 8


def vector(seed):
    chance = random.Random(seed)
    return [chance.uniform(-1, 1) for _ in range(DIMENSION)]


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


@pytest.fixture(scope="session")
def engine_path(migrate):
    path = os.environ.get("CROSSOVER_ENGINE", os.path.join(os.path.dirname(migrate), "recommendation-engine"))
    assert os.access(path, os.X_OK), f"{path} is not there: build first"
    return path


@pytest.fixture
def start(engine_path, env, media, milvus, tmp_path):
    """Starts engines on the test's own label and collection; each is stopped at the end."""
    media.make_ids_unique()
    engines = []

    def start_one(mode, *arguments, **changes):
        what = ["--label", media.label, "--collection", media.collection, "--properties", "title,year",
                "--dimension", DIMENSION, "--storage-mode", mode]
        engines.append(Engine(engine_path, env, tmp_path, f"engine-{len(engines)}", *what, *arguments, **changes))
        return engines[-1]

    yield start_one
    for engine in engines:
        engine.close()
    media("MATCH (n) WHERE n:EmbeddingChange OR n:EngineReplica DELETE n")


@pytest.fixture
def films(media):
    rows = [{"id": f"film-{n:03}", "title": f"Film {n}", "year": 1950 + n, "embedding": vector(n), "embedding_version": 1}
            for n in range(100)]
    media.create(rows)
    return {row["id"]: row for row in rows}


def outbox(media):
    return media("MATCH (c:EmbeddingChange) RETURN count(c) AS n")[0]["n"]


def epoch_of(media):
    return media("MATCH (e:CaptureEpoch {collection: $collection}) RETURN e.number AS n", collection=media.collection)[0]["n"]


def settled(media):
    return wait_for(lambda: outbox(media) == 0 or None, 120)


def nearest(films, wanted, k):
    return sorted(films, key=lambda name: -cosine(films[name]["embedding"], wanted))[:k]


def both(media, milvus):
    """What both stores hold, which must be the same."""
    milvus.load()
    neo4j_rows, milvus_rows = media.rows(("title", "year")), milvus.rows(("title", "year"))
    assert milvus_rows == neo4j_rows
    return neo4j_rows


# -- the API, in the mode that needs least --


def test_items_are_put_read_and_deleted(start, films, media):
    engine = start("neo4j_only")
    name = 'a/b "c" \\ \n 🎬?x=1#'
    made = engine.put(name, title="Neu", year=2024, embedding=vector(1000))
    assert made.status == 201, made
    assert made.json["id"] == name
    shown = engine.get(name).json
    assert shown["title"] == "Neu" and shown["year"] == 2024 and shown["embedding"] == vector(1000)
    assert shown["embedding_version"] == made.json["embedding_version"]

    changed = engine.put(name, title="Anders")
    assert changed.status == 200, changed
    assert changed.json["embedding_version"] > made.json["embedding_version"]
    shown = engine.get(name).json
    assert shown["title"] == "Anders" and "year" not in shown and shown["embedding"] == vector(1000)
    stored = media("MATCH (m:LABEL {id: $id}) RETURN properties(m) AS all", id=name)[0]["all"]
    assert set(stored) == {"id", "title", "embedding", "embedding_version"}

    assert engine.delete(name).status == 204
    assert engine.get(name).status == 404
    assert engine.delete(name).status == 404
    assert outbox(media) == 0, "neo4j_only captures nothing"


def test_searches_of_neo4j_are_exact(start, films, media):
    engine = start("neo4j_only")
    wanted = vector("wanted")
    answer = engine.search(wanted, k=7).json
    assert answer["source"] == "neo4j"
    assert [hit["id"] for hit in answer["results"]] == nearest(films, wanted, 7)
    for hit in answer["results"]:
        assert hit["score"] == pytest.approx(cosine(films[hit["id"]]["embedding"], wanted), abs=1e-6)
        assert hit["title"] == films[hit["id"]]["title"]
    some = {name: film for name, film in films.items() if 1970 <= film["year"] < 1990}
    answer = engine.search(wanted, k=5, filter={"year": {"gte": 1970, "lt": 1990}}).json
    assert [hit["id"] for hit in answer["results"]] == nearest(some, wanted, 5)


def test_similar_never_shows_the_item_itself(start, films):
    engine = start("neo4j_only")
    answer = engine.request("GET", engine.media_path("film-007", "/similar?k=5")).json
    others = {name: film for name, film in films.items() if name != "film-007"}
    assert [hit["id"] for hit in answer["results"]] == nearest(others, films["film-007"]["embedding"], 5)
    assert engine.request("GET", engine.media_path("no-such", "/similar")).status == 404


def test_a_vector_index_of_neo4j_is_used(start, films, media):
    media(f"CREATE VECTOR INDEX `v_LABEL` FOR (m:LABEL) ON m.embedding OPTIONS {{indexConfig: "
          f"{{`vector.dimensions`: {DIMENSION}, `vector.similarity_function`: 'cosine', `vector.quantization.enabled`: false}}}}")
    media("CALL db.awaitIndexes(60)")
    engine = start("neo4j_only")
    assert engine.status()["neo4j_vector_index"] == f"v_{media.label}"
    wanted = vector("wanted")
    assert [hit["id"] for hit in engine.search(wanted, k=7).json["results"]] == nearest(films, wanted, 7)
    some = {name: film for name, film in films.items() if film["year"] == 1955}
    answer = engine.search(wanted, k=5, filter={"year": 1955}).json
    assert [hit["id"] for hit in answer["results"]] == nearest(some, wanted, 5)
    media("DROP INDEX `v_LABEL`")
    assert [hit["id"] for hit in engine.search(wanted, k=7).json["results"]] == nearest(films, wanted, 7)
    assert engine.status()["neo4j_vector_index"] is None


@pytest.mark.parametrize("method, path, body, status, part", [
    ("PUT", "/v1/media/x", "{", 400, "not JSON"),
    ("PUT", "/v1/media/x", '{"embedding": [NaN]}', 400, "not JSON"),
    ("PUT", "/v1/media/x", '{"embedding": [1, 2]}', 422, "has 2 values, expected 8"),
    ("PUT", "/v1/media/x", '{"embedding": [0, 0, 0, 0, 0, 0, 0, 0]}', 422, "no direction"),
    ("PUT", "/v1/media/x", '{"titel": "x"}', 422, "is title meant?"),
    ("PUT", "/v1/media/x", '{"year": "x"}', 422, "year must be an integer"),
    ("POST", "/v1/search", '{"embedding": [1, 2, 3, 4, 5, 6, 7, 8], "k": 1000000000000}', 422, "from 1 to 1000"),
    ("POST", "/v1/search", '{"k": 5}', 422, "is missing"),
    ("GET", "/v1/media/film-001/similar?k=x", None, 422, "k must be"),
    ("GET", "/v1/media/film-001/similar?filter=%7B%22year%20or%20true%22%3A1%7D", None, 422, "no property"),
    ("GET", "/v1/nothing", None, 404, ""),
    ("POST", "/v1/media/x", "{}", 405, ""),
    ("GET", "/v1/media/%ff", None, 400, ""),
    ("PUT", "/v1/media/" + "x" * 9000, "{}", 422, "1 to 8000 bytes"),
])
def test_bad_requests_are_refused_with_a_reason(start, films, media, method, path, body, status, part):
    engine = start("neo4j_only")
    before = media("MATCH (m:LABEL) RETURN count(m) AS n, sum(m.embedding_version) AS versions")[0]
    answer = engine.request(method, path, body)
    assert answer.status == status, answer
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json["status"] == status and part in answer.json["detail"], answer
    assert media("MATCH (m:LABEL) RETURN count(m) AS n, sum(m.embedding_version) AS versions")[0] == before
    assert engine.request("GET", "/healthz").status == 200


INJECTIONS = ['" or 1 == 1 or title == "', "' OR 1=1 //", "\\", "`}) DETACH DELETE m //", "$id", "\\u0022 or true", "{", "]"]


@pytest.mark.parametrize("mode", ["neo4j_only", "hybrid"])
def test_no_string_is_ever_code(start, films, media, milvus, tool, mode):
    if mode == "hybrid":
        tool.what[-1] = "title,year"
        tool.copy("--dimension", DIMENSION)
    engine = start(mode)
    wait_for(lambda: engine.request("GET", "/readyz").status == 200)
    for text in INJECTIONS:
        answer = engine.search(vector(5), filter={"title": text})
        assert answer.status == 200 and answer.json["results"] == [], (text, answer)
        assert engine.put(text, title=text, embedding=vector(5)).status in (200, 201)
        assert engine.get(text).json["title"] == text
        found = wait_for(lambda text=text: [hit["id"] for hit in engine.search(vector(5), filter={"title": text}).json["results"]])
        assert found == [text]
        assert engine.delete(text).status == 204
    assert media("MATCH (m:LABEL) RETURN count(m) AS n")[0]["n"] == len(films)


UNFIT = {
    "no-direction": ([0.0] * DIMENSION, "has no direction, which the COSINE metric needs"),
    "too-small": ([1e-30] * DIMENSION, "has no direction, which the COSINE metric needs"),
    "too-great": ([1e20] * DIMENSION, "has no direction, which the COSINE metric needs"),
    "no-number": ([math.nan] + [1.0] * (DIMENSION - 1), "has a value that is not finite as a float32"),
    "no-float32": ([1e39] + [1.0] * (DIMENSION - 1), "has a value that is not finite as a float32"),
    "short": ([1.0, 2.0], "has 2 values, not 8"),
}


@pytest.mark.parametrize("indexed", [False, True])
def test_similar_says_what_is_wrong_with_the_items_own_embedding(start, films, media, indexed):
    media.create([{"id": name, "title": name, "year": 1, "embedding": embedding} for name, (embedding, _) in UNFIT.items()]
                 + [{"id": "words", "title": "w", "year": 1, "embedding": ["a"] * DIMENSION}])
    if indexed:
        media(f"CREATE VECTOR INDEX `v_LABEL` FOR (m:LABEL) ON m.embedding OPTIONS {{indexConfig: "
              f"{{`vector.dimensions`: {DIMENSION}, `vector.similarity_function`: 'cosine', `vector.quantization.enabled`: false}}}}")
        media("CALL db.awaitIndexes(60)")
    engine = start("neo4j_only")
    for name, (_, why) in UNFIT.items():
        answer = engine.request("GET", engine.media_path(name, "/similar"))
        assert answer.status == 409, (name, answer)
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json["detail"].startswith(f"The item's own embedding {why}"), answer
    assert engine.request("GET", engine.media_path("words", "/similar")).status == 404, "no embedding"
    assert "embedding" not in engine.get("words").json
    assert engine.put("no-direction", title="mended", year=1, embedding=films["film-007"]["embedding"]).status == 200
    answer = engine.request("GET", engine.media_path("no-direction", "/similar?k=5")).json
    assert [hit["id"] for hit in answer["results"]] == nearest(films, films["film-007"]["embedding"], 5)
    if indexed:
        media("DROP INDEX `v_LABEL`")


@pytest.mark.parametrize("mode", ["neo4j_only", "shadow_milvus"])
def test_a_bad_embedding_is_left_out_and_counted(start, films, media, milvus, tool, mode):
    """Beside the comparison in the background, too, which it must not break."""
    if mode == "shadow_milvus":
        tool.what[-1] = "title,year"
        tool.copy("--dimension", DIMENSION)
    media.create([{"id": "zero", "title": "z", "year": 1, "embedding": [0.0] * DIMENSION},
                  {"id": "infinite", "title": "i", "year": 1, "embedding": [math.inf] + [1.0] * (DIMENSION - 1)},
                  {"id": "text", "title": "t", "year": 1, "embedding": "x"}])
    engine = start(mode, *(["--shadow-share", 1] if mode == "shadow_milvus" else []))
    if mode == "shadow_milvus":
        wait_for(lambda: engine.search(vector(1)).json["source"] == "milvus")
        before = engine.metric("crossover_shadow_overlap_count")
        answer = engine.search(vector("wanted"), k=7).json
        assert answer["source"] == "milvus"
        assert [hit["id"] for hit in answer["results"]] == nearest(films, vector("wanted"), 7)
        wait_for(lambda: engine.metric("crossover_shadow_overlap_count") > before)
        assert engine.metric("crossover_shadow_overlap_sum") == engine.metric("crossover_shadow_overlap_count")
        assert engine.metric("crossover_shadow_skipped_total") == 0
    else:
        answer = engine.search(vector("wanted"), k=7)
        assert answer.status == 200, answer
        assert [hit["id"] for hit in answer.json["results"]] == nearest(films, vector("wanted"), 7)
    wait_for(lambda: engine.metric("crossover_search_left_out") == 3)
    assert f"event=exact_search left_out=3 label={media.label}" in engine.log()


# -- the modes --


def test_dual_write_brings_each_change_to_milvus(start, films, media, milvus, tool):
    tool.what[-1] = "title,year"
    tool.copy("--dimension", DIMENSION)
    engine = start("dual_write")
    assert engine.put("film-001", title="Changed", year=1, embedding=vector(2001)).status == 200
    assert engine.put("film-002", title="Only the title").status == 200
    assert engine.put("new", title="New", year=2, embedding=vector(2002)).status == 201
    assert engine.delete("film-003").status == 204
    settled(media)
    rows = media.rows(("title", "year"))
    found = milvus.rows(("title", "year"))
    assert found["film-002"][3] == 0, "Milvus 2.3 has no null: a property that went away is the type's zero"
    rows["film-002"] = (*rows["film-002"][:3], 0)
    assert found == rows
    assert found["film-001"][1] == float32(vector(2001)) and "film-003" not in found and "new" in found
    assert engine.search(vector(7)).json["source"] == "neo4j"
    assert engine.metric('crossover_dual_write_total{result="success"}') == 4
    assert engine.metric("crossover_outbox_depth") == 0


def test_hybrid_searches_milvus_alone(start, films, media, milvus, tool, stack):
    tool.what[-1] = "title,year"
    tool.copy("--dimension", DIMENSION)
    engine = start("hybrid")
    wait_for(lambda: engine.request("GET", "/readyz").status == 200)
    wanted = vector("wanted")
    answer = engine.search(wanted, k=7).json
    assert answer["source"] == "milvus"
    assert [hit["id"] for hit in answer["results"]] == nearest(films, wanted, 7)
    for hit in answer["results"]:
        assert hit["score"] == pytest.approx(cosine(films[hit["id"]]["embedding"], wanted), abs=1e-5)
        assert hit["title"] == films[hit["id"]]["title"]
    some = {name: film for name, film in films.items() if 1970 <= film["year"] < 1990}
    answer = engine.search(wanted, k=5, filter={"year": {"gte": 1970, "lt": 1990}}).json
    assert [hit["id"] for hit in answer["results"]] == nearest(some, wanted, 5)
    answer = engine.request("GET", engine.media_path("film-007", "/similar?k=5")).json
    others = {name: film for name, film in films.items() if name != "film-007"}
    assert answer["source"] == "milvus"
    assert [hit["id"] for hit in answer["results"]] == nearest(others, films["film-007"]["embedding"], 5)

    pid = stack.pid("milvus")
    os.kill(pid, signal.SIGSTOP)
    try:
        answers = [engine.search(wanted) for _ in range(6)]
        assert {answer.status for answer in answers} == {503}
        assert "Milvus" in answers[-1].json["detail"]
        wait_for(lambda: engine.request("GET", "/readyz").status == 503)
        assert engine.put("during", title="d", year=1, embedding=vector(1)).status == 201
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_for(lambda: engine.search(wanted).status == 200)
    settled(media)
    both(media, milvus)


def test_what_milvus_has_no_score_for_is_left_out(start, films, milvus, tool):
    """Rows without a direction, of a release that did not refuse them."""
    tool.what[-1] = "title,year"
    tool.copy("--dimension", DIMENSION)
    bad = {"great": 1e20, "small": 1e-30, "denormal": 1e-42}
    milvus.upsert([{"id": name, "embedding": [value] * DIMENSION, "embedding_version": 1, "title": name, "year": 1}
                   for name, value in bad.items()])
    rows = wait_for(lambda: (found := milvus.client.search(milvus.collection, [vector(1)], limit=200, consistency_level="Strong")[0])
                    and len(found) > len(films) and found)
    assert any(not math.isfinite(row["distance"]) for row in rows), "the server that this is for"
    scoreless = {row["id"] for row in rows if not math.isfinite(row["distance"])}
    engine = start("hybrid")
    wait_for(lambda: engine.request("GET", "/readyz").status == 200)

    def found():
        results = engine.search(vector(1), k=200).json["results"]
        assert all(hit["score"] is not None for hit in results)
        return {hit["id"] for hit in results}

    # Its searches may be some seconds behind.
    wait_for(lambda: found() == {row["id"] for row in rows} - scoreless)
    for name in scoreless:
        similar = wait_for(lambda name=name: (answer := engine.request("GET", engine.media_path(name, "/similar"))).status != 404 and answer)
        assert similar.status == 409 and "has no direction" in similar.json["detail"], similar


def test_shadow_compares_and_falls_back(start, films, media, milvus, tool, stack):
    tool.what[-1] = "title,year"
    tool.copy("--dimension", DIMENSION)
    engine = start("shadow_milvus", "--shadow-share", 1)
    for n in range(20):
        answer = wait_for(lambda n=n: engine.search(vector(n), k=5)).json
        assert answer["source"] == "milvus"
    wait_for(lambda: engine.metric("crossover_shadow_overlap_count") == 20)
    assert engine.metric("crossover_shadow_overlap_sum") == 20
    assert engine.metric('crossover_shadow_score_difference_bucket{le="1e-05"}') == 20

    pid = stack.pid("milvus")
    os.kill(pid, signal.SIGSTOP)
    try:
        for n in range(10):
            from_ = time.monotonic()
            answer = engine.search(vector(n), k=5)
            assert answer.status == 200 and answer.json["source"] == "neo4j", answer
            assert time.monotonic() - from_ < 10.5, "half a second for Milvus, then Neo4j's deadline"
            assert [hit["id"] for hit in answer.json["results"]] == nearest(films, vector(n), 5)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert engine.metric("crossover_search_fallback_total") == 10
    wait_for(lambda: engine.search(vector(1)).json["source"] == "milvus")


def test_milvus_away_for_a_minute_in_dual_write_fails_nothing_and_loses_nothing(start, films, media, milvus, tool, stack):
    tool.what[-1] = "title,year"
    tool.copy("--dimension", DIMENSION)
    engine = start("dual_write")

    def counted():
        return sum(engine.metric(f'crossover_dual_write_total{{result="{result}"}}') for result in ("success", "failure", "deferred"))

    assert engine.put("film-099", title="before", year=1, embedding=vector(99)).status == 200
    wait_for(lambda: engine.metric('crossover_dual_write_total{result="success"}') == 1)
    stack("kill", "milvus")
    depths = []
    try:
        away_since, changes = time.monotonic(), 0
        while time.monotonic() < away_since + 60:
            n = changes % 50
            assert engine.put(f"film-{n:03}", title=f"T{changes}", year=n, embedding=vector(3000 + changes)).status == 200
            assert engine.search(vector(n)).status == 200
            changes += 1
            time.sleep(0.02)  # traffic of some fifty changes a second
            if changes % 100 == 0:
                depths.append(engine.metric("crossover_outbox_depth"))
        for n in range(50, 60):
            assert engine.delete(f"film-{n:03}").status == 204
        wait_for(lambda: engine.metric("crossover_outbox_depth") == changes + 10)
        wait_for(lambda: counted() == 1 + changes + 10)
        assert engine.metric('crossover_dual_write_total{result="success"}') == 1
        assert depths == sorted(depths) and depths[-1] > 0
        wait_for(lambda: engine.metric("crossover_milvus_up") == 0)
        assert engine.request("GET", "/readyz").status == 200
        log = engine.log()
        assert "event=dual_write result=failure" in log and "event=milvus_error" in log
    finally:
        stack("start", "milvus")
    settled(media)
    wait_for(lambda: engine.metric("crossover_outbox_depth") == 0)
    assert len(both(media, milvus)) == 90


def test_what_a_killed_engine_owed_is_paid_by_another(start, films, media, milvus, tool, stack):
    tool.what[-1] = "title,year"
    tool.copy("--dimension", DIMENSION)
    first, second = start("dual_write"), start("dual_write")
    pid = stack.pid("milvus")
    os.kill(pid, signal.SIGSTOP)
    try:
        for n in range(20):
            assert first.put(f"film-{n:03}", title=f"T{n}", year=n, embedding=vector(4000 + n)).status == 200
        first.kill()
    finally:
        os.kill(pid, signal.SIGCONT)
    settled(media)
    both(media, milvus)
    assert second.metric("crossover_reconciled_total") > 0


def test_the_mode_is_turned_by_sighup_under_traffic(start, films, media, milvus, tool, tmp_path):
    tool.what[-1] = "title,year"
    config = tmp_path / "config.yaml"

    def write_mode(mode):
        config.write_text(f"storage:\n  mode: {mode}\nmedia:\n  label: {media.label}\n  collection: {media.collection}\n"
                          f"  properties: [title, year]\n  dimension: {DIMENSION}\n")

    write_mode("neo4j_only")
    engine = start("neo4j_only")  # by flag, which beats the file
    engine.signal(signal.SIGHUP)
    engine.close()
    engine.command = [engine.command[0], "--listen", "127.0.0.1:0", "--config", str(config)]
    engine.start()
    assert engine.status()["storage_mode"] == "neo4j_only"
    assert str(config) in engine.status()["storage_mode_from"]

    failures, stop, written = [], threading.Event(), {}

    def traffic(worker):
        chance = random.Random(worker)
        while not stop.is_set():
            name = f"w{worker}-{chance.randrange(30)}"
            answer = engine.put(name, title=name, year=1, embedding=vector(chance.random()))
            if answer.status not in (200, 201):
                failures.append(answer)
            else:
                written[name] = answer.json["embedding_version"]
            answer = engine.search(vector(chance.random()), k=3)
            if answer.status != 200:
                failures.append(answer)
            if chance.random() < 0.2:
                answer = engine.delete(name)
                if answer.status != 204:
                    failures.append(answer)
                written.pop(name, None)

    threads = [threading.Thread(target=traffic, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    try:
        def turn(mode):
            write_mode(mode)
            engine.signal(signal.SIGHUP)
            wait_for(lambda: engine.status()["storage_mode"] == mode)

        turn("dual_write")
        wait_for(lambda: media("MATCH (r:EngineReplica) RETURN r.mode AS mode")[0]["mode"] == "dual_write")
        tool.copy("--dimension", DIMENSION)
        turn("shadow_milvus")
        wait_for(lambda: engine.search(vector(1)).json["source"] == "milvus")
        turn("hybrid")
        wait_for(lambda: engine.metric('crossover_search_duration_seconds_count{store="milvus"}') > 20)
        turn("shadow_milvus")
        turn("dual_write")
        epoch = epoch_of(media)
        turn("neo4j_only")
        wait_for(lambda: engine.metric("crossover_outbox_depth") == 0)
        turn("dual_write")
        assert epoch_of(media) == epoch + 2  # entered and left
        tool.copy("--dimension", DIMENSION)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures, failures[:3]
    settled(media)
    rows = both(media, milvus)
    assert {name: row[0] for name, row in rows.items() if name.startswith("w")} == written


def test_a_copy_is_refused_while_a_replica_does_not_capture(start, films, media, tool):
    engine = start("neo4j_only")
    done = tool.run("migrate-embeddings", "--output", "json")
    assert done.returncode == 5 and "neo4j_only" in done.stdout + done.stderr
    engine.close()
    assert media("MATCH (r:EngineReplica) RETURN count(r) AS n")[0]["n"] == 0, "who ends takes its name off"
    tool.copy()


# -- answers kept in Redis --


def kept(answer):
    assert answer.status == 200, answer
    return answer.headers.get("X-Cache")


def test_answers_are_kept_until_something_changes(start, films, media, milvus, tool):
    tool.what[-1] = "title,year"
    tool.copy()
    one, other = (start("hybrid", "--cache-secs", 60) for _ in range(2))
    wait_for(lambda: one.request("GET", "/readyz").status == 200)
    wanted = vector(5003)
    first = one.search(wanted, k=5)
    assert kept(first) == "miss"
    assert kept(one.search(wanted, k=5)) == kept(other.search(wanted, k=5)) == "hit", "replicas share them"
    assert other.search(wanted, k=5).json == first.json
    assert kept(one.search(wanted, k=6)) == "miss", "another question"
    # Whoever changes something, and whatever: what is found afterwards is new.
    assert one.put("the-one", title="The One", year=1999, embedding=wanted).status == 201
    settled(media)
    found = wait_for(lambda: (answer := other.search(wanted, k=5)).json["results"][0]["id"] == "the-one" and answer)
    assert found.json["results"][0]["score"] == pytest.approx(1)
    wait_for(lambda: kept(other.request("GET", "/v1/media/film-000/similar?k=3")) == "hit")
    assert kept(one.request("GET", "/v1/media/film-000/similar?k=3")) == "hit"
    assert other.delete("the-one").status == 204
    settled(media)
    wait_for(lambda: one.search(wanted, k=5).json["results"] == first.json["results"])
    assert other.metric('crossover_cache_total{result="hit"}') >= 2


def test_without_redis_it_works_uncached(start, films):
    engine = start("neo4j_only", "--cache-secs", 60, REDIS_URL="redis://127.0.0.1:1/0")
    for _ in range(6):
        assert kept(engine.search(vector(1), k=3)) == "miss"
        assert engine.put("film-000", title="t", year=1, embedding=vector(2)).status == 200
    assert engine.metric('crossover_cache_total{result="unavailable"}') == 6


# -- as a service --


def test_a_copy_notices_an_engine_that_did_not_capture_meanwhile(start, films, media, milvus, tool):
    tool.what[-1] = "title,year"
    media.create([{"id": f"more-{n:04}", "title": "more", "year": n, "embedding": vector(n)} for n in range(3000)])
    copy = tool.start("migrate-embeddings", "--output", "json", "--batch-size", "100", "--rate-limit", "600")
    tool.wait_until_copied(copy, 200)
    engine = start("neo4j_only")
    assert engine.put("film-000", title="uncaptured", year=1, embedding=vector(5000)).status == 200
    engine.close()
    tool.finish(copy)
    assert tool.progress()["epoch"] == epoch_of(media)
    assert both(media, milvus)["film-000"][2:] == ("uncaptured", 1)


def test_what_nobody_spoke_of_is_found_by_a_scan(start, films, media, milvus, tool):
    """Changed, deleted and created around the engine, and a row that nobody ever had."""
    tool.what[-1] = "title,year"
    tool.copy()
    media("MATCH (m:LABEL {id: 'film-001'}) SET m.title = 'around', m.embedding_version = 7")
    media("MATCH (m:LABEL {id: 'film-002'}) DELETE m")
    media.create([{"id": "new", "title": "new", "year": 1, "embedding": vector(7), "embedding_version": 3}])
    milvus.upsert([{"id": "ghost", "embedding": vector(8), "embedding_version": 1, "title": "ghost", "year": 1}])
    engine = start("dual_write", "--anti-entropy-secs", 1)
    wait_for(lambda: engine.metric("crossover_repaired_total") >= 4)
    settled(media)
    assert both(media, milvus)["film-001"][2] == "around"
    assert "event=anti_entropy" in engine.log()


def test_a_client_that_dawdles_is_sent_away_and_holds_up_nobody(start, films):
    engine = start("neo4j_only")
    host, _, port = engine.address.rpartition(":")
    slow = [socket.create_connection((host, int(port))) for _ in range(20)]
    for n, connection in enumerate(slow):
        connection.sendall([b"POST /v1/search HT", b"POST /v1/search HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n{"][n % 2])
    assert engine.search(vector(1), k=3).status == 200
    for connection in slow:
        connection.settimeout(60)
        rest = b""
        while part := connection.recv(4096):
            rest += part
        assert rest == b"" or b" 408 " in rest.split(b"\r\n")[0], rest
        connection.close()
    assert engine.search(vector(1), k=3).status == 200


def test_sigterm_ends_it_cleanly_with_requests_under_way(start, films):
    engine = start("neo4j_only")
    answers, errors = [], []

    def ask():
        try:
            answers.append(engine.search(vector(1), k=5).status)
        except OSError as refused:  # came after the end
            errors.append(refused)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    engine.signal(signal.SIGTERM)
    for thread in threads:
        thread.join()
    assert engine.process.wait(30) == 0
    assert set(answers) <= {200}


def test_a_token_is_required_off_loopback(engine_path, env, media):
    done = subprocess.run([engine_path, "--listen", "0.0.0.0:0"], env={**os.environ, **env}, capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 2 and "SERVICE_TOKEN" in done.stderr, done.stderr


def test_a_token_guards_all_but_the_probes(start, films):
    engine = start("neo4j_only", SERVICE_TOKEN="opensesame-7")
    assert engine.request("GET", "/healthz").status == 200
    assert engine.request("GET", "/readyz").status == 200
    for headers in ({}, {"Authorization": "Bearer opensesame-8"}, {"Authorization": "Basic b3BlbnNlc2FtZS03"}):
        answer = engine.request("GET", "/status", headers=headers)
        assert answer.status == 401 and "opensesame" not in repr(answer) and answer.headers["WWW-Authenticate"] == "Bearer"
    assert engine.request("GET", "/status", headers={"Authorization": "Bearer opensesame-7"}).status == 200
    assert "opensesame" not in engine.log()


NOWHERE = {"NEO4J_URI": "bolt://127.0.0.1:1", "MILVUS_URI": "http://127.0.0.1:1"}


@pytest.mark.parametrize("arguments, changes, part", [
    (["--storage-mode", "dual"], {}, "neo4j_only"),
    (["--storage-mode", "hybrid"], {"MILVUS_URI": ""}, "MILVUS_URI"),
    (["--listen", "nowhere"], {}, "host:port"),
    (["--colection", "x"], {}, "--collection"),
    # What Milvus would refuse, and what the API could not show: no server is asked.
    (["--properties", "release date"], NOWHERE, "Give it another name in Milvus: release date=release_date"),
    (["--properties", "RowID"], NOWHERE, "keeps this word for itself"),
    (["--properties", ",".join(f"p{n}" for n in range(70))], NOWHERE, "names 70 properties"),
    (["--collection", "my-movies"], NOWHERE, "--collection must be a name that Milvus takes, not 'my-movies'"),
    (["--dimension", "40000"], NOWHERE, "--dimension must be a whole number from 0 to 32768"),
    (["--properties", "title,reason"], NOWHERE, "'reason' is a name that the HTTP API"),
])
def test_wrong_usage_is_refused(engine_path, env, media, films, arguments, changes, part):
    done = subprocess.run([engine_path, "--label", media.label, *arguments], env={**os.environ, **env, **changes},
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2 and part in done.stderr, done.stderr
    assert done.stdout == ""


def test_the_console_page_is_there_for_anyone_and_loads_nothing_from_elsewhere(start, films):
    answer = start("neo4j_only", SERVICE_TOKEN="opensesame-7").request("GET", "/")
    assert answer.status == 200 and answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert b"http://" not in answer.body and b"https://" not in answer.body and b"opensesame" not in answer.body


def test_every_documented_route_is_there_and_no_other(start, films):
    document = (ROOT / "docs/api/openapi.yaml").read_text()
    routes = []
    for line in document.partition("\npaths:\n")[2].partition("\ncomponents:\n")[0].splitlines():
        if line.startswith("  /"):
            path = line.strip().rstrip(":").replace("{id}", "film-001")
        elif line.startswith("    ") and line.strip().rstrip(":") in ("get", "put", "post", "delete"):
            routes.append((line.strip().rstrip(":").upper(), path))
    assert len(routes) == 12, routes
    engine = start("neo4j_only")
    for method, path in routes:
        if method != "DELETE":
            assert engine.request(method, path, "{}" if method in ("PUT", "POST") else None).status in (200, 422), (method, path)
    allowed = {path: {method for method, one in routes if one == path} for _, path in routes}
    for path, methods in allowed.items():
        answer = engine.request("PATCH", path, "{}")
        assert answer.status == 405 and set(answer.headers["Allow"].split(", ")) - {"HEAD"} == methods, (path, answer)
