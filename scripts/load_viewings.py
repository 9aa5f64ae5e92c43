#!/usr/bin/env python3
"""Load made-up users and their viewings of the media that Neo4j holds.

No real person is behind them: a seeded generator gives each user a few films they are fond of, and has them watch what is near
those, popular films rather than obscure ones, now and then something else. Each viewing is a relationship
(:User {id})-[:VIEWED {rating: 1 to 5, at}]->(media). The same seed makes the same viewings; safe to run twice.
The server is the one that NEO4J_URI, NEO4J_USER, NEO4J_PASSWORD and NEO4J_DATABASE name.
"""

import argparse
import os
import pathlib
import sys
import time

SCRIPTS = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(SCRIPTS / "lib"))
try:
    import neo4j  # noqa: F401
    import numpy
except ModuleNotFoundError:  # not the project's Python: start again with that one
    os.execv(SCRIPTS / "python", ["python", *sys.argv])
from media_writer import quoted, session, stop

LAST_DAY = 1_767_225_600  # 2026-01-01, so that a seed means the same on any day
DAY = 86_400


def read_media(opened, label):
    rows = opened.run(
        f"MATCH (m:{quoted(label)}) WHERE m.embedding IS NOT NULL "
        "RETURN m.id AS id, m.embedding AS embedding, coalesce(m.imdb_votes, 100) AS votes ORDER BY m.id"
    ).data()
    if not rows:
        stop(f"there is no {label} with an embedding; load some first (scripts/load_media.py)")
    vectors = numpy.array([row["embedding"] for row in rows], dtype=numpy.float32)
    vectors /= numpy.maximum(numpy.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return [row["id"] for row in rows], vectors, numpy.log1p(numpy.array([row["votes"] for row in rows], dtype=float))


def make_viewings(ids, vectors, popularity, users, seed):
    """Yields {user, media, rating, at}."""
    chance = numpy.random.default_rng(seed)
    weight = popularity / popularity.sum()
    for number in range(users):
        fond_of = chance.choice(len(ids), size=chance.integers(1, 4), replace=False, p=weight)
        nearness = (vectors @ vectors[fond_of].T).max(axis=1)
        pull = numpy.exp(8 * nearness) * weight
        seen = chance.choice(len(ids), size=min(len(ids), int(chance.integers(15, 60))), replace=False, p=pull / pull.sum())
        for item in seen:
            rating = int(numpy.clip(round(1 + 4 * nearness[item] + chance.normal(0.6, 0.8)), 1, 5))
            yield {"user": f"user-{number:04}", "media": ids[item], "rating": rating,
                   "at": LAST_DAY - int(chance.integers(0, 365 * DAY))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=500, help="how many (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="default: %(default)s")
    parser.add_argument("--label", default="MediaContent", help="the media nodes' label (default: %(default)s)")
    options = parser.parse_args()

    started = time.monotonic()
    with session() as opened:
        opened.run("CREATE CONSTRAINT crossover_user_id IF NOT EXISTS FOR (u:User) REQUIRE u.id IS UNIQUE").consume()
        viewings = list(make_viewings(*read_media(opened, options.label), options.users, options.seed))
        for first in range(0, len(viewings), 5000):
            opened.run(
                "UNWIND $rows AS row MERGE (u:User {id: row.user}) WITH u, row "
                f"MATCH (m:{quoted(options.label)} {{id: row.media}}) MERGE (u)-[v:VIEWED]->(m) "
                "SET v.rating = row.rating, v.at = row.at",
                rows=viewings[first : first + 5000],
            ).consume()
    print(f"{len(viewings):,} made-up viewings by {options.users:,} made-up users loaded in {time.monotonic() - started:.1f} s")


if __name__ == "__main__":
    main()
