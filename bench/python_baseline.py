#!/usr/bin/env python3
"""The script one would write instead of using Crossover: Neo4j to Milvus with the official Python clients.

Keyset pages of 1,000 in the order of ids, each upserted before the next is read; then flush, index and load. No version
checks, no checkpoint, no quarantine. It is what `migrate migrate-embeddings` is measured against, so it does what the
clients' manuals show and nothing against them: an indexed page query, one session, one request a page.

Reads NEO4J_URI, NEO4J_USER, NEO4J_PASSWORD, MILVUS_URI and MILVUS_TOKEN. Prints one JSON object; times are in seconds,
copy_seconds runs from the first read to the last acknowledged upsert.
"""

import argparse
import json
import os
import resource
import time

from neo4j import GraphDatabase
from pymilvus import DataType, MilvusClient

PAGE = """
MATCH (m:{label}) WHERE m.id > $last AND m.embedding IS NOT NULL
RETURN m.id AS id, m.embedding AS embedding, coalesce(m.embedding_version, 0) AS embedding_version,
       m.title AS title, m.genre AS genre, m.year AS year
ORDER BY m.id LIMIT $page_size
"""


def create_collection(milvus, name, dimension):
    schema = MilvusClient.create_schema(auto_id=False)
    schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=8000)
    schema.add_field("embedding", DataType.FLOAT_VECTOR, dim=dimension)
    schema.add_field("embedding_version", DataType.INT64)
    schema.add_field("title", DataType.VARCHAR, max_length=65535)
    schema.add_field("genre", DataType.VARCHAR, max_length=65535)
    schema.add_field("year", DataType.INT64)
    milvus.create_collection(name, schema=schema)


def copy(session, milvus, collection, label, page_size, limit):
    query = PAGE.format(label=label)
    items, last = 0, ""
    while items < limit:
        rows = session.run(query, last=last, page_size=min(page_size, limit - items)).data()
        if not rows:
            break
        if items == 0:
            create_collection(milvus, collection, len(rows[0]["embedding"]))
        milvus.upsert(collection, rows)
        items += len(rows)
        last = rows[-1]["id"]
    return items


def create_index(milvus, collection):
    index = MilvusClient.prepare_index_params()
    index.add_index("embedding", index_type="HNSW", metric_type="COSINE", params={"M": 16, "efConstruction": 256})
    milvus.create_index(collection, index)


def seconds(action, *arguments):
    start = time.monotonic()
    result = action(*arguments)
    return time.monotonic() - start, result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--label", default="MediaContent")
    parser.add_argument("--collection", default="python_baseline")
    parser.add_argument("--page-size", type=int, default=1000)
    parser.add_argument("--limit", type=int, default=1 << 62, help="stop after so many items")
    options = parser.parse_args()

    driver = GraphDatabase.driver(os.environ["NEO4J_URI"], auth=(os.environ["NEO4J_USER"], os.environ["NEO4J_PASSWORD"]))
    milvus = MilvusClient(os.environ["MILVUS_URI"], token=os.environ["MILVUS_TOKEN"])
    if milvus.has_collection(options.collection):
        milvus.drop_collection(options.collection)
    with driver, driver.session() as session:
        driver.verify_connectivity()
        copy_seconds, items = seconds(
            copy, session, milvus, options.collection, options.label, options.page_size, options.limit
        )
    flush_seconds, _ = seconds(milvus.flush, options.collection)
    build_seconds, _ = seconds(create_index, milvus, options.collection)
    load_seconds, _ = seconds(milvus.load_collection, options.collection)
    print(
        json.dumps(
            {
                "items": items,
                "copy_seconds": copy_seconds,
                "flush_seconds": flush_seconds,
                "build_seconds": build_seconds,
                "load_seconds": load_seconds,
                "index_seconds": flush_seconds + build_seconds + load_seconds,
                "items_per_second": items / copy_seconds,
                "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            }
        )
    )


if __name__ == "__main__":
    main()
