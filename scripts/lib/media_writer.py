"""What load_media.py and make_media.py share: writing media into the Neo4j that the environment names.

Nodes are merged by id, so that a second run changes nothing. Vectors go through db.create.setNodeVectorProperty, which stores
them packed and reads back faster than a plain list.
"""

import contextlib
import os
import sys
from collections.abc import Iterator

from neo4j import GraphDatabase, Session
from neo4j.exceptions import DriverError, Neo4jError

BATCH = 500


def quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def stop(message: str) -> None:
    sys.exit(f"error: {message}")


@contextlib.contextmanager
def session() -> Iterator[Session]:
    """A session on NEO4J_URI as NEO4J_USER; ends the program with what to do when that fails."""
    missing = [name for name in ("NEO4J_URI", "NEO4J_USER", "NEO4J_PASSWORD") if not os.environ.get(name)]
    if missing:
        stop(f"{', '.join(missing)} not set; for the local servers: eval \"$(./scripts/stack.sh env)\"")
    uri, user = os.environ["NEO4J_URI"], os.environ["NEO4J_USER"]
    try:
        with GraphDatabase.driver(uri, auth=(user, os.environ["NEO4J_PASSWORD"])) as driver:
            with driver.session(database=os.environ.get("NEO4J_DATABASE", "neo4j")) as opened:
                yield opened
    except (DriverError, Neo4jError) as failed:
        stop(f"Neo4j at {uri}, as {user}: {failed}")


def prepare(opened: Session, label: str) -> None:
    """Makes ids unique, and thereby indexed, before the first write: MERGE without an index is quadratic."""
    opened.run(f"CREATE CONSTRAINT IF NOT EXISTS FOR (m:{quoted(label)}) REQUIRE m.id IS UNIQUE").consume()
    opened.run("CALL db.awaitIndexes(300)").consume()


def write(opened: Session, label: str, rows: list[dict]) -> None:
    """Rows are {id, properties, embedding}; an embedding of None leaves the node without one."""
    opened.run(
        f"""
        UNWIND $rows AS row
        MERGE (m:{quoted(label)} {{id: row.id}})
        SET m += row.properties
        WITH m, row WHERE row.embedding IS NOT NULL
        CALL db.create.setNodeVectorProperty(m, 'embedding', row.embedding)
        """,
        rows=rows,
    ).consume()


def count(opened: Session, label: str) -> int:
    return opened.run(f"MATCH (m:{quoted(label)}) RETURN count(m)").single()[0]
