#!/usr/bin/env bash
# Neo4j 2026.09.0 Community, official driver 6.4.1.
#
# A transaction removes things and then searches the vector index, as a step that archives embeddings would to check itself.
# Expected: the search leaves out what the transaction has removed, as every other read in it does, and fills up to LIMIT.
# Seen: the index answers as committed, and what comes after it differs by what was removed and by how one asks:
#   * nodes deleted:  db.index.vector.queryNodes silently answers short (2 of 5, though 97 others are there); the SEARCH
#                     clause fails with EntityNotFound (25N13), about nodes that the query never named;
#   * label removed:  MATCH (m:M) SEARCH … returns nodes without the label M;
#   * embedding removed or replaced: the former score stands beside no vector, or beside another one.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
python_with neo4j==6.4.1
neo4j_server 2026.09.0

cat >"$WORK/expected" <<'SEEN'
delete node: queryNodes 2 of 5
delete node: SEARCH fails: Neo.ClientError.Statement.EntityNotFound 25N13
remove label: queryNodes 5 of 5, without the label 3, without embedding 0, score of another vector 0
remove label: SEARCH 5 of 5, without the label 3, without embedding 0, score of another vector 0
remove embedding: queryNodes 5 of 5, without the label 0, without embedding 3, score of another vector 0
remove embedding: SEARCH 5 of 5, without the label 0, without embedding 3, score of another vector 0
replace embedding: queryNodes 5 of 5, without the label 0, without embedding 0, score of another vector 3
replace embedding: SEARCH 5 of 5, without the label 0, without embedding 0, score of another vector 3
SEEN
"$PYTHON" - <<'PY' | expect "$WORK/expected"
import os

import neo4j

driver = neo4j.GraphDatabase.driver(os.environ["NEO4J_URI"])
driver.verify_connectivity()
driver.execute_query("CREATE VECTOR INDEX v FOR (m:M) ON m.e OPTIONS {indexConfig: {`vector.dimensions`: 4, "
                     "`vector.similarity_function`: 'cosine', `vector.quantization.enabled`: false}}")
driver.execute_query("UNWIND range(1, 100) AS i CREATE (:M {id: i, e: [1.0, i / 50.0, 0.0, 0.0]})")
driver.execute_query("CALL db.awaitIndexes(60)")
COLUMNS = " RETURN m.id AS id, m:M AS labelled, m.e AS e, score, vector.similarity.cosine(m.e, $v) AS now"
ASK = {"queryNodes": "CALL db.index.vector.queryNodes('v', 5, $v) YIELD node AS m, score" + COLUMNS,
       "SEARCH": "CYPHER 25 MATCH (m:M) SEARCH m IN (VECTOR INDEX v FOR $v LIMIT 5) SCORE AS score" + COLUMNS}
DO = {"delete node": "DELETE m", "remove label": "REMOVE m:M", "remove embedding": "REMOVE m.e",
      "replace embedding": "SET m.e = [-1.0, 0.1, 0.0, 0.0]"}
query = [1.0, 0.2, 0.0, 0.0]
nearest = [row["id"] for row in driver.execute_query(ASK["queryNodes"], v=query).records][:3]

for what, change in DO.items():
    for how, ask in ASK.items():
        with driver.session() as session:
            transaction = session.begin_transaction()
            transaction.run("MATCH (m:M) WHERE m.id IN $ids " + change, ids=nearest).consume()
            try:
                rows = list(transaction.run(ask, v=query))
                if change == "DELETE m":
                    print(f"{what}: {how} {len(rows)} of 5")
                else:
                    print(f"{what}: {how} {len(rows)} of 5, without the label {sum(not r['labelled'] for r in rows)}, "
                          f"without embedding {sum(r['e'] is None for r in rows)}, score of another vector "
                          f"{sum(r['now'] is not None and abs(r['now'] - r['score']) > 0.01 for r in rows)}")
                transaction.rollback()
            except neo4j.exceptions.ClientError as error:
                print(f"{what}: {how} fails: {error.code} {error.gql_status}")
PY
