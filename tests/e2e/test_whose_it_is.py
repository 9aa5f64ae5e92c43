"""Two labels on one database, two sources for one collection: nothing of another's is claimed, deleted or believed."""

import json

import neo4j
import pytest
from conftest import Media, Milvus, Tool, wait_for
from engine import Engine
from test_engine import DIMENSION, engine_path, films, outbox, start, vector  # noqa: F401 (fixtures)

NOWHERE = "http://127.0.0.1:1"


@pytest.fixture
def others(env):
    """Nodes of a second label in the same database."""
    with neo4j.GraphDatabase.driver(env["NEO4J_URI"], auth=(env["NEO4J_USER"], env["NEO4J_PASSWORD"])) as driver:
        nodes = Media(driver, env["NEO4J_DATABASE"])
        nodes.make_ids_unique()
        yield nodes
        nodes("MATCH (m:LABEL) DETACH DELETE m")


@pytest.fixture
def other_milvus(env, others):
    rows = Milvus(env, others.collection)
    yield rows
    rows.drop()


@pytest.fixture
def other_tool(migrate, env, others, other_milvus, tmp_path):
    (tmp_path / "other").mkdir()
    return Tool(migrate, env, others, tmp_path / "other")


def items(count, first=0, title="title"):
    return [{"id": f"{n:05}", "title": title, "embedding": vector(n), "embedding_version": 1} for n in range(first, first + count)]


def kind(start, nodes, mode, *arguments, **changes):  # noqa: F811
    """An engine for these nodes; of two --label flags the last counts."""
    return start(mode, "--label", nodes.label, "--collection", nodes.collection, *arguments, **changes)


def entries_of(nodes):
    return nodes("MATCH (c:EmbeddingChange {collection: $name}) RETURN count(c) AS n", name=nodes.collection)[0]["n"]


def owe(nodes, item_id):
    nodes("CREATE (:EmbeddingChange {collection: $name, key: randomUUID(), media_id: $id, op: 'put', created_at: 1, lease: 1})",
          name=nodes.collection, id=item_id)


def test_an_engine_of_another_label_leaves_the_outbox_alone(start, films, media, milvus, others, other_milvus):  # noqa: F811
    others.create([{"id": "first", "title": "first", "year": 1, "embedding": vector(3)}])
    mine = start("dual_write", MILVUS_URI=NOWHERE)
    theirs = kind(start, others, "dual_write")
    assert theirs.put("shared", title="theirs", year=2, embedding=vector(2)).status == 201
    assert mine.put("shared", title="mine", year=1, embedding=vector(1)).status == 201
    mine.kill()
    media("MATCH (c:EmbeddingChange {collection: $name}) SET c.lease = 1", name=media.collection)
    # Whoever claims what is due has seen mine too when it has brought what came later.
    owe(others, "shared")
    wait_for(lambda: entries_of(others) == 0)
    assert entries_of(media) == 1
    assert theirs.status()["outbox_depth"] == 0

    start("dual_write")
    wait_for(lambda: entries_of(media) == 0)
    for nodes, store, title in ((media, milvus, "mine"), (others, other_milvus, "theirs")):
        store.client.create_index(store.physical(), store.client.prepare_index_params("embedding", index_type="FLAT", metric_type="COSINE"))
        store.load()
        assert store.rows(("title", "year")) == {
            key: row for key, row in nodes.rows(("title", "year")).items() if key == "shared"}
        assert store.rows()["shared"][2] == title


def test_an_engine_of_another_label_that_does_not_capture_does_not_hinder_a_copy(start, films, media, others, tool):  # noqa: F811
    kind(start, others, "neo4j_only")
    assert tool.copy()["copied"] == 100
    start("neo4j_only")
    done = tool.run("migrate-embeddings")
    assert done.returncode == 5 and "neo4j_only" in done.stderr


def test_kept_answers_of_another_collection_are_not_found(start, films, media, others):  # noqa: F811
    """Both services have the default names, as it were: the same label and database, and one Redis."""
    one = start("neo4j_only", "--cache-secs", 60)
    other = start("neo4j_only", "--cache-secs", 60, "--collection", others.collection)
    answers = [engine.search(vector(7), k=3).headers.get("X-Cache") for engine in (one, other, one, other)]
    assert answers == ["miss", "miss", "hit", "hit"]


def into(tool, nodes):
    """The tool, on another label and the collection that it had."""
    tool.what[1] = nodes.label
    tool.checkpoint = tool.folder / f"{nodes.label}.json"
    return tool


def test_a_collection_of_another_label_is_refused_until_it_is_adopted(start, media, milvus, others, tool):  # noqa: F811
    media.make_ids_unique()
    media.create(items(150))
    assert tool.copy()["copied"] == 150
    before = milvus.rows()
    others.create(items(20, first=140, title="theirs"))

    into(tool, others)
    for command in (("preflight",), ("migrate-embeddings",), ("validate", "--fix-inconsistencies")):
        done = tool.run(*command)
        assert done.returncode == 5, done.stdout + done.stderr
        for name in (media.label, others.label, milvus.physical(), "--adopt-collection"):
            assert name in (done.stdout if command == ("preflight",) else done.stderr), done.stdout + done.stderr
        assert milvus.rows() == before
    assert not tool.checkpoint.exists()

    engine = start("dual_write", "--label", others.label, "--properties", "title", "--anti-entropy-secs", 1)
    assert engine.put("00001", title="theirs", embedding=vector(77)).status == 201
    wait_for(lambda: "event=milvus_error kind=conflict" in engine.log())
    assert media.label in engine.log() and others.label in engine.log()
    wait_for(lambda: "event=anti_entropy result=failure" in engine.log())
    assert milvus.rows() == before
    engine.kill()

    # Adopted, it is copied anew; its 139 other rows are not deleted for the asking of something else.
    done = tool.run("migrate-embeddings", "--adopt-collection", "--output", "json")
    assert done.returncode == 5 and "139 of 160 rows" in done.stderr and "--allow-deletes" in done.stderr, done.stderr
    result = json.loads(done.stdout)
    assert (result["copied"], result["deletes_refused"], result["swept"]) == (21, 139, 0)
    assert any("belonged to another source" in note for note in result["notes"])
    rows = milvus.rows()
    assert len(rows) == 160 and {key: row for key, row in rows.items() if row[2] == "theirs"} == others.rows()
    result = tool.copy("--allow-deletes")
    assert (result["copied"], result["deletes_refused"], result["swept"]) == (21, 0, 139)
    assert milvus.rows() == others.rows()

    into(tool, media).checkpoint = tool.folder / "checkpoint.json"  # complete, it says
    done = tool.run("migrate-embeddings")
    assert done.returncode == 5 and others.label in done.stderr
    # A run that ends just after it has taken the collection over leaves the checkpoint of before void.
    assert tool.run("migrate-embeddings", "--adopt-collection", "--quarantine-file", str(tool.folder)).returncode != 0
    assert any("was taken over" in note for note in tool.copy("--allow-deletes")["notes"])
    assert milvus.rows() == media.rows() == before


def mark_of(milvus):
    kept = milvus.client.describe_collection(milvus.physical())["properties"]
    return {key: value for key, value in dict(kept).items() if key.startswith("crossover.")}


def test_a_collection_without_a_mark_is_marked_unless_it_is_described_as_anothers(env, media, milvus, tool):
    media.make_ids_unique()
    media.create(items(3))
    milvus.create(DIMENSION, "Embeddings of SomeoneElses, kept equal to Neo4j by Crossover")
    done = tool.run("migrate-embeddings")
    assert done.returncode == 5 and "SomeoneElses" in done.stderr and media.label in done.stderr
    assert mark_of(milvus) == {}
    milvus.drop()

    milvus.create(DIMENSION, f"Embeddings of {media.label}, kept equal to Neo4j by Crossover")
    assert tool.copy()["copied"] == 3
    source = media("MATCH (s:CrossoverSource {collection: $name}) RETURN s.label AS label, s.id AS id", name=media.collection)[0]
    assert source["label"] == media.label
    assert mark_of(milvus) == {"crossover.label": media.label, "crossover.database": env["NEO4J_DATABASE"], "crossover.source": source["id"]}

    # Another Neo4j with the same names is another source.
    media("MATCH (s:CrossoverSource {collection: $name}) SET s.id = 'elsewhere'", name=media.collection)
    done = tool.run("migrate-embeddings")
    assert done.returncode == 5 and "in another Neo4j" in done.stderr and source["id"] in done.stderr


def test_another_embedding_of_the_same_nodes_is_another_source(engine_path, env, media, milvus, tool, tmp_path):  # noqa: F811
    """A typing error in a replica's flag would have it find that nothing has an embedding any more."""
    media.make_ids_unique()
    media.create([{**item, "other": vector(9)} for item in items(3)])
    assert tool.copy()["copied"] == 3
    before = milvus.rows()
    with pytest.raises(AssertionError):
        Engine(engine_path, env, tmp_path, "typo", "--label", media.label, "--collection", media.collection, "--properties", "title",
               "--embedding-property", "other", "--storage-mode", "dual_write")
    assert f"filled with {media.label}.embedding by {media.label}.id, not with {media.label}.other" in (tmp_path / "typo.log").read_text()
    other = ("--embedding-property", "other", "--checkpoint-file", str(tmp_path / "other.json"))
    for command in ("preflight", "migrate-embeddings"):
        done = tool.run(command, *(other if command != "preflight" else other[:2]))
        assert done.returncode == 5 and "--adopt-collection" in done.stdout + done.stderr, done.stdout + done.stderr
    assert milvus.rows() == before
    assert tool.copy(*other, "--adopt-collection")["copied"] == 3
    assert {row[1] == pytest.approx(vector(9)) for row in milvus.rows().values()} == {True}


def test_many_deletions_are_asked_about_first(media, milvus, tool):
    media.make_ids_unique()
    media.create(items(1000))
    tool.copy()
    # A hundred, or a tenth, need no permission.
    media("MATCH (m:LABEL) WHERE m.id < '00100' DELETE m")
    assert tool.copy()["swept"] == 100
    media("MATCH (m:LABEL) WHERE m.id < '00201' DELETE m")
    media("MATCH (m:LABEL {id: '00900'}) SET m.embedding_version = 2, m.title = 'newer'")
    done = tool.run("migrate-embeddings", "--output", "json")
    assert done.returncode == 5 and "101 of 900 rows" in done.stderr and "--allow-deletes" in done.stderr, done.stderr
    result = json.loads(done.stdout)
    assert (result["deletes_refused"], result["swept"], result["interrupted"], result["copied"]) == (101, 0, False, 799)
    assert milvus.count() == 900 and milvus.rows()["00900"][2] == "newer", "all else is done"

    media("MATCH (m:LABEL {id: '00901'}) SET m.title = 'changed around'")
    done = tool.run("validate", "--full-scan", "--fix-inconsistencies", "--output", "json")
    assert done.returncode == 5 and "101 of 900 rows" in done.stderr and "--allow-deletes" in done.stderr, done.stderr
    report = json.loads(done.stdout)
    assert (report["orphaned"], report["deletes_refused"], report["fixed"]) == (101, 101, 1)
    assert milvus.count() == 900 and milvus.rows()["00901"][2] == "changed around"
    report = tool.validate("--full-scan", "--fix-inconsistencies", "--allow-deletes")
    assert (report["deletes_refused"], report["fixed"]) == (0, 101)
    assert milvus.rows() == media.rows()
    assert tool.copy()["deletes_refused"] == 0


def test_anti_entropy_that_finds_too_much_gone_owes_nothing(start, media, milvus, tool):  # noqa: F811
    media.create(items(300))
    tool.copy()
    media("MATCH (m:LABEL) WHERE m.id < '00101' DELETE m")
    media("MATCH (m:LABEL {id: '00200'}) SET m.embedding_version = 2")
    engine = start("dual_write", "--properties", "title", "--anti-entropy-secs", 1)
    wait_for(lambda: engine.metric("crossover_repairs_refused_total") >= 102)
    line = next(line for line in engine.log().splitlines() if "event=anti_entropy" in line)
    assert "result=refused" in line and "orphans=101" in line and "different=102" in line
    assert entries_of(media) == 0 and engine.metric("crossover_repaired_total") == 0
    assert milvus.count() == 300
    # One fewer, and they go.
    media.create(items(1))
    wait_for(lambda: engine.metric("crossover_repaired_total") >= 101)
    wait_for(lambda: entries_of(media) == 0)
    wait_for(lambda: milvus.rows() == media.rows())


def test_an_entry_with_an_id_of_no_kind_is_discarded(start, films, media):  # noqa: F811
    engine = start("dual_write")
    for wrong in (True, 1.5, 7, None):
        owe(media, wrong)
    wait_for(lambda: entries_of(media) == 0)
    wait_for(lambda: engine.log().count("event=outbox result=discarded") >= 1)


def test_entries_of_an_earlier_release_are_taken_over(start, films, media, milvus, tool):  # noqa: F811
    tool.copy("--properties", "title,year")
    media("MATCH (m:LABEL {id: 'film-001'}) SET m.title = 'changed', m.embedding_version = 2")
    media("CREATE (:EmbeddingChange {key: randomUUID(), media_id: 'film-001', op: 'put', created_at: 1, lease: 1})")
    engine = start("dual_write")
    wait_for(lambda: outbox(media) == 0)
    assert 'result="taken over from an earlier release" entries=1' in engine.log()
    assert milvus.rows()["film-001"][2] == "changed"


def test_two_jobs_keep_their_quarantined_items_apart(media, milvus, other_milvus, others, tool, other_tool):
    media.make_ids_unique()
    for nodes, name in ((media, "mine"), (others, "theirs")):
        nodes.create([*items(20), {"id": name, "embedding": [1.0]}])
    assert tool.copy(code=4)["quarantined"] == 1
    other_tool.quarantine = tool.quarantine
    done = other_tool.run("migrate-embeddings")
    assert done.returncode == 5 and str(tool.quarantine) in done.stderr and str(tool.checkpoint) in done.stderr
    # By default each collection has a file of its own.
    for one in (tool, other_tool):
        one.command = lambda name, *arguments, one=one: [
            one.path, name, *one.what, "--checkpoint-file", str(one.checkpoint), *map(str, arguments)]
        one.folder = tool.folder
    other_tool.copy(code=4)
    names = sorted(path.name for path in tool.folder.glob("migration_quarantine_*.ndjson"))
    assert names == [f"migration_quarantine_{others.collection}.ndjson"]
    done = tool.run("migrate-embeddings")
    assert done.returncode == 5 and f"--quarantine-file {tool.quarantine}" in done.stderr, done.stderr
