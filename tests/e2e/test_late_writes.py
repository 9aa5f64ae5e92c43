"""What a run had sent when it was killed may reach Milvus afterwards. Whoever writes next waits that out first, in whatever phase
either of them is: an old row must not replace a newer one."""

import signal

import pytest
from conftest import wait_for
from proxy import Proxy
from test_migrate_embeddings import items

ITEMS = 1000
WAITS = "last writes of an earlier run"


@pytest.fixture
def network(env):
    """Between a tool and Milvus; can hold back what a tool says from a given text on."""
    host, _, port = env["MILVUS_URI"].partition("://")[2].partition(":")
    proxy = Proxy((host, int(port)))
    yield proxy
    proxy.close()


@pytest.fixture(autouse=True)
def all_go_through(network, tool):
    tool.env["MILVUS_URI"] = f"http://{network.address}"


@pytest.fixture
def change(media):
    """Gives the first hundred items a new vector, and a title to know the write by, around any engine."""
    media.make_ids_unique()
    media.create(items(ITEMS))

    def to(title):
        media("MATCH (m:LABEL) WHERE m.id < 'item-000100' SET m.title = $title, m.embedding = [x IN m.embedding | -x],"
              " m.embedding_version = m.embedding_version + 1", title=title)

    return to


def cut_short(network, tool, command, *arguments, end=signal.SIGKILL):
    """Ends it when a write of its own is on its way."""
    network.hold(b"old-change")
    process = tool.start(command, *arguments, "--output", "json")
    wait_for(network.held)
    process.send_signal(end)
    process.wait()


def finish_and_compare(network, tool, media, milvus):
    """The held write lands when the next run waits, or is through."""
    process = tool.start("migrate-embeddings", "--output", "json")
    wait_for(lambda: process.poll() is not None or WAITS in tool.log.read_text())
    network.release()
    tool.finish(process)
    assert milvus.rows() == media.rows()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
@pytest.mark.parametrize("phase", ["copy", "comparison"])
def test_of_a_run_that_ended(network, change, media, milvus, tool, phase, end):
    if phase == "comparison":
        tool.copy()
    change("old-change")
    cut_short(network, tool, "migrate-embeddings", end=end)
    change("new-change")
    finish_and_compare(network, tool, media, milvus)


def test_of_a_run_before_the_one_before(network, change, media, milvus, tool):
    change("old-change")
    cut_short(network, tool, "migrate-embeddings")
    again = tool.start("migrate-embeddings", "--output", "json")
    wait_for(lambda: WAITS in tool.log.read_text() or again.poll() is not None)
    again.kill()
    again.wait()
    change("new-change")
    finish_and_compare(network, tool, media, milvus)


def test_of_another_checkpoint_file(network, change, media, milvus, tool):
    change("old-change")
    cut_short(network, tool, "migrate-embeddings")
    tool.checkpoint.unlink()
    change("new-change")
    finish_and_compare(network, tool, media, milvus)


def test_of_a_validation_that_was_repairing(network, change, media, milvus, tool):
    tool.copy()
    change("old-change")
    cut_short(network, tool, "validate", "--full-scan", "--fix-inconsistencies")
    change("new-change")
    finish_and_compare(network, tool, media, milvus)
