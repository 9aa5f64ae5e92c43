#!/usr/bin/env bash
# pymilvus 3.0.2 against Milvus 2.3.5, as while a migration's clients are upgraded before its server.
#
# Expected: what the server does not know is refused, as an unknown function in a filter is, or the client looks at the
# server's version and says so.
# Seen: `order_by_fields` of a query and `group_by_field` of a search are dropped without a word, although both change which rows
# are the answer: the "five newest" are the first five by primary key, and "one hit a group" repeats groups. Nothing in the
# answer tells. (`filter_params` is refused, as expected.)
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
python_with pymilvus==3.0.2 numpy==2.4.6
milvus_server

cat >"$WORK/expected" <<'SEEN'
query ordered by year, descending, limit 5: [0, 1, 2, 3, 4]
search for 4 hits, one a group: groups [0, 0, 0, 0]
query with filter_params: refused
SEEN
"$PYTHON" - <<'PY' 2>"$WORK/client.log" | expect "$WORK/expected"
import os
import time

from pymilvus import DataType, MilvusClient, MilvusException

end = time.monotonic() + 120
while True:  # it listens before it serves
    try:
        client = MilvusClient(uri=os.environ["MILVUS_URI"])
        client.list_collections()
        break
    except Exception:
        if time.monotonic() > end:
            raise
        time.sleep(1)
fields = client.create_schema(auto_id=False, enable_dynamic_field=False)
fields.add_field("id", DataType.INT64, is_primary=True)
fields.add_field("year", DataType.INT64)
fields.add_field("kind", DataType.INT64)
fields.add_field("embedding", DataType.FLOAT_VECTOR, dim=2)
index = client.prepare_index_params()
index.add_index("embedding", index_type="FLAT", metric_type="L2")
client.create_collection("films", schema=fields, index_params=index, consistency_level="Strong")
# The nearest four to the origin are of one kind.
client.upsert("films", [{"id": n, "year": 1900 + n, "kind": n // 4, "embedding": [float(n), 0.0]} for n in range(40)])

rows = client.query("films", filter="id >= 0", output_fields=["year"], limit=5,
                    order_by_fields=[{"field": "year", "order": "desc"}])
print("query ordered by year, descending, limit 5:", [row["id"] for row in rows])
hits = client.search("films", data=[[0.0, 0.0]], limit=4, output_fields=["kind"], group_by_field="kind")[0]
print("search for 4 hits, one a group: groups", [hit["entity"]["kind"] for hit in hits])
try:
    client.query("films", filter="id in {ids}", filter_params={"ids": [1, 2]}, output_fields=["id"])
    print("query with filter_params: answered")
except MilvusException:
    print("query with filter_params: refused")
PY
