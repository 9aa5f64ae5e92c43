"""Asks a server once whether it is ready: probe.py neo4j|milvus ADDRESS PASSWORD. Prints its version.

Ready means that it does its work for the user and password that the stack gives out; Milvus starts with a password known to
all, so the first probe changes it.
"""

import logging
import sys


def neo4j(address: str, password: str) -> str:
    from neo4j import GraphDatabase

    with GraphDatabase.driver(address, auth=("neo4j", password), connection_timeout=5) as driver:
        records, _, _ = driver.execute_query("CALL dbms.components() YIELD versions RETURN versions[0]")
        return records[0][0]


def milvus(address: str, password: str) -> str:
    from grpc import RpcError, StatusCode
    from pymilvus import MilvusClient

    logging.disable(logging.CRITICAL)
    try:
        client = MilvusClient(address, token=f"root:{password}", timeout=5)
    except RpcError as refused:
        if refused.code() != StatusCode.UNAUTHENTICATED:
            raise
        client = MilvusClient(address, token="root:Milvus", timeout=5)
        client.update_password("root", "Milvus", password)
        client = MilvusClient(address, token=f"root:{password}", timeout=5)
    client.list_collections(timeout=5)
    return client.get_server_version(timeout=5).removeprefix("v")


if __name__ == "__main__":
    try:
        print({"neo4j": neo4j, "milvus": milvus}[sys.argv[1]](*sys.argv[2:4]))
    except Exception as not_ready:  # whatever it is, the caller asks again until its time is up
        sys.exit(f"{type(not_ready).__name__}: {not_ready}")
