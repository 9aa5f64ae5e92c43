"""`migrate migrate-embeddings` on real servers: what arrives in Milvus is what Neo4j has, whatever the ids, the data and the flags."""

import json
import math
import random
import signal
import urllib.request

import pymilvus
import pytest
from conftest import wait_for

DIMENSION = 8
STRANGE_IDS = ["", " ", "plain", "it's", 'say "hi"', "back\\slash", "\\", '"', "\\u0041", "new\nline", "tab\t", "\r\n", "%", "a%b_",
               "émile", "日本", "🎬", "👩‍👩‍👧", "a\u0301", "\x01\x1f\x7f", "null", "12", "x" * 8000, "🎬" * 2000]
INTEGER_IDS = [0, 1, -1, 42, 2**53 + 1, -(2**53) - 1, 2**63 - 2, -(2**63)]


def item(media_id, seed=0, dimension=DIMENSION, **more):
    rng = random.Random(seed)
    return {"id": media_id, "title": f"title {seed}", "embedding_version": seed % 3,
            "embedding": [rng.gauss(0, 1) for _ in range(dimension)], **more}


def items(count, **more):
    return [item(f"item-{n:06}", n, **more) for n in range(count)]


@pytest.mark.parametrize("indexed", [True, False], ids=["indexed", "unindexed"])
@pytest.mark.parametrize("ids", [STRANGE_IDS, INTEGER_IDS], ids=["strings", "integers"])
def test_ids_survive_unchanged(media, milvus, tool, ids, indexed):
    if indexed:
        media.make_ids_unique()
    media.create([item(media_id, n) for n, media_id in enumerate(ids)])
    result = tool.copy()
    assert result["copied"] == len(ids)
    assert milvus.rows() == media.rows()
    # ... also through sync(), which asks for ids one by one.
    changed = ids[: len(ids) // 2]
    media("UNWIND $ids AS id MATCH (m:LABEL {id: id}) SET m.title = 'new', m.embedding_version = 77", ids=changed)
    milvus.delete([ids[-2]])
    report = tool.validate("--full-scan", "--fix-inconsistencies")
    assert report["stale_version"] == len(changed) and report["missing"] == 1
    assert report["after_fix"]["passed"] and report["after_fix"]["consistent"] == len(ids)
    assert milvus.rows() == media.rows()


def test_every_item_is_copied_or_quarantined(media, milvus, tool):
    media.make_ids_unique()
    good = items(30)
    nan, infinity = math.nan, math.inf
    vector = good[0]["embedding"]
    bad = {"short": vector[:-1], "long": vector + [1.0], "text": "no list", "words": ["a"] * DIMENSION, "nan": [nan] + vector[1:],
           "infinite": vector[1:] + [infinity], "too big for float32": vector[1:] + [1e39], "zero": [0.0] * DIMENSION}
    media.create(good + [{"id": media_id, "title": "bad", "embedding": value} for media_id, value in bad.items()])
    media.create([{"title": "no id", "embedding": vector}, {"id": 7, "title": "integer id", "embedding": vector}])
    media.create([{"id": f"without-{n}", "title": "nothing to copy"} for n in range(3)])
    media.create([item("very long title", 1, title="x" * 65_536)])
    result = tool.copy(code=4)
    assert {key: result[key] for key in ("read", "copied", "quarantined", "skipped")} == {
        "read": 44, "copied": 30, "quarantined": 11, "skipped": 3}
    foreign = [line for line in tool.bad_items() if line["id"] is None]
    assert sorted(line["reason"] for line in foreign) == ["id_missing", "id_wrong_type"] and all(line["element_id"] for line in foreign)
    assert {line["id"]: line["reason"] for line in tool.bad_items() if line["id"] is not None} == {
        "short": "wrong_dimension", "long": "wrong_dimension", "text": "not_a_list", "words": "not_numeric", "nan": "not_finite",
        "infinite": "not_finite", "too big for float32": "not_finite", "zero": "zero_vector", "very long title": "property_too_long"}
    assert milvus.rows().keys() == {row["id"] for row in good}
    # A quarantined item is not missing; run again, nothing is counted twice.
    assert tool.validate("--full-scan")["quarantined"] >= 8
    again = tool.copy(code=4)
    assert (again["copied"], again["quarantined"], again["skipped"]) == (30, 11, 3)
    assert len(tool.bad_items()) == 11


def test_items_that_went_bad_in_great_number_are_asked_about(media, milvus, tool):
    media.make_ids_unique()
    media.create([{**row, "year": 1979} for row in items(1000)])
    tool.what[-1] = "title,year"
    tool.copy()
    # Some program has made texts of them: of the first half with new versions, which the same job sees.
    media("MATCH (m:LABEL) SET m.year = toString(m.year)")
    media("MATCH (m:LABEL) WHERE m.id < $middle SET m.embedding_version = m.embedding_version + 1", middle=items(1000)[500]["id"])
    for again in (False, True):
        if again:
            tool.checkpoint.unlink()
        done = tool.run("migrate-embeddings")
        assert done.returncode == 5 and "have an item that can't be a row any more" in done.stderr and "--allow-deletes" in done.stderr, done.stderr
        assert milvus.count() == 1000
    assert tool.copy("--allow-deletes", code=4)["quarantined"] == 1000
    assert milvus.count() == 0


def test_an_item_that_went_bad_leaves_milvus(media, milvus, tool):
    media.make_ids_unique()
    media.create(items(20))
    tool.copy()
    media("MATCH (m:LABEL {id: 'item-000003'}) SET m.embedding = [1.0], m.embedding_version = 9")
    media("MATCH (m:LABEL {id: 'item-000004'}) REMOVE m.embedding")
    media("MATCH (m:LABEL {id: 'item-000005'}) DELETE m")
    result = tool.copy(code=4)
    assert (result["copied"], result["quarantined"], result["skipped"]) == (17, 1, 1)
    assert milvus.rows().keys() == {f"item-{n:06}" for n in range(20)} - {f"item-00000{n}" for n in (3, 4, 5)}


def test_duplicate_ids_are_quarantined_each(media, milvus, tool):
    media.create([*items(10), item("twice", 1), item("twice", 2)])
    result = tool.copy(code=4)
    assert (result["copied"], result["quarantined"]) == (10, 2)
    assert [(line["id"], line["reason"]) for line in tool.bad_items()] == [("twice", "id_duplicate")] * 2
    assert "twice" not in milvus.rows()


def test_the_greatest_integer_is_quarantined(media, milvus, tool):
    """Milvus acknowledges a row of that id and never shows it."""
    media.make_ids_unique()
    media.create([item(1), item(2**63 - 1)])
    result = tool.copy(code=4)
    assert (result["copied"], result["quarantined"]) == (1, 1)
    assert tool.bad_items()[0]["reason"] == "id_not_storable"
    assert milvus.rows().keys() == {1}


def test_a_dry_run_reads_all_and_writes_nothing(media, milvus, tool):
    media.make_ids_unique()
    media.create([*items(50), {"id": "bad", "embedding": [1.0]}])
    before = media("MATCH (n) RETURN count(n) AS n")[0]["n"]
    result = tool.copy("--dry-run", code=4)
    assert (result["read"], result["copied"], result["quarantined"]) == (51, 50, 1)
    assert not milvus.exists() and not tool.checkpoint.exists() and not tool.quarantine.exists()
    assert media("MATCH (n) RETURN count(n) AS n")[0]["n"] == before


def test_batches_of_one_and_batches_that_must_be_split(media, milvus, tool):
    media.make_ids_unique()
    # 6,000 x 2,816 floats are 67.6 MB: more than Milvus takes in one request.
    dimension = 2816
    media("UNWIND range(1, 6000) AS n CREATE (m:LABEL {id: toString(n), title: 't'}) WITH m, n "
          "CALL db.create.setNodeVectorProperty(m, 'embedding', [i IN range(1, $dimension) | toFloat(n + i)])", dimension=dimension)
    assert tool.copy("--batch-size", "50000", "--concurrency", "1")["copied"] == 6000
    assert milvus.count() == 6000
    assert tool.validate("--full-scan")["consistent"] == 6000


def test_batches_of_one(media, milvus, tool):
    media.make_ids_unique()
    media.create(items(120))
    assert tool.copy("--batch-size", "1", "--concurrency", "3")["copied"] == 120
    assert milvus.rows() == media.rows()


def test_carried_properties_keep_type_and_value(media, milvus, tool):
    media.make_ids_unique()
    values = [{"flag": True, "count": 2**62, "rating": 0.1, "mixed": 7, "text": 'quote " \\ 🎬'},
              {"flag": False, "count": -1, "rating": 3, "mixed": "seven", "text": ""},
              {"flag": None, "count": None, "rating": None, "mixed": None, "text": None}]
    media.create([item(f"i{n}", n, **row) for n, row in enumerate(values)])
    tool.what[-1] = "flag,count,rating,mixed,text,nowhere"
    tool.copy()
    rows = milvus.rows(("flag", "count", "rating", "mixed", "text", "nowhere"))
    # Milvus 2.3 has no null: the type's zero stands for it.
    assert [rows[f"i{n}"][2:] for n in range(3)] == [
        (True, 2**62, 0.1, "7", 'quote " \\ 🎬', ""), (False, -1, 3.0, "seven", "", ""), (False, 0, 0.0, "", "", "")]
    types = {field["name"]: field["type"].name for field in milvus.client.describe_collection(media.collection)["fields"]}
    assert {name: types[name] for name in ("id", "embedding", "embedding_version", "flag", "count", "rating", "mixed", "nowhere")} == {
        "id": "VARCHAR", "embedding": "FLOAT_VECTOR", "embedding_version": "INT64", "flag": "BOOL", "count": "INT64",
        "rating": "DOUBLE", "mixed": "VARCHAR", "nowhere": "VARCHAR"}
    assert tool.validate("--full-scan")["consistent"] == 3


@pytest.mark.parametrize("metric", ["COSINE", "IP", "L2"])
def test_index_as_asked_for(media, milvus, tool, metric):
    media.make_ids_unique()
    media.create(items(40))
    tool.copy("--metric", metric, "--hnsw-m", "32", "--ef-construction", "512")
    index = milvus.client.describe_index(media.collection, "embedding")
    assert (index["index_type"], index["metric_type"]) == ("HNSW", metric)
    assert index["params"] == {"M": 32, "efConstruction": 512}
    wanted = media.rows()["item-000007"][1]
    found = milvus.client.search(media.collection, [wanted], limit=1, search_params={"metric_type": metric})[0]
    if metric != "IP":  # where another row may have the greater product
        assert found[0]["id"] == "item-000007"


def test_sigint_stops_cleanly_and_the_same_command_goes_on(media, milvus, tool):
    media.make_ids_unique()
    media.create([*items(4000), {"id": "item-000000-bad", "embedding": [1.0]}])
    slow = tool.start("migrate-embeddings", "--output", "json", "--batch-size", "100", "--rate-limit", "1000")
    tool.wait_until_copied(slow, 300)
    slow.send_signal(signal.SIGINT)
    stopped = tool.finish(slow, code=130, seconds=20)
    assert stopped["interrupted"] and 300 <= stopped["copied"] < 4000
    rest = tool.copy("--batch-size", "100", code=4)
    assert rest["resumed"] and (rest["copied"], rest["quarantined"]) == (4000, 1)
    assert [line["id"] for line in tool.bad_items()] == ["item-000000-bad"]
    expected = media.rows()
    del expected["item-000000-bad"]
    assert milvus.rows() == expected


def test_resume_from_begins_behind_an_id(media, milvus, tool):
    media.make_ids_unique()
    media.create(items(100))
    result = tool.copy("--resume-from", "item-000059")
    # The final comparison of ids brings the others: nothing stays behind.
    assert result["copied"] >= 40
    assert milvus.rows() == media.rows()
    assert tool.run("migrate-embeddings", "--resume-from", "x", "--dry-run").returncode == 0


def test_rate_limit(media, tool):
    media.make_ids_unique()
    media.create(items(1000))
    result = tool.copy("--batch-size", "100", "--rate-limit", "500")
    # 1,000 items at 500 a second, of which the first batch need not wait.
    assert result["copy_seconds"] >= 1.8


def test_one_run_at_a_time(media, milvus, tool, tmp_path):
    media.make_ids_unique()
    media.create(items(3000))
    first = tool.start("migrate-embeddings", "--output", "json", "--batch-size", "100", "--rate-limit", "500")
    tool.wait_until_copied(first, 100)
    second = tool.run("migrate-embeddings", "--checkpoint-file", str(tmp_path / "other.json"))
    assert second.returncode == 5, second.stderr
    assert f"process {first.pid}" in second.stderr and "One run at a time" in second.stderr
    assert first.poll() is None
    assert tool.finish(first)["copied"] == 3000
    assert milvus.rows() == media.rows()


def test_a_change_during_the_copy_is_in_milvus_after_it(media, milvus, tool):
    """Every item changes once while the copy passes; some come, some go. Then one more run, which only compares."""
    media.make_ids_unique()
    media.create(items(4000))
    slow = tool.start("migrate-embeddings", "--output", "json", "--batch-size", "100", "--rate-limit", "2000")
    tool.wait_until_copied(slow, 200)
    rng = random.Random(5)
    for step in range(40):
        changed = [f"item-{rng.randrange(4000):06}" for _ in range(50)]
        media("UNWIND $ids AS id MATCH (m:LABEL {id: id}) SET m.embedding_version = m.embedding_version + 1000000,"
              " m.title = 'changed ' + $step, m.embedding = [x IN m.embedding | x + 1.0]", ids=changed, step=step)
        media("MATCH (m:LABEL {id: $id}) DELETE m", id=f"item-{rng.randrange(4000):06}")
        media("MERGE (m:LABEL {id: $id}) SET m = $row", id=f"item-{5000 + step:06}", row=item(f"item-{5000 + step:06}", step))
    first = tool.finish(slow)
    assert first["copied"] > 3900
    result = tool.copy()
    assert result["copied"] == len(media.rows())
    assert milvus.rows() == media.rows()


def test_metrics_for_prometheus(media, tool):
    media.make_ids_unique()
    media.create([*items(2000), {"id": "bad", "embedding": [1.0]}])
    slow = tool.start("migrate-embeddings", "--batch-size", "100", "--rate-limit", "1000", "--metrics-address", "127.0.0.1:0",
                      "--output", "json")
    url = wait_for(lambda: next((line.split()[-1] for line in tool.log.read_text().splitlines() if "Metrics at" in line), None))

    def scrape():
        with urllib.request.urlopen(url, timeout=10) as answer:
            lines = [line for line in answer.read().decode().splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}

    copied = 'crossover_migration_items_total{result="copied"}'
    wait_for(lambda: scrape().get(copied, 0) > 300)
    seen = scrape()
    assert seen["crossover_migration_items_expected"] == 2001
    assert seen['crossover_migration_items_total{result="read"}'] >= seen[copied]
    assert tool.finish(slow, code=4)["copied"] == 2000


def test_progress_in_a_pipe_is_lines_and_the_result_is_for_a_person(media, tool):
    media.make_ids_unique()
    media.create(items(300))
    done = tool.run("migrate-embeddings")
    assert done.returncode == 0
    assert "DONE\n  read         300 items\n  copied       300  (" in done.stdout
    assert "copying: " in done.stderr
    assert "\x1b" not in done.stdout + done.stderr and "\r" not in done.stderr


def test_nothing_to_copy_is_refused(media, milvus, tool):
    media.create([{"id": "a", "title": "no embedding"}])
    done = tool.run("migrate-embeddings")
    assert done.returncode == 5 and media.label in done.stderr
    assert not milvus.exists() and not tool.checkpoint.exists()


def test_the_checkpoint_names_the_job(media, milvus, tool):
    media.make_ids_unique()
    media.create(items(10))
    tool.copy()
    content = json.loads(tool.checkpoint.read_text())
    assert content["phase"] == "done" and content["counts"]["copied"] == 10
    # Another mapping is another job.
    done = tool.run("migrate-embeddings", "--properties", "title,genre")
    assert done.returncode == 5 and str(tool.checkpoint) in done.stderr and "another job" in done.stderr
    # Another speed is not.
    assert tool.copy("--batch-size", "3", "--concurrency", "2", "--rate-limit", "100000")["copied"] == 10


def test_a_collection_that_was_made_anew_decides_the_types_of_a_resumed_job(media, milvus, tool):
    media.make_ids_unique()
    media.create(items(10))
    tool.what[-1] = "title,year"
    tool.copy()
    milvus.drop()
    milvus.create(8, fields={"year": pymilvus.DataType.INT64})
    media("MATCH (m:LABEL) SET m.year = 1979, m.embedding_version = m.embedding_version + 1")
    result = tool.copy()
    assert result["copied"] == 10 and any("dropped or replaced" in note for note in result["notes"])
    assert milvus.rows(("title", "year")) == media.rows(("title", "year"))


def test_a_replica_that_does_not_capture_is_refused(media, milvus, tool):
    media.make_ids_unique()
    media.create(items(10))
    media("CREATE (:EngineReplica {collection: $collection, id: 'engine-7', mode: 'neo4j_only', seen_at: timestamp()})",
          collection=media.collection)
    try:
        done = tool.run("migrate-embeddings")
        assert done.returncode == 5 and "engine-7" in done.stderr and "dual_write" in done.stderr
        assert not milvus.exists() and not tool.checkpoint.exists()
        assert tool.copy("--force")["copied"] == 10
        # One that has not shown itself for long is dead.
        media("MATCH (r:EngineReplica {id: 'engine-7'}) SET r.seen_at = timestamp() - 3600000")
        assert tool.copy()["copied"] == 10
    finally:
        media("MATCH (r:EngineReplica {id: 'engine-7'}) DELETE r")


def test_in_another_epoch_nothing_counts_before_it_is_compared(media, milvus, tool):
    media.make_ids_unique()
    media.create(items(50))
    tool.copy()
    # What an engine in neo4j_only does: a new version, and nobody told.
    media("MATCH (m:LABEL {id: 'item-000005'}) SET m.title = 'changed', m.embedding_version = 99")
    media("MATCH (m:LABEL {id: 'item-000006'}) DELETE m")
    epoch = media("MATCH (e:CaptureEpoch {collection: $collection}) SET e.number = e.number + 1 RETURN e.number AS n",
                  collection=media.collection)[0]["n"]
    try:
        result = tool.copy()
        assert any("without capture" in note for note in result["notes"])
        assert result["copied"] == 49 and result["swept"] == 1
        assert milvus.rows() == media.rows()
        assert tool.progress()["epoch"] == epoch
    finally:
        media("MATCH (e:CaptureEpoch {collection: $collection}) DELETE e", collection=media.collection)
