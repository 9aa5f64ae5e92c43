"""A Milvus that refuses rows, answers with codes of trouble, or applies what it said had timed out."""

import math
import signal
import threading
import urllib.parse

import pymilvus
import pytest
from conftest import wait_for
from grpc_proxy import GrpcProxy, Once, status
from proxy import Proxy
from test_engine import DIMENSION, engine_path, outbox, settled, start, vector  # noqa: F401 (fixtures)
from test_migrate_embeddings import items

NAN = b"\x00\x00\x00\x00\x00\x00\xf8\x7f"
NAN_REFUSED = "value 'NaN' is not a number or infinity: invalid parameter[expected=number][actual=NaN]"


@pytest.fixture
def through(env):
    """Starts a proxy before Milvus with this rule; the address for the program."""
    proxies = []

    def start_one(rule):
        proxies.append(GrpcProxy(env["MILVUS_URI"], rule))
        return {"MILVUS_URI": proxies[-1].uri}

    yield start_one
    for proxy in proxies:
        proxy.close()


@pytest.fixture
def records(media):
    """What Neo4j keeps of items that are no row: {id: (version, reason)}."""
    def read():
        found = media("MATCH (r:RefusedItem {collection: $of}) RETURN r.media_id AS id, r.version AS version, r.reason AS reason",
                      of=media.collection)
        assert len({row["id"] for row in found}) == len(found)
        return {row["id"]: (row["version"], row["reason"]) for row in found}
    yield read
    media("MATCH (r:RefusedItem {collection: $of}) DELETE r", of=media.collection)


def refuse_nan(call, request, forward):
    """As servers newer than 2.3.5, which take no NaN in a column of floats."""
    return status("Upsert", 1100, NAN_REFUSED, legacy=5) if call == "Upsert" and NAN in request else None


def test_rows_that_milvus_refuses_are_quarantined_alone(media, milvus, tool, through, records):
    media.make_ids_unique()
    rows = items(2500)
    refused = [7, 1200, 1201, *range(2000, 2040)]  # few of a batch, and so many that nothing is taken where they are tried again
    for n, row in enumerate(rows):
        row["rating"] = math.nan if n in refused else n / 7
    media.create(rows)
    bad = [rows[n]["id"] for n in refused]
    newer = through(refuse_nan)
    tool.what[-1] = "title,rating"
    result = tool.copy("--batch-size", "500", code=4, **newer)
    assert (result["read"], result["copied"], result["quarantined"]) == (2500, 2457, 43)
    told = {line["id"]: line for line in tool.bad_items()}
    assert set(told) == set(bad)
    for line in told.values():
        assert line["reason"] == "refused_by_server" and NAN_REFUSED in line["detail"]
    version = {row["id"]: row["embedding_version"] for row in rows}
    assert records() == {name: (version[name], "refused_by_server") for name in bad}
    expected = {name: row for name, row in media.rows(("title", "rating")).items() if name not in bad}
    assert milvus.rows(("title", "rating")) == expected

    report = tool.validate("--full-scan", **newer)
    assert (report["quarantined"], report["missing"], report["passed"]) == (43, 0, True)
    # Nor does a repair end at them.
    media("MATCH (r:RefusedItem {collection: $of}) DELETE r", of=media.collection)
    tool.validate("--full-scan", "--fix-inconsistencies", **newer)
    assert set(records()) == set(bad)
    # The same command again judges them anew, and says the same.
    result = tool.copy("--batch-size", "500", code=4, **newer)
    assert (result["read"], result["copied"], result["quarantined"]) == (2500, 2457, 43)
    assert {line["id"] for line in tool.bad_items()} == set(bad)
    # Mended, one of them without a new version: a row again, and nothing is left of the records.
    media("MATCH (m:LABEL) WHERE m.id IN $ids SET m.rating = 1.0", ids=bad)
    assert tool.copy(**newer)["copied"] == 2500
    assert records() == {} and milvus.rows(("title", "rating")) == media.rows(("title", "rating"))


def test_rows_are_judged_after_conversion_against_the_collection_as_it_is(env, media, milvus, tool, records):
    """A list that is too long as text, and a collection of somebody else's with shorter fields."""
    media.make_ids_unique()
    rows = items(20)
    rows[3]["title"] = ["x" * 1000] * 70
    rows[4]["title"] = "ö" * 40000
    media.create(rows)
    result = tool.copy(code=4)
    assert (result["copied"], result["quarantined"]) == (18, 2)
    assert {line["id"]: line["reason"] for line in tool.bad_items()} == {
        rows[n]["id"]: "property_too_long" for n in (3, 4)}
    assert "title has 80000 bytes, Milvus takes 65535" in {line["detail"] for line in tool.bad_items()}
    assert set(records()) == {rows[3]["id"], rows[4]["id"]}

    milvus.drop()
    for file in (tool.checkpoint, tool.quarantine):
        file.unlink()
    milvus.create(8, id_bytes=12, title_bytes=16)
    media("MATCH (m:LABEL) WHERE m.id IN $ids SET m.title = 'short'", ids=[rows[3]["id"], rows[4]["id"]])
    media("MATCH (m:LABEL {id: $id}) SET m.title = 'one that is seventeen'", id=rows[5]["id"])
    media("MATCH (m:LABEL {id: $id}) SET m.id = 'longer-than-twelve', m.title = 'x'", id=rows[6]["id"])
    shown = tool.run("preflight")
    assert shown.returncode == 5 and f"2 items do not fit collection {media.collection}, which is there already: " in shown.stdout, shown.stdout
    result = tool.copy(code=4)
    assert (result["copied"], result["quarantined"]) == (18, 2)
    assert {line["id"]: (line["reason"], line["detail"]) for line in tool.bad_items()} == {
        rows[5]["id"]: ("property_too_long", "title has 21 bytes, the collection takes 16"),
        "longer-than-twelve": ("id_too_long", "18 bytes, the collection takes 12")}
    assert tool.validate("--full-scan")["quarantined"] == 2


@pytest.mark.parametrize("call, codes", [
    ("Upsert", [(507, True), (4711, False)]),  # each is settled as a timeout, which takes its time
    ("Delete", [(2200, True)]),
    ("Query", [(110, True), (1002, True), (604, False)]),
    ("Flush", [(305, True), (1302, False)]),
    ("LoadCollection", [(505, True), (1003, True)])])
def test_codes_that_pass_are_ridden_out(media, milvus, tool, through, call, codes):
    media.make_ids_unique()
    rows = items(300)
    rows[9]["embedding"] = [0.0] * 8
    media.create(rows)
    tool.copy(code=4)
    for file in (tool.checkpoint, tool.quarantine):
        file.unlink()  # a copy anew: it upserts all, deletes the invalid one, flushes, loads, sweeps
    left = list(codes)

    def rule(name, request, forward):
        if name != call or not left:
            return None
        code, retriable = left.pop()
        return status(call, code, "shards are being moved", retriable)

    result = tool.copy(code=4, **through(rule))
    assert left == []
    assert (result["copied"], result["quarantined"]) == (299, 1)
    expected = media.rows()
    del expected[rows[9]["id"]]
    assert milvus.rows() == expected


def test_a_validation_rides_out_codes_that_pass(media, milvus, tool, through):
    media.make_ids_unique()
    media.create(items(50))
    tool.copy()
    for code, retriable in [(110, True), (507, True), (604, False)]:
        once = Once({"Query": status("Query", code, "shards are being moved", retriable)}, after=0)
        assert tool.validate("--full-scan", **through(once))["passed"] is True
        assert once.answers == {}


@pytest.mark.parametrize("code, reason", [(65535, "proxy TaskCondition context Done"), (10001, "context deadline exceeded")])
def test_a_deadline_that_milvus_reports_is_an_unknown_outcome(media, milvus, tool, through, code, reason):
    """The write is applied all the same, here some calls later: after the item had been changed and written anew."""
    media.make_ids_unique()
    media.create(items(400))
    late = []

    def rule(call, request, forward):
        if call != "Upsert":
            return None
        if len(late) == 0:
            late.append(forward)
            media("MATCH (m:LABEL) WITH m ORDER BY m.id LIMIT 100 SET m.title = 'changed',"
                  " m.embedding_version = m.embedding_version + 1000")
            return status("Upsert", code, reason)
        if len(late) == 1:
            late.append(None)
            late[0]()
        return None

    process = tool.start("migrate-embeddings", "--output", "json", "--batch-size", "100", **through(rule))
    wait_for(lambda: late)
    result = tool.finish(process)
    assert (result["copied"], result["quarantined"]) == (400, 0) and result["errors_ridden_out"] > 0
    assert milvus.rows() == media.rows()


def test_a_refused_change_holds_up_nobody(start, media, milvus, through, records):  # noqa: F811
    """The innocent changes of its batch go through, the breaker stays closed, and anti-entropy owes nothing."""
    def rule(call, request, forward):
        cursed = call == "Upsert" and b"cursed" in request
        return status(call, 1100, "no cursed titles: invalid parameter", legacy=5) if cursed else None

    engine = start("dual_write", "--anti-entropy-secs", "1", **through(rule))
    for n in range(30):
        title = "cursed" if n % 10 == 3 else f"Film {n}"
        assert engine.put(f"film-{n:02}", title=title, embedding=vector(n)).status == 201
    settled(media)
    bad = {f"film-{n:02}" for n in (3, 13, 23)}
    assert set(records()) == bad
    assert {reason for _, reason in records().values()} == {"refused_by_server"}
    assert engine.metric('crossover_errors_total{kind="rejected",system="milvus"}') == 0
    assert engine.metric("crossover_milvus_up") == 1
    assert engine.log().count("result=quarantined") >= 3 and "no cursed titles" in engine.log()

    index = pymilvus.MilvusClient.prepare_index_params("embedding", index_type="HNSW", metric_type="COSINE",
                                                       params={"M": 16, "efConstruction": 256})
    milvus.client.create_index(milvus.physical(), index)
    milvus.load()
    assert set(milvus.rows()) == {f"film-{n:02}" for n in range(30)} - bad
    def looks():
        return [row for row in engine.log().splitlines() if "event=anti_entropy result=done" in row]

    wait_for(lambda: looks() and "matched=27 quarantined=3 different=0" in looks()[-1])
    done, repaired = len(looks()), engine.metric("crossover_repaired_total")
    wait_for(lambda: len(looks()) >= done + 2)
    assert all("matched=27 quarantined=3 different=0" in row for row in looks()[done:])
    assert engine.metric("crossover_repaired_total") == repaired and outbox(media) == 0
    # Mended, it is a row, and the record goes.
    assert engine.put("film-03", title="blessed", embedding=vector(3)).status == 200
    settled(media)
    assert set(records()) == bad - {"film-03"}
    assert milvus.rows()["film-03"][2] == "blessed"


def test_an_outbox_of_refused_changes_alone_is_emptied(start, media, milvus, through, records):  # noqa: F811
    def rule(call, request, forward):
        return status(call, 1100, "no cursed titles: invalid parameter", legacy=5) if call == "Upsert" and b"cursed" in request else None

    engine = start("dual_write", MILVUS_URI="http://127.0.0.1:1")
    for n in range(40):
        assert engine.put(f"film-{n:02}", title="cursed", embedding=vector(n)).status == 201
    assert engine.put("last", title="innocent", embedding=vector(1)).status == 201
    engine.close()
    media("MATCH (c:EmbeddingChange {collection: $of}) SET c.lease = 1", of=media.collection)
    start("dual_write", **through(rule))
    settled(media)
    assert set(records()) == {f"film-{n:02}" for n in range(40)}


def test_a_collection_that_was_made_anew_with_another_field_loses_nothing(start, media, milvus, records):  # noqa: F811
    """Every upsert is refused then, and it is no row that is wrong."""
    engine = start("dual_write", "--properties", "title")
    assert engine.put("first", title="First", embedding=vector(1)).status == 201
    settled(media)
    milvus.drop()
    milvus.create(DIMENSION, fields={"added": pymilvus.DataType.INT64})
    assert engine.put("second", title="Second", embedding=vector(2)).status == 201
    wait_for(lambda: "event=milvus_error kind=conflict" in engine.log())
    assert records() == {} and outbox(media) == 1


def test_a_search_whose_deadline_milvus_reports_is_503(start, media, milvus, through):  # noqa: F811
    ill = []

    def rule(call, request, forward):
        return status("Search", 65535, "proxy TaskCondition context Done") if call == "Search" and ill else None

    engine = start("hybrid", **through(rule))
    assert engine.put("film", title="One", embedding=vector(1)).status == 201
    wait_for(lambda: engine.search(vector(1), k=1).status == 200)
    ill.append(True)
    searches = [engine.search(vector(1), k=1).status for _ in range(20)]
    assert searches == [503] * 20
    # It is no sign of life: after three of them the breaker lets none through for a while.
    asked = engine.metric('crossover_errors_total{kind="timeout",system="milvus"}')
    assert 3 <= asked < 20
    ill.clear()
    wait_for(lambda: engine.search(vector(1), k=1).status == 200)


@pytest.mark.parametrize("code, reason", [(65535, "proxy TaskCondition context Done"), (10001, "context deadline exceeded")])
def test_a_deadline_that_milvus_reports_leaves_the_change_in_the_outbox(start, media, milvus, through, code, reason):  # noqa: F811
    """The write is applied all the same, some calls later: after the item had been changed and written anew."""
    late = []

    def rule(call, request, forward):
        if call == "Upsert" and b"first" in request and not late:
            late.append(forward)
            return status("Upsert", code, reason)
        return None

    engine = start("dual_write", **through(rule))
    assert engine.put("film", title="first", embedding=vector(1)).status == 201
    wait_for(lambda: engine.metric('crossover_dual_write_total{result="failure"}') == 1)
    assert outbox(media) == 1, "nobody knows what became of it"
    assert engine.metric('crossover_errors_total{kind="timeout",system="milvus"}') == 1
    assert engine.metric('crossover_dual_write_total{result="quarantined"}') == 0
    assert engine.put("film", title="second", embedding=vector(2)).status == 200
    wait_for(lambda: engine.metric('crossover_dual_write_total{result="success"}') == 1)
    late[0]()  # the first one lands now: an old row
    settled(media)  # by the reconciler, when the lease of the first has ended
    assert engine.metric("crossover_reconciled_total") == 1
    index = pymilvus.MilvusClient.prepare_index_params("embedding", index_type="HNSW", metric_type="COSINE",
                                                       params={"M": 16, "efConstruction": 256})
    milvus.client.create_index(milvus.physical(), index)
    milvus.load()
    assert milvus.rows(("title", "year"))["film"][2] == "second"


def test_writes_that_time_out_while_milvus_answers_otherwise_keep_the_breaker_open(start, media, milvus, through):  # noqa: F811
    ill = [True]

    def rule(call, request, forward):
        return status("Upsert", 65535, "proxy TaskCondition context Done") if call == "Upsert" and ill else None

    where = through(rule)
    engine = start("dual_write", **where)
    looks = []

    def is_down():
        looks.append(engine.metric("crossover_milvus_up"))
        return looks[-1] == 0

    for n in range(200):
        assert engine.put(f"film-{n:03}", title="t", year=n, embedding=vector(n)).status == 201
        if is_down():
            break
    wait_for(is_down)
    # From now on it is down until a write was taken, though each probe is answered.
    depths, looks = set(), []
    assert engine.status()["milvus_asked"] is False
    wait_for(lambda: is_down() and False or depths.add(engine.metric("crossover_outbox_oldest_seconds")) or len(depths) >= 12)
    assert set(looks) == {0}, looks
    assert engine.metric('crossover_dual_write_total{result="success"}') == 0
    ill.clear()
    settled(media)
    wait_for(lambda: engine.metric("crossover_milvus_up") == 1)
    assert engine.status()["milvus_asked"] is True


def test_an_outage_that_took_no_write_along_is_over_with_the_first_answer(start, media, milvus, through):  # noqa: F811
    away = []

    def rule(call, request, forward):
        return status("DescribeCollection", 2, "node is starting") if call == "DescribeCollection" and away else None

    engine = start("dual_write", **through(rule))
    assert engine.put("film", title="t", year=1, embedding=vector(1)).status == 201
    settled(media)
    wait_for(lambda: engine.metric("crossover_milvus_up") == 1)
    away.append(True)
    wait_for(lambda: engine.metric("crossover_milvus_up") == 0)
    away.clear()
    wait_for(lambda: engine.metric("crossover_milvus_up") == 1)
    assert engine.metric('crossover_dual_write_total{result="failure"}') == 0


def test_a_look_that_waits_says_so_and_ends_with_the_mode(start, media, milvus, tool, through, tmp_path):  # noqa: F811
    """A collection that is released while anti-entropy reads it."""
    media.make_ids_unique()
    media.create([{"id": f"film-{n}", "title": "t", "year": n, "embedding": vector(n)} for n in range(5)])
    tool.what[-1] = "title,year"
    tool.copy("--dimension", 8)
    released = [True]

    def rule(call, request, forward):
        return status("Query", 101, "collection not loaded") if call == "Query" and released else None

    config = tmp_path / "config.yaml"

    def write_mode(mode):
        config.write_text(f"storage:\n  mode: {mode}\n")

    def lease():
        return media("MATCH (l:CrossoverLease {name: $name}) RETURN l.owner AS owner", name="anti-entropy " + media.collection)

    write_mode("dual_write")
    where = through(rule)
    engine = start("dual_write", "--anti-entropy-secs", "1", "--config", config, STORAGE_MODE="", **where)
    engine.close()
    engine.command.remove("--storage-mode")
    engine.command.remove("dual_write")
    engine.start()
    waiting = 'event=anti_entropy result=waiting error='
    wait_for(lambda: waiting in engine.log())
    asked = engine.metric('crossover_errors_total{kind="unavailable",system="milvus"}')
    wait_for(lambda: engine.metric('crossover_errors_total{kind="unavailable",system="milvus"}') >= asked + 3)
    assert "collection not loaded" in engine.log()
    since = engine.log().rpartition("event=listening")[2]
    assert since.count(waiting) == 1, "once, for it is the same all the time"
    assert len(lease()) == 1
    write_mode("neo4j_only")
    engine.signal(signal.SIGHUP)
    wait_for(lambda: "event=anti_entropy result=stopped" in engine.log())
    wait_for(lambda: lease() == [])
    assert engine.status()["storage_mode"] == "neo4j_only"


def test_errors_of_neo4j_in_a_look_are_not_milvuss(env, start, media, milvus, tool):  # noqa: F811
    media.make_ids_unique()
    media.create([{"id": f"film-{n}", "title": "t", "year": n, "embedding": vector(n)} for n in range(5)])
    tool.what[-1] = "title,year"
    tool.copy("--dimension", 8)
    target = urllib.parse.urlsplit(env["NEO4J_URI"])
    proxy = Proxy((target.hostname, target.port))
    try:
        engine = start("dual_write", "--anti-entropy-secs", "1", NEO4J_URI=f"bolt://{proxy.address}")
        proxy.hold(b"`embedding_version` ORDER BY")  # the look's scan of Neo4j
        wait_for(proxy.held)
        proxy.cut()
        wait_for(lambda: "event=anti_entropy" in engine.log())
        wait_for(lambda: "event=anti_entropy result=done" in engine.log())
        text = engine.request("GET", "/metrics").body.decode()
        faults = [row for row in text.splitlines() if row.startswith("crossover_errors_total{")]
        assert any('system="neo4j"' in row for row in faults), faults
        assert not any('system="milvus"' in row for row in faults), faults
    finally:
        proxy.close()


def test_a_search_does_not_wait_for_another_thread_that_opens_the_collection(start, media, milvus, through):  # noqa: F811
    released = threading.Event()

    def rule(call, request, forward):
        if call == "ShowCollections":  # a part of opening it
            released.wait()

    def refused():
        answer = engine.search(vector(1), k=1)
        assert answer.status == 503, answer
        return "is still being opened" in engine.log()

    try:
        engine = start("hybrid", **through(rule))
        wait_for(refused)
    finally:
        released.set()
    assert engine.put("film", title="One", embedding=vector(1)).status == 201
    wait_for(lambda: engine.search(vector(1), k=1).status == 200)


def test_what_the_index_is_waited_for_is_said_once(start, media, milvus, through):  # noqa: F811
    refusing = [True]

    def rule(call, request, forward):
        return status("LoadCollection", 305, "no resource group") if call == "LoadCollection" and refusing else None

    engine = start("hybrid", **through(rule))
    assert engine.put("film", title="One", embedding=vector(1)).status == 201
    said = 'event=milvus_index state="waiting for Milvus: '
    wait_for(lambda: said in engine.log())
    assert "no resource group" in engine.log()
    refusing.clear()
    wait_for(lambda: "event=milvus_index state=loaded" in engine.log())
    assert engine.log().count(said) == 1
    assert engine.search(vector(1), k=1).status == 200


def test_a_released_collection_and_a_rate_limit_say_what_to_do(media, milvus, tool, through):
    media.make_ids_unique()
    media.create(items(300))
    tool.copy()
    milvus.client.release_collection(milvus.physical())
    done = tool.run("validate", "--full-scan")
    assert done.returncode == 1, done.stderr
    assert "is not loaded, so it can't be read. Run migrate-embeddings to its end first, or load it." in done.stderr
    assert tool.copy()["copied"] == 300  # which loads it

    tool.checkpoint.unlink()
    limited = [True] * 6

    def rule(call, request, forward):
        if call == "Upsert" and limited:
            limited.pop()
            return status("Upsert", 8, "rate limit exceeded[rate=0.1]", True, 49)
        return None

    process = tool.start("migrate-embeddings", "--output", "json", **through(rule))
    wait_for(lambda: "quotaAndLimits" in tool.log.read_text())
    assert "rate limit exceeded" in tool.log.read_text() and "--rate-limit" in tool.log.read_text()
    assert tool.finish(process)["copied"] == 300
