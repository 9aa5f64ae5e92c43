"""Servers that go away, connections that break and files that can't be used, in the middle of `migrate migrate-embeddings`."""

import json
import os
import pathlib
import signal
import time

import pytest
from conftest import wait_for
from proxy import Proxy
from test_migrate_embeddings import item, items

ITEMS = 6000


@pytest.fixture
def slow_copy(media, tool):
    """A copy that takes some seconds, well under way."""
    media.make_ids_unique()
    media.create(items(ITEMS))

    def start(*arguments, **changes):
        process = tool.start("migrate-embeddings", "--output", "json", "--batch-size", "100", "--rate-limit", "1500", *arguments, **changes)
        tool.wait_until_copied(process, 500)
        return process

    return start


@pytest.mark.parametrize("server", ["milvus", "neo4j"])
def test_a_restart_is_ridden_out(stack, slow_copy, media, milvus, tool, server):
    process = slow_copy()
    stack("kill", server)
    name = {"milvus": "waiting for Milvus", "neo4j": "waiting for Neo4j"}[server]
    wait_for(lambda: name in tool.log.read_text())
    assert process.poll() is None
    stack("start", server)
    result = tool.finish(process)
    assert result["copied"] == ITEMS and result["errors_ridden_out"] > 0
    assert milvus.rows() == media.rows()


@pytest.mark.parametrize("server", ["milvus", "neo4j"])
def test_cut_connections_are_ridden_out(env, slow_copy, media, milvus, tool, server):
    variable = {"milvus": "MILVUS_URI", "neo4j": "NEO4J_URI"}[server]
    scheme, _, address = env[variable].partition("://")
    host, _, port = address.partition(":")
    proxy = Proxy((host, int(port)))
    try:
        process = slow_copy(**{variable: f"{scheme}://{proxy.address}"})
        for _ in range(5):
            passed = proxy.passed
            wait_for(lambda passed=passed: proxy.passed > passed + 20_000 or process.poll() is not None)
            proxy.cut()
        result = tool.finish(process)
        assert result["copied"] == ITEMS and result["errors_ridden_out"] > 0
        assert milvus.rows() == media.rows()
    finally:
        proxy.close()


def test_a_stopped_milvus_that_wakes_up_later_changes_nothing(stack, slow_copy, media, milvus, tool):
    """What was sent to it and timed out is applied when it wakes up: after ids were deleted, and after kill -9."""
    process = slow_copy()
    pid = stack.pid("milvus")
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_for(lambda: "waiting for Milvus" in tool.log.read_text())
        process.kill()
        process.wait()
        sent = tool.progress()
        done = [part["done_through"] for part in sent["open_ranges"] if part["done_through"]]
        assert done, sent
        # Around what was in flight, which begins behind it: gone, and changed.
        first = int(done[0].split("-")[1])
        gone = [f"item-{n:06}" for n in range(max(0, first - 50), first + 120)]
        media("UNWIND $ids AS id MATCH (m:LABEL {id: id}) DELETE m", ids=gone)
        media("MATCH (m:LABEL) WHERE m.id > $id WITH m ORDER BY m.id LIMIT 100 SET m.title = 'changed',"
              " m.embedding_version = m.embedding_version + 1000, m.embedding = [x IN m.embedding | -x]", id=gone[-1])
    finally:
        os.kill(pid, signal.SIGCONT)
    tool.copy()
    assert milvus.rows() == media.rows()


def test_the_lease_of_a_killed_run_does_not_hold_up_the_next(slow_copy, tool):
    process = slow_copy()
    process.kill()
    process.wait()
    began = time.monotonic()
    again = tool.start("migrate-embeddings", "--output", "json")
    wait_for(lambda: "copying" in tool.log.read_text())
    # What it had sent may take ten seconds more, and Milvus three to finish it; the lease would take thirty.
    assert time.monotonic() - began < 20
    assert tool.finish(again)["copied"] == ITEMS


def test_another_shape_of_collection_is_refused(media, milvus, tool):
    media.make_ids_unique()
    media.create(items(10))
    tool.copy()
    tool.checkpoint.unlink()
    media("MATCH (m:LABEL) SET m.embedding = m.embedding + [1.0]")
    done = tool.run("migrate-embeddings")
    assert done.returncode == 5
    assert "dimension 8, not 9" in done.stderr and milvus.physical() in done.stderr and "--collection" in done.stderr
    assert not tool.checkpoint.exists()
    assert milvus.count() == 10


# ---- files ----

@pytest.fixture
def ten(media):
    media.make_ids_unique()
    media.create(items(10))


@pytest.mark.parametrize("content", ["", "{", "[1, 2]", '{"format": 99}', "\x00\x01\x02", '{"format": 1, "job": 5}'])
def test_a_corrupt_checkpoint_is_refused_and_kept(ten, milvus, tool, content):
    tool.checkpoint.write_text(content)
    done = tool.run("migrate-embeddings")
    assert done.returncode == 5
    assert str(tool.checkpoint) in done.stderr and "--checkpoint-file" in done.stderr
    assert tool.checkpoint.read_text() == content
    assert not milvus.exists()


def test_links_are_not_followed(ten, milvus, tool):
    precious = tool.folder / "precious"
    precious.write_text("keep me")
    for link in (tool.checkpoint, tool.quarantine):
        link.symlink_to(precious)
        done = tool.run("migrate-embeddings")
        assert done.returncode == 5 and str(link) in done.stderr and "link" in done.stderr
        assert precious.read_text() == "keep me" and link.is_symlink()
        link.unlink()
        tool.checkpoint.unlink(missing_ok=True)


def test_somebody_elses_checkpoint_is_refused(ten, milvus, tool):
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    tool.checkpoint.write_text("{}")
    os.chown(tool.checkpoint, 12345, 12345)
    done = tool.run("migrate-embeddings")
    assert done.returncode == 5
    assert str(tool.checkpoint) in done.stderr and "belongs to user id 12345" in done.stderr
    assert not milvus.exists()


def in_a_mount(folder, options):
    """Words before a command, so that it sees `folder` on a file system of its own."""
    folder.mkdir()
    as_user = ["--map-root-user"] if os.geteuid() != 0 else []
    script = f'mount -t tmpfs -o {options} none "$0" && shift 0 && exec "$@"'
    return ["unshare", "--mount", *as_user, "sh", "-c", script, str(folder)]


def test_a_read_only_disk_for_the_checkpoint(ten, milvus, tool):
    folder = tool.folder / "disk"
    tool.checkpoint = folder / "checkpoint.json"
    done = tool.run("migrate-embeddings", before=in_a_mount(folder, "ro"))
    assert done.returncode == 1, done.stderr
    assert str(tool.checkpoint) in done.stderr and "read-only" in done.stderr
    assert not milvus.exists() or milvus.client.describe_collection(milvus.collection)["num_shards"]
    tool.checkpoint = tool.folder / "checkpoint.json"
    assert tool.copy()["copied"] == 10


def test_a_full_disk_for_the_quarantine(media, milvus, tool):
    """Half a line must not stay; what was counted before is kept, and the same command goes on with more room."""
    media.make_ids_unique()
    media.create([{"id": f"{n:05}", "title": "bad", "embedding": [1.0] if n % 2 else [n + 1.0] * 8} for n in range(3000)])
    folder = tool.folder / "disk"
    tool.quarantine = folder / "quarantine.ndjson"
    keep = tool.folder / "kept"
    words = in_a_mount(folder, "size=32k")
    # The disk goes with its namespace: look at the file before.
    words[words.index("-c") + 1] = words[words.index("-c") + 1].replace('exec "$@"', f'{{ "$@"; code=$?; cp "$0"/quarantine.ndjson {keep}; exit $code; }}')
    done = tool.run("migrate-embeddings", "--batch-size", "100", before=words)
    assert done.returncode == 1, done.stderr
    assert str(tool.quarantine) in done.stderr and "No space left" in done.stderr and "Free some space" in done.stderr
    for line in keep.read_text().splitlines():
        assert json.loads(line)["reason"] == "wrong_dimension"
    assert pathlib.Path(keep).read_text().endswith("\n")
    keep.rename(tool.quarantine)
    result = tool.copy("--batch-size", "100", code=4)
    assert result["resumed"] and (result["copied"], result["quarantined"]) == (1500, 1500)
    lines = [line["id"] for line in tool.bad_items()]
    assert sorted(lines) == [f"{n:05}" for n in range(1, 3000, 2)]


def test_a_quarantine_file_that_was_cut_is_noticed(media, milvus, tool):
    media.make_ids_unique()
    media.create([item("good"), {"id": "bad", "embedding": [1.0]}])
    media.create(items(3000))
    process = tool.start("migrate-embeddings", "--output", "json", "--batch-size", "100", "--rate-limit", "1000")
    tool.wait_until_copied(process, 300)
    wait_for(lambda: tool.progress()["counts"]["quarantined"] == 1)  # ranges are read side by side
    process.kill()
    process.wait()
    tool.quarantine.write_text("")
    done = tool.run("migrate-embeddings")
    assert done.returncode == 5
    assert str(tool.quarantine) in done.stderr and "was cut or replaced" in done.stderr
