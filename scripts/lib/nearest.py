"""Shows, out of Milvus, the media nearest to one of them: nearest.py TITLE [COLLECTION].

Only Milvus is asked (MILVUS_URI, MILVUS_TOKEN): the vector of the title, then a search with it.
"""

import json
import os
import sys

from pymilvus import MilvusClient

NEIGHBOURS = 8
FIELDS = ["title", "year", "genre"]


def main() -> None:
    title, collection = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "media_embeddings"
    milvus = MilvusClient(
        os.environ["MILVUS_URI"], token=os.environ["MILVUS_TOKEN"], db_name=os.environ.get("MILVUS_DATABASE", "default")
    )
    found = milvus.query(collection, filter=f"title == {json.dumps(title)}", output_fields=["embedding"], limit=1)
    if not found:
        sys.exit(f"error: no media with the title {title} in {collection}")
    hits = milvus.search(collection, [found[0]["embedding"]], limit=NEIGHBOURS + 1, output_fields=FIELDS)[0]
    print(f"{'Nearest to ' + title:<44} {'Year':>4}  {'Genre':<20} Cosine")
    for hit in hits:
        if hit["id"] == found[0]["id"]:
            continue
        film = hit["entity"]
        print(f"  {film['title'][:42]:<42} {film['year'] or '':>4}  {film['genre'] or '':<20} {hit['distance']:.3f}")


if __name__ == "__main__":
    main()
