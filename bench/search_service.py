"""POST /v1/search as one would write it in Python: FastAPI over pymilvus. What bench/run_engine.py compares the engine with.

    MILVUS_URI=… MILVUS_TOKEN=… python search_service.py COLLECTION DIMENSION PROPERTY,PROPERTY
"""

import os
import socket
import sys

import pymilvus
import uvicorn
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field

COLLECTION, DIMENSION, PROPERTIES = sys.argv[1], int(sys.argv[2]), sys.argv[3].split(",")
milvus = pymilvus.MilvusClient(uri=os.environ["MILVUS_URI"], token=os.environ["MILVUS_TOKEN"])
app = FastAPI()


class Query(BaseModel):
    embedding: list[float]
    k: int = Field(10, ge=1, le=1000)


class Hit(BaseModel):
    id: str
    score: float
    properties: dict


class Answer(BaseModel):
    source: str
    results: list[Hit]


@app.post("/v1/search")
def search(query: Query) -> Answer:
    if len(query.embedding) != DIMENSION:
        raise HTTPException(422, f"{len(query.embedding)} values, expected {DIMENSION}")
    hits = milvus.search(COLLECTION, [query.embedding], limit=query.k, output_fields=PROPERTIES, consistency_level="Bounded")[0]
    return Answer(source="milvus", results=[Hit(id=hit["id"], score=hit["distance"], properties=hit["entity"]) for hit in hits])


if __name__ == "__main__":
    listener = socket.create_server(("127.0.0.1", 0))
    print("listening on 127.0.0.1:%d" % listener.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run([listener])
