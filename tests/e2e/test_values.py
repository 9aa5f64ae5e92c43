"""Values and types: what the user has is what Milvus carries, judged by Neo4j's own toString() and the official clients."""

import base64
import json
import math

import neo4j
import pytest
from conftest import wait_for
from engine import Engine
from test_engine import engine_path  # noqa: F401  (a fixture)

DIMENSION = 4


def vector(seed):
    return [1.0, float(seed), 0.5, -1.0]


def with_properties(tool, properties):
    tool.what[tool.what.index("--properties") + 1] = properties


def raw_types(milvus):
    fields = milvus.client.describe_collection(milvus.collection)["fields"]
    return {field["name"]: field["type"].name for field in fields}


TEMPORAL = ["date('2024-02-29')", "date({year: 12024, month: 1, day: 2})", "date({year: -5, month: 1, day: 2})",
            "localtime('12:00:00.5')", "time('12:00-00:30')", "localdatetime('1969-12-31T23:59:59.000000001')",
            "datetime('2024-01-01T08:00Z')", "datetime('2024-01-01T08:00:00.123+02:00')",
            "datetime('2024-07-01T08:00[Europe/Paris]')", "datetime('1800-07-01T08:00[Europe/Paris]')",
            "duration('P1Y2M3DT4H5M6.7S')", "duration({seconds: -1, nanoseconds: 500000000})", "duration({months: -14})"]


def test_texts_are_what_the_user_has(tool, media, milvus):
    for n, value in enumerate(TEMPORAL):
        media(f"CREATE (:LABEL {{id: 'time-{n:02}', title: {value}, embedding: $v}})", v=vector(n))
    others = {
        "point": (neo4j.spatial.WGS84Point((12.5, 41.9)), "SRID=4326;POINT(12.5 41.9)"),
        "point3": (neo4j.spatial.WGS84Point((12.5, 41.9, 100)), "SRID=4979;POINT(12.5 41.9 100)"),
        "list": (["a", "b, c", "ü\"\\\n"], '["a","b, c","ü\\"\\\\\\n"]'),
        "numbers": ([1, 2], "[1,2]"),
        "bytes": (b"\x00\xff\x10 ", base64.b64encode(b"\x00\xff\x10 ").decode()),
        "integer": (9007199254740993, "9007199254740993"),
        "float": (5.0, "5.0"),
        "boolean": (True, "true"),
        "string": ("Alien", "Alien"),
    }
    media.create([{"id": name, "title": value, "embedding": vector(1)} for name, (value, _) in others.items()])
    tool.copy()
    found = {name: row[2] for name, row in milvus.rows().items()}
    expected = {row["id"]: row["text"] for row in media("MATCH (m:LABEL) WHERE m.id STARTS WITH 'time' RETURN m.id AS id, toString(m.title) AS text")}
    assert found == {**expected, **{name: text for name, (_, text) in others.items()}}
    assert json.loads(found["list"]) == others["list"][0]
    report = tool.validate("--full-scan")
    assert report["checked"] == report["consistent"] == len(found)
    # A former form, or any other text, is seen.
    row = milvus.client.get(milvus.collection, ids=["point"], output_fields=["*"])[0]
    milvus.upsert([{**row, "title": "Point2D"}])
    assert tool.validate("--full-scan", "--fix-inconsistencies")["different_property"] == 1
    assert tool.validate("--full-scan")["consistent"] == len(found)


def test_types_fit_each_value_exactly(tool, media, milvus):
    with_properties(tool, "exact,great,whole,nan,none,named property=named:text")
    media.create([
        {"id": "a", "exact": 2**53, "great": 2**53 + 1, "whole": 2**62 + 1, "nan": math.nan, "named property": 1, "embedding": vector(1)},
        {"id": "b", "exact": 0.5, "great": 0.5, "whole": 2, "nan": 1.5, "named property": "x", "embedding": vector(2)}])
    shown = tool.run("preflight", "--output", "json")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    report = json.loads(shown.stdout)
    assert report["inventory"]["types"] == {
        "exact": {"type": "float64", "field": "exact", "decided_by": "values", "values": 2},
        "great": {"type": "text", "field": "great", "decided_by": "values", "values": 2},
        "whole": {"type": "int64", "field": "whole", "decided_by": "values", "values": 2},
        "nan": {"type": "float64", "field": "nan", "decided_by": "values", "values": 2},
        "none": {"type": "text", "field": "none", "decided_by": "values", "values": 0},
        "named property": {"type": "text", "field": "named", "decided_by": "setting", "values": 2}}
    assert any("great is carried as text: beside floats it has 1 integer beyond 2^53" in note for note in report["notes"])
    tool.copy()
    assert raw_types(milvus) == {"id": "VARCHAR", "embedding": "FLOAT_VECTOR", "embedding_version": "INT64", "exact": "DOUBLE",
                                 "great": "VARCHAR", "whole": "INT64", "nan": "DOUBLE", "none": "VARCHAR", "named": "VARCHAR"}
    rows = milvus.rows(("exact", "great", "whole", "named"))
    assert rows["a"][2:] == (2.0**53, "9007199254740993", 2**62 + 1, "1")
    assert rows["b"][2:] == (0.5, "0.5", 2, "x")
    milvus.client.flush(milvus.collection)  # it writes another NaN then
    assert tool.validate("--full-scan")["consistent"] == 2
    # What comes later goes by the collection's types.
    media.create([{"id": "c", "exact": 2**53 + 1, "embedding": vector(3)}, {"id": "d", "whole": "x", "embedding": vector(4)},
                  {"id": "e", "exact": 3, "great": 4, "embedding": vector(5)}])
    report = json.loads(tool.run("preflight", "--output", "json").stdout)
    assert report["inventory"]["bad"] == {"property_type": 2}
    assert report["inventory"]["types"]["whole"]["decided_by"] == "collection"
    assert tool.copy(code=4)["quarantined"] == 2
    assert sorted((item["id"], item["reason"]) for item in tool.bad_items()) == [("c", "property_type"), ("d", "property_type")]
    assert milvus.rows(("exact", "great"))["e"][2:] == (3.0, "4")
    # A setting that contradicts the collection is refused, by preflight as by the copy.
    with_properties(tool, "exact:text,great,whole,nan,none,named property=named:text")
    for command in ("preflight", "migrate-embeddings"):
        done = tool.run(command, "--checkpoint-file", str(tool.folder / "other.json")) if command != "preflight" else tool.run(command)
        assert done.returncode == 5 and "its field exact is" in done.stdout + done.stderr, done.stdout + done.stderr


def test_vectors_without_a_direction(tool, media, milvus):
    sizes = [0.0, 1e-42, 1e-30, 1e20]
    media.create([{"id": f"bad-{n}", "title": "t", "embedding": [size] * DIMENSION} for n, size in enumerate(sizes)])
    media.create([{"id": f"good-{n}", "title": "t", "embedding": [size] * DIMENSION} for n, size in enumerate([1e-15, 1.0, 1e15])])
    assert tool.copy(code=4)["copied"] == 3
    assert sorted((item["id"], item["reason"]) for item in tool.bad_items()) == [(f"bad-{n}", "zero_vector") for n in range(4)]
    scores = [hit["distance"] for hit in milvus.client.search(milvus.collection, [[1.0] * DIMENSION], limit=10)[0]]
    assert scores == pytest.approx([1.0] * 3)


def test_a_collection_of_an_earlier_version_is_named(engine_path, tool, env, media, milvus, tmp_path):  # noqa: F811
    media.make_ids_unique()
    media("CREATE (:LABEL {id: 'a', title: date('2024-02-29'), embedding_version: 1, embedding: $v})", v=vector(1))
    tool.copy()
    physical = milvus.physical()
    milvus.drop()
    milvus.create(DIMENSION, f"Embeddings of {media.label}, kept equal to Neo4j by Crossover")
    milvus.upsert([{"id": "a", "embedding": vector(1), "embedding_version": 1, "title": "Date(19782)"}])
    for command in ("preflight", "validate", "migrate-embeddings"):
        done = tool.run(command)
        assert done.returncode == 5, done.stdout + done.stderr
        assert f"{physical} was filled by an earlier version of Crossover" in done.stdout + done.stderr
        assert "title would differ in every row" in done.stdout + done.stderr
    # Strings had the same form then.
    media("MATCH (m:LABEL) SET m.title = 'x', m.embedding_version = 2")
    tool.checkpoint.unlink()
    tool.copy()
    assert tool.validate("--full-scan")["consistent"] == 1
    engine = Engine(engine_path, env, tmp_path, "former", "--label", media.label, "--collection", media.collection, "--properties", "title",
                    "--storage-mode", "dual_write")
    try:
        assert engine.put("b", title="y", embedding=vector(2)).status == 201
        wait_for(lambda: "event=collection_warning" in engine.log())
        assert "filled by an earlier version of Crossover" in engine.log()
    finally:
        engine.close()


def test_an_engine_on_an_empty_label(engine_path, tool, env, media, milvus, tmp_path):  # noqa: F811
    media.make_ids_unique()
    properties = "title,year,place,rating:float64,release date=release_date"
    with_properties(tool, properties)
    engine = Engine(engine_path, env, tmp_path, "empty", "--label", media.label, "--collection", media.collection, "--properties",
                    properties, "--dimension", DIMENSION, "--storage-mode", "dual_write")
    try:
        body = {"title": "Alien", "year": 1979, "place": ["a", "b, c"], "rating": 8, "release date": "1979-05-25"}
        assert engine.put("alien", embedding=vector(1), **body).status == 201
        assert engine.put("bad", embedding=vector(1), rating="x").status == 422
        for size in (1e-30, 1e20):
            assert engine.put("bad", embedding=[size] * DIMENSION, title="x").status == 422
        assert media("MATCH (m:LABEL) RETURN m.year AS year, m.place AS place")[0].values() == [1979, ["a", "b, c"]]
        media("CREATE (:LABEL {id: 'paris', title: 'Paris', place: point({longitude: 2.5, latitude: 48.5}), year: date('2024-01-01'),"
              " embedding: $v})", v=vector(2))
        shown = {"title": "Alien", "year": "1979", "place": '["a","b, c"]', "rating": 8.0, "release date": "1979-05-25"}
        got = engine.get("alien").json
        assert {name: got[name] for name in shown} == shown
        assert engine.get("paris").json["place"] == "SRID=4326;POINT(2.5 48.5)"

        def ids(**condition):
            return [one["id"] for one in engine.search(vector(1), filter=condition).json["results"]]
        filters = [({"year": 1979}, ["alien"]), ({"year": {"gte": "2024"}}, ["paris"]), ({"place": ["a", "b, c"]}, ["alien"]),
                   ({"place": "SRID=4326;POINT(2.5 48.5)"}, ["paris"]), ({"release date": {"lt": "1980"}}, ["alien"])]
        for condition, expected in filters:
            assert ids(**condition) == expected, condition
        tool.copy()
        assert raw_types(milvus) == {"id": "VARCHAR", "embedding": "FLOAT_VECTOR", "embedding_version": "INT64", "title": "VARCHAR",
                                     "year": "VARCHAR", "place": "VARCHAR", "rating": "DOUBLE", "release_date": "VARCHAR"}
        fields = ("title", "year", "place", "rating", "release_date")
        assert milvus.rows(fields)["alien"][2:] == tuple(shown.values())
        assert tool.validate("--full-scan")["consistent"] == 2
    finally:
        engine.close()
    engine = Engine(engine_path, env, tmp_path, "hybrid", "--label", media.label, "--collection", media.collection, "--properties",
                    properties, "--dimension", DIMENSION, "--storage-mode", "hybrid")
    try:
        for condition, expected in filters[:-1]:
            assert ids(**condition) == expected, condition
        found = engine.search(vector(1), k=1).json
        assert found["source"] == "milvus"
        assert {name: found["results"][0][name] for name in shown} == shown
    finally:
        engine.close()
        media("MATCH (n) WHERE n:EmbeddingChange OR n:EngineReplica DELETE n")
