"""Recommendations on a small graph whose right answers can be told by hand."""

import json
import math

import pytest
import redis
from conftest import wait_for
from test_engine import DIMENSION, engine_path, start, vector  # noqa: F401 (fixtures)


def towards(axis, tilt=0.0):
    """A direction near an axis; the tilt leads away from it."""
    return [1.0 if n == axis else tilt if n == (axis + 1) % DIMENSION else 0.0 for n in range(DIMENSION)]


FILMS = [  # id, axis, tilt, genre, director
    ("war-1", 0, 0.0, "War", "Ada"), ("war-2", 0, 0.1, "War", "Ada"), ("war-3", 0, 0.2, "War", "Bob"),
    ("love-1", 3, 0.0, "Romance", "Cy"), ("love-2", 3, 0.1, "Romance", "Cy"), ("love-3", 3, 0.2, "Romance", "Dee"),
    ("odd-1", 6, 0.0, "Horror", "Ada"), ("odd-2", 6, 0.1, "Horror", "Eve"),
]


@pytest.fixture
def people(media):
    media.create([{"id": name, "title": name.upper(), "genre": genre, "director": director, "year": 2000 + number,
                   "embedding": towards(axis, tilt)} for number, (name, axis, tilt, genre, director) in enumerate(FILMS)])
    user = "u" + media.label

    def view(name, **ratings):
        media(f"MERGE (u:User {{id: $user}}) WITH u UNWIND $rows AS row MATCH (m:LABEL {{id: row[0]}})"
              " CREATE (u)-[:VIEWED {rating: row[1], at: 1}]->(m)",
              user=user + name, rows=[[film.replace("_", "-"), rating] for film, rating in ratings.items()])
        return user + name

    yield view
    media("MATCH (u:User) WHERE u.id STARTS WITH $user DETACH DELETE u", user=user)


def ask(engine, user, **more):
    answer = engine.request("POST", "/v1/recommendations", {"user_id": user, **more})
    assert answer.status == 200, answer
    return answer.json


def ids(answer):
    return [item["id"] for item in answer["results"]]


def test_one_of_whom_nothing_is_known_gets_what_most_have_seen(start, people):  # noqa: F811
    for number in range(3):
        people(f"many{number}", love_2=4, **({"odd_1": 3} if number else {}))
    engine = start("neo4j_only")
    answer = ask(engine, "nobody", k=2)
    assert answer["strategy"] == "popular" and ids(answer) == ["love-2", "odd-1"]
    assert answer["results"][0]["reason"] == "Seen by 3 viewers"
    assert ids(ask(engine, "nobody", filter={"year": 2006})) == ["odd-1"]


def test_few_viewings_lead_to_what_is_near(start, people):  # noqa: F811
    user = people("new", war_1=5, love_1=1)
    answer = ask(start("neo4j_only"), user, k=2)
    assert answer["strategy"] == "vector" and answer["source"] == "neo4j"
    assert ids(answer) == ["war-2", "war-3"], "never what was seen, nor what is near to the disliked"
    assert answer["results"][0]["reason"] == "Like WAR-1, which you liked"


def test_the_graph_leads_to_what_like_minded_viewers_liked(start, people):  # noqa: F811
    user = people("me", war_1=5, war_2=5)
    people("twin", war_1=5, war_2=5, odd_2=5)
    people("other", love_1=5, love_2=5)
    answer = ask(start("neo4j_only"), user, strategy="graph")
    found = {item["id"]: item["reason"] for item in answer["results"]}
    assert answer["strategy"] == "graph" and "source" not in answer
    assert found["odd-2"] == "Liked by 1 viewer with your taste"
    assert found["odd-1"] == "By Ada, of whom you liked 2 films"
    assert found["war-3"] == "You like War"
    assert not {"war-1", "war-2", "love-1", "love-2", "love-3"} & set(found)
    assert ids(answer)[0] == "odd-2"


def test_a_film_to_which_several_ways_lead_comes_first(start, people):  # noqa: F811
    user = people("me", war_1=5, odd_2=4, love_1=1, love_2=1, love_3=1)
    people("twin", war_1=5, odd_2=5, war_2=5)
    answer = ask(start("neo4j_only"), user)
    assert answer["strategy"] == "hybrid"
    assert ids(answer)[0] == "war-2", "near, co-watched, of the same director and genre"
    scores = [item["score"] for item in answer["results"]]
    assert scores == sorted(scores, reverse=True)
    assert set(ids(answer)) == {"war-2", "war-3", "odd-1"}
    assert ids(ask(start("neo4j_only"), user, filter={"year": {"gte": 2002}})) == ["odd-1", "war-3"]


def test_a_users_policy_weighs_the_ways(start, env, people):  # noqa: F811
    user = people("me", war_1=5, war_2=5)
    people("twin", war_1=5, war_2=5, odd_2=5)
    engine = start("neo4j_only")
    before = ask(engine, user, strategy="graph")
    assert before["policy"] == "default" and ids(before)[0] == "odd-2"
    with redis.Redis.from_url(env["REDIS_URL"]) as store:
        try:
            store.set(f"rl:policy:{user}", json.dumps({"co_watched": 0, "same_genre": 10}))
            weighed = ask(engine, user, strategy="graph")
            assert weighed["policy"] == "user" and ids(weighed)[0] == "war-3"
            assert weighed["results"][0]["reason"] == "You like War"
            store.set(f"rl:policy:{user}", b"\x80\x04 weights of another kind")
            assert ask(engine, user, strategy="graph") == before
        finally:
            store.delete(f"rl:policy:{user}")


def test_in_hybrid_mode_the_vectors_come_from_milvus(start, people, media, milvus, tool):  # noqa: F811
    user = people("me", war_1=5)
    tool.what[-1] = "title,year"
    tool.copy("--dimension", DIMENSION)
    engine = start("hybrid")
    wait_for(lambda: engine.request("GET", "/readyz").status == 200)
    answer = ask(engine, user, strategy="vector", k=2)
    assert answer["source"] == "milvus" and ids(answer) == ["war-2", "war-3"]


@pytest.mark.parametrize("mode, indexed", [("neo4j_only", False), ("neo4j_only", True), ("hybrid", False)])
def test_what_was_liked_and_has_no_direction_leads_nowhere(start, people, media, milvus, tool, mode, indexed):  # noqa: F811
    if mode == "hybrid":
        tool.what[-1] = "title,year"
        tool.copy("--dimension", DIMENSION)
    bad = {"zero": [0.0] * DIMENSION, "great": [1e20] * DIMENSION, "nan": [math.nan] + [1.0] * (DIMENSION - 1)}
    media.create([{"id": name, "title": name, "genre": "Bad", "embedding": embedding} for name, embedding in bad.items()])
    if indexed:
        media(f"CREATE VECTOR INDEX `v_LABEL` FOR (m:LABEL) ON m.embedding OPTIONS {{indexConfig: "
              f"{{`vector.dimensions`: {DIMENSION}, `vector.similarity_function`: 'cosine', `vector.quantization.enabled`: false}}}}")
        media("CALL db.awaitIndexes(60)")
    user, other = people("me", war_1=5, zero=5, great=5, nan=5), people("other", zero=5, great=5, nan=5)
    engine = start(mode)
    wait_for(lambda: engine.request("GET", "/readyz").status == 200)
    answer = ask(engine, user, strategy="vector", k=2)
    assert ids(answer) == ["war-2", "war-3"] and answer["source"] == ("milvus" if mode == "hybrid" else "neo4j")
    assert ids(ask(engine, user, strategy="hybrid", k=1)) == ["war-2"]
    nothing = ask(engine, other, strategy="vector")
    assert ids(nothing) == [] and "source" not in nothing
    if indexed:
        media("DROP INDEX `v_LABEL`")


@pytest.mark.parametrize("body, part", [
    ({}, "user_id"), ({"user_id": 5}, "user_id"), ({"user_id": "x", "strategy": "best"}, "auto, vector, graph or hybrid"),
    ({"user_id": "x", "k": 0}, "k must be"), ({"user_id": "x", "users": 1}, "no member users"),
])
def test_bad_requests_are_refused(start, people, body, part):  # noqa: F811
    answer = start("neo4j_only").request("POST", "/v1/recommendations", body)
    assert answer.status == 422 and part in answer.json["detail"], answer
