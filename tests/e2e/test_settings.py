"""Settings that can't be meant: exit 2 in every command, before any server is asked; what a server must be asked is 5."""

import json

import pymilvus
import pytest
from test_cli import COMMANDS, run  # noqa: F401  (a fixture)

TOO_MANY = ",".join(f"p{n}" for n in range(70))


@pytest.mark.parametrize("command", ["preflight", "migrate-embeddings", "validate"])  # those with flags for it
@pytest.mark.parametrize("flags, rule", [
    (["--properties", "release date"], "Give it another name in Milvus: release date=release_date"),
    (["--properties", "RowID"], "keeps this word for itself"),
    (["--properties", "old=id", "--id-property", "uuid"], "the field id of the collection is the key itself"),
    (["--properties", "title,score"], "'score' is a name that the HTTP API of recommendation-engine keeps for itself"),
    (["--properties", "id=legacy_id", "--id-property", "uuid"], "'id' is a name that the HTTP API"),
    (["--properties", "embedding=x", "--embedding-property", "vec"], "'embedding' is a name that the HTTP API"),
    (["--properties", "embedding_version"], "kept on each node by Crossover itself"),
    (["--properties", TOO_MANY], "names 70 properties; a collection has room for 61"),
    (["--properties", "id"], "'id' is the id of each item already"),
    (["--properties", "embedding"], "'embedding' is the embedding of each item already"),
    (["--collection", "my-movies"], "--collection must be a name that Milvus takes, not 'my-movies'"),
    (["--dimension", "40000"], "--dimension must be a whole number from 0 to 32768"),
])
def test_settings_alone(run, command, flags, rule):  # noqa: F811
    done = run(command, *flags, NEO4J_URI="bolt://127.0.0.1:1", MILVUS_URI="http://127.0.0.1:1")
    assert done.returncode == 2, done.stdout + done.stderr
    assert rule in done.stderr and "MATCH" not in done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_the_file_of_any_command(run, command, tmp_path):  # noqa: F811
    (tmp_path / "c.yaml").write_text("media:\n  properties: [title, release date]\n")
    done = run(command, "--config", str(tmp_path / "c.yaml"))
    assert done.returncode == 2
    assert "c.yaml line 2: media.properties: 'release date' can't be a field of Milvus" in done.stderr


def both_refuse(tool, rule):
    shown = tool.run("preflight", "--output", "json")
    report = json.loads(shown.stdout)
    assert shown.returncode == 5 and not report["ready"], shown.stdout
    assert any(rule in reason for reason in report["reasons"]), report["reasons"]
    copied = tool.run("migrate-embeddings")
    assert copied.returncode == 5 and rule in copied.stderr, copied.stdout + copied.stderr


def test_a_dimension_beyond_milvus(tool, media, milvus):
    media.create([{"id": "a", "title": "t", "embedding": [1.0] * 32769}])
    both_refuse(tool, "have 32769 values; Milvus takes vectors of at most 32768")
    assert not milvus.exists()


@pytest.mark.parametrize("kind", [pymilvus.DataType.INT32, pymilvus.DataType.FLOAT])
def test_a_field_that_is_narrower_than_what_is_written(tool, media, milvus, kind):
    media.create([{"id": "a", "title": 1, "embedding": [1.0, 2.0]}])
    milvus.create(2, title_type=kind)
    both_refuse(tool, "its field title is " + {"INT32": "Int32", "FLOAT": "Float"}[kind.name])


def test_a_collection_that_lacks_its_alias_counts_too(tool, media, milvus):
    media.create([{"id": "a", "title": "longer than four", "embedding": [1.0, 2.0]}])
    milvus.create(2, title_bytes=4)
    milvus.client.drop_alias(milvus.collection)
    shown = tool.run("preflight")
    assert shown.returncode == 5 and "title has 16 bytes, the collection takes 4" in shown.stdout, shown.stdout
    assert tool.copy(code=4)["quarantined"] == 1


def test_a_users_collection(tool, media, milvus):
    media.create([{"id": "a", "title": "t", "embedding": [1.0, 2.0]}])
    milvus.client.create_collection(milvus.collection, dimension=2)
    try:
        both_refuse(tool, "is a collection, but Crossover needs this name for an alias")
    finally:
        milvus.client.drop_collection(milvus.collection)
