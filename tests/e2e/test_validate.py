"""`migrate validate`: every kind of difference, made by the official clients on both sides, is found, named and made good."""

import random

import pytest
from test_migrate_embeddings import item, items

COUNT = 300


@pytest.fixture(params=["indexed", "unindexed"])
def copied(request, media, tool):
    if request.param == "indexed":
        media.make_ids_unique()
    media.create(items(COUNT))
    tool.copy()


def row(media, milvus, media_id):
    return milvus.client.get(media.collection, [media_id], output_fields=["*"], consistency_level="Strong")[0]


def spoil(media, milvus):
    """One way of each difference; the ids by kind."""
    milvus.delete(["item-000001", "item-000299"])
    rows = [{**row(media, milvus, "item-000010"), "id": media_id} for media_id in ("", "item-000100x", "zzz")]
    milvus.upsert(rows)
    milvus.upsert([{**row(media, milvus, "item-000020"), "embedding_version": 99}])
    vector = row(media, milvus, "item-000030")
    vector["embedding"] = [float(x) for x in vector["embedding"]]
    vector["embedding"][3] += 0.25
    milvus.upsert([vector])
    milvus.upsert([{**row(media, milvus, "item-000040"), "title": 'another "title"'}])
    return {"missing": ["item-000001", "item-000299"], "orphaned": ["", "item-000100x", "zzz"], "stale_version": ["item-000020"],
            "different_vector": ["item-000030"], "different_property": ["item-000040"]}


def test_each_difference_is_found_both_ways_named_and_mended(copied, media, milvus, tool):
    report = tool.validate("--full-scan")
    assert report["passed"] and report["consistent"] == report["checked"] == report["target_ids"] == COUNT
    assert report["max_l2"] == report["mean_l2"] == 0 and report["success"] == 1
    assert tool.run("validate", "--full-scan").stdout.endswith("PASSED\n")
    sample = tool.validate("--sample-size", "100")
    assert sample["checked"] == 100 and isinstance(sample["seed"], int)

    wanted = spoil(media, milvus)
    counts = {kind: len(ids) for kind, ids in wanted.items()}
    report = tool.validate("--full-scan", code=4)
    assert {kind: report[kind] for kind in wanted} == counts
    assert {kind: sorted(example["id"] for example in report["examples"][kind]) for kind in wanted} == wanted
    assert report["max_l2"] == pytest.approx(0.25, rel=1e-6)
    assert not report["passed"]
    # A sample larger than all there is sees the same.
    sample = tool.validate("--sample-size", "5000", code=4)
    assert {kind: sample[kind] for kind in wanted} == counts
    # Nothing was changed so far, and a person is told what to do.
    done = tool.run("validate", "--full-scan")
    assert done.returncode == 4 and "--fix-inconsistencies" in done.stdout
    for words in ("missing", "orphaned", "stale version", "different vector", "different property", "L2 distance", "another"):
        assert words in done.stdout

    report = tool.validate("--full-scan", "--fix-inconsistencies")
    assert report["fixed"] == sum(counts.values())
    assert report["after_fix"]["passed"] and report["after_fix"]["consistent"] == COUNT
    assert milvus.rows() == media.rows()


def test_single_items_from_both_sides(media, milvus, tool):
    media.make_ids_unique()
    media.create(items(COUNT))
    tool.copy()
    milvus.upsert([{**row(media, milvus, "item-000040"), "title": "another"}])
    report = tool.validate("--id", "item-000040", code=4)
    assert report["checked"] == report["different_property"] == 1
    assert dict(report["source_item"]["properties"])["title"] == '"title 40"'
    assert dict(report["target_item"]["properties"])["title"] == '"another"'
    text = tool.run("validate", "--id", "item-000040").stdout
    assert "title 40" in text and "another" in text and "FAILED" in text
    assert tool.validate("--id", "item-000041")["passed"]
    gone = tool.validate("--id", "nobody")
    assert gone["source_item"]["state"] == gone["target_item"]["state"] == "absent"
    # One that is missing is enough to fail, though 99 % are there.
    tool.validate("--full-scan", "--fix-inconsistencies")
    milvus.delete(["item-000007"])
    report = tool.validate("--full-scan", code=4)
    assert report["missing"] == 1 and report["success"] > 0.99


def test_changes_while_it_looks_are_no_differences(media, milvus, tool):
    """Writers that change both stores in turn, Neo4j first: at no moment does a lag count as a difference."""
    media.make_ids_unique()
    media.create(items(4000))
    tool.copy()
    process = tool.start("validate", "--full-scan", "--output", "json")
    rng = random.Random(3)
    while process.poll() is None:
        media_id = f"item-{rng.randrange(4000):06}"
        version = rng.randrange(10**6, 10**9)
        new = item(media_id, version)
        media("MATCH (m:LABEL {id: $id}) SET m = $row", id=media_id, row=new)
        milvus.upsert([new])
    report = tool.finish(process)
    assert report["passed"] and report["checked"] + report["unsettled"] == 4000, report
    assert all(report[kind] == 0 for kind in report["examples"])


@pytest.mark.parametrize("state", ["none", "not loaded"])
def test_what_can_not_be_read_is_an_error_that_says_what_to_do(media, milvus, tool, state):
    media.make_ids_unique()
    media.create(items(5))
    if state == "none":
        done = tool.run("validate")
        assert done.returncode == 2 and media.collection in done.stderr and "migrate-embeddings" in done.stderr
        return
    tool.copy()
    milvus.client.release_collection(milvus.physical())
    done = tool.run("validate")
    assert done.returncode == 1 and milvus.physical() in done.stderr and "not loaded" in done.stderr
