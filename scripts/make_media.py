#!/usr/bin/env python3
"""Fill Neo4j with synthetic media, for benches and trials.

The same --seed, --count and --dimension give the same nodes, however many writers there are: ids media-0000000 and up, titles,
genres, years, and embeddings of unit length. An embedding is that of a real film of data/, moved by a share of the way between
two others and turned into the dimension asked for: so items have near and far neighbours as in life, where in random directions
all would be equally far. The server is the one that NEO4J_URI and the rest of the environment name. Safe to run twice.
"""

import argparse
import concurrent.futures
import functools
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
from media_writer import BATCH, prepare, session, write

GENRES = ("Action", "Comedy", "Documentary", "Drama", "Horror", "Musical", "Romance", "Western")


FILMS = SCRIPTS.parent / "data" / "movies-embeddings.npy"
VARIATION = 0.3


@functools.cache
def turned_films(dimension: int) -> numpy.ndarray:
    """The films' embeddings in `dimension` dimensions: all distances as they are where there is room for them."""
    films = numpy.load(FILMS)
    own = films.shape[1]
    axes, _ = numpy.linalg.qr(numpy.random.default_rng(0).standard_normal((max(own, dimension), min(own, dimension))))
    return films @ (axes.T if dimension > own else axes).astype(numpy.float32)


def make_batch(options: argparse.Namespace, first: int) -> list[dict]:
    size = min(BATCH, options.count - first)
    random = numpy.random.default_rng((options.seed, first))
    films = turned_films(options.dimension)
    film, here, there = random.integers(len(films), size=(3, size))
    vectors = films[film] + VARIATION * (films[there] - films[here])
    vectors /= numpy.linalg.norm(vectors, axis=1, keepdims=True)
    genres = random.integers(len(GENRES), size=size)
    years = random.integers(1920, 2026, size=size)
    return [
        {
            "id": f"media-{first + row:07}",
            "properties": {"title": f"Title {first + row}", "genre": GENRES[genres[row]], "year": int(years[row])},
            "embedding": vectors[row].tolist(),
        }
        for row in range(size)
    ]


def write_share(options: argparse.Namespace, writer: int) -> int:
    """Every writers-th batch, in a process of its own: packing floats is what takes the time."""
    written = 0
    with session() as opened:
        for first in range(writer * BATCH, options.count, options.writers * BATCH):
            batch = make_batch(options, first)
            write(opened, options.label, batch)
            written += len(batch)
    return written


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=positive, required=True, help="how many media")
    parser.add_argument("--dimension", type=positive, default=768, help="of the embeddings (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--label", default="MediaContent", help="the nodes' label (default: %(default)s)")
    parser.add_argument("--writers", type=positive, default=os.cpu_count(), help="processes (default: the processors, here %(default)s)")
    options = parser.parse_args()

    started = time.monotonic()
    with session() as opened:
        prepare(opened, options.label)
    with concurrent.futures.ProcessPoolExecutor(options.writers) as pool:
        written = sum(pool.map(write_share, [options] * options.writers, range(options.writers)))
    seconds = time.monotonic() - started
    print(f"{written:,} media items of {options.dimension} dimensions written in {seconds:.0f} s ({written / seconds:,.0f} a second)")


if __name__ == "__main__":
    main()
