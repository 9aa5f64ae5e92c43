#!/usr/bin/env python3
"""Load media into Neo4j from a file of your own.

FILE.ndjson holds one JSON object a line: `id` (string or integer), any properties, and the embedding, either in the line as
"embedding": [numbers], or with --embeddings in row i of a two-dimensional .npy for line i. Null properties are left out.
The server is the one that NEO4J_URI, NEO4J_USER, NEO4J_PASSWORD and NEO4J_DATABASE name. Safe to run twice.
"""

import argparse
import itertools
import json
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
from media_writer import BATCH, count, prepare, session, stop, write


def read_rows(path: str, vectors: numpy.ndarray | None):
    """Yields {id, properties, embedding} and ends the program at the first line that can't be loaded."""
    number = 0
    try:
        with open(path, encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                where = f"{path}, line {number}"
                try:
                    properties = json.loads(line)
                except json.JSONDecodeError as broken:
                    stop(f"{where}: not JSON: {broken}")
                if not isinstance(properties, dict):
                    stop(f"{where}: not a JSON object")
                media_id = properties.pop("id", None)
                if isinstance(media_id, bool) or not isinstance(media_id, (str, int)):
                    stop(f"{where}: `id` must be a string or an integer")
                embedding = properties.pop("embedding", None)
                if vectors is not None:
                    if embedding is not None:
                        stop(f"{where}: has an embedding, and --embeddings gives another; use one of the two")
                    if number > len(vectors):
                        stop(f"{where}: the embeddings end at row {len(vectors)}; they must be as many as the lines")
                    embedding = vectors[number - 1].tolist()
                elif embedding is not None and not (
                    isinstance(embedding, list)
                    and all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in embedding)
                ):
                    stop(f"{where}: `embedding` must be a list of numbers")
                yield {
                    "id": media_id,
                    "properties": {name: value for name, value in properties.items() if value is not None},
                    "embedding": [float(value) for value in embedding] if embedding is not None else None,
                }
    except (OSError, UnicodeDecodeError) as unreadable:
        stop(f"{path}: {unreadable}")
    if vectors is not None and number != len(vectors):
        stop(f"{path} has {number} lines, but the embeddings have {len(vectors)} rows; they must be as many")


def read_vectors(path: str) -> numpy.ndarray:
    try:
        vectors = numpy.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as unreadable:
        stop(f"{path}: {unreadable}")
    if vectors.ndim != 2 or not numpy.issubdtype(vectors.dtype, numpy.floating):
        stop(f"{path}: expected a table of floats, one row a line; found {vectors.dtype} {vectors.shape}")
    return vectors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", metavar="FILE.ndjson")
    parser.add_argument("--embeddings", metavar="FILE.npy", help="the embeddings, row by row")
    parser.add_argument("--label", default="MediaContent", help="the nodes' label (default: %(default)s)")
    options = parser.parse_args()

    started = time.monotonic()
    rows = read_rows(options.file, read_vectors(options.embeddings) if options.embeddings else None)
    loaded = 0
    with session() as opened:
        prepare(opened, options.label)
        while batch := list(itertools.islice(rows, BATCH)):
            write(opened, options.label, batch)
            loaded += len(batch)
        total = count(opened, options.label)
    print(
        f"{loaded:,} media items loaded into {os.environ['NEO4J_URI']} in {time.monotonic() - started:.1f} s; "
        f"it now holds {total:,} {options.label} nodes"
    )


if __name__ == "__main__":
    main()
