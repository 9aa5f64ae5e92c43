"""A gRPC proxy before Milvus that answers some calls itself, as a server that is sick, or newer, would."""

import threading
import urllib.parse
from concurrent import futures

import grpc
from pymilvus.grpc_gen import common_pb2, milvus_pb2

NO_LIMIT = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1),
            ("grpc.keepalive_permit_without_calls", 1), ("grpc.http2.min_ping_interval_without_data_ms", 1000)]
ANSWERS = {"Upsert": milvus_pb2.MutationResult, "Delete": milvus_pb2.MutationResult, "Query": milvus_pb2.QueryResults,
           "Search": milvus_pb2.SearchResults, "Flush": milvus_pb2.FlushResponse,
           "DescribeCollection": milvus_pb2.DescribeCollectionResponse, "LoadCollection": common_pb2.Status}


def status(call, code, reason, retriable=False, legacy=1):
    """The answer to `call` that is a successful call and this status."""
    told = common_pb2.Status(code=code, reason=reason, retriable=retriable, error_code=legacy)
    return told.SerializeToString() if call == "LoadCollection" else ANSWERS[call](status=told).SerializeToString()


class GrpcProxy(grpc.GenericRpcHandler):
    """`rule(call, request, forward)` answers in bytes, or None to have the call forwarded; `forward()` asks Milvus."""

    def __init__(self, uri, rule):
        self.rule, self.calls, self.lock = rule, {}, threading.Lock()
        self.channel = grpc.insecure_channel(urllib.parse.urlsplit(uri).netloc, NO_LIMIT)
        self.server = grpc.server(futures.ThreadPoolExecutor(32), [self], options=NO_LIMIT)
        self.uri = f"http://127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"
        self.server.start()

    def close(self):
        self.server.stop(None)
        self.channel.close()

    def service(self, details):
        call = details.method.rsplit("/", 1)[1]
        metadata = [(key, value) for key, value in details.invocation_metadata if key in ("authorization", "dbname", "identifier")]

        def answer(request, context):
            def forward():
                return self.channel.unary_unary(details.method)(request, metadata=metadata, timeout=60)
            with self.lock:
                self.calls[call] = self.calls.get(call, 0) + 1
            try:
                own = self.rule(call, request, forward)
                return forward() if own is None else own
            except grpc.RpcError as error:
                context.abort(error.code(), error.details())

        return grpc.unary_unary_rpc_method_handler(answer)


class Once:
    """Answers the n-th call of each name in `answers` so, once."""

    def __init__(self, answers, after=1):
        self.answers, self.after, self.seen, self.lock = dict(answers), after, {}, threading.Lock()

    def __call__(self, call, request, forward):
        with self.lock:
            self.seen[call] = self.seen.get(call, 0) + 1
            if self.seen[call] <= self.after or call not in self.answers:
                return None
            own = self.answers.pop(call)
        return own(forward) if callable(own) else own
