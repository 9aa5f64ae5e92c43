#include "milvus/status.h"

#include <gtest/gtest.h>

namespace crossover::milvus {
namespace {

TEST(Status, SuccessNeedsBothCodesToBeZero) {
    EXPECT_TRUE((ServerStatus{0, 0, ""}.ok()));
    EXPECT_FALSE((ServerStatus{0, 1, ""}.ok()));
    EXPECT_FALSE((ServerStatus{100, 0, ""}.ok()));
}

TEST(Status, KindsFollowTheCode) {
    EXPECT_EQ(kind_of({100, 4, ""}), ErrorKind::not_found);
    EXPECT_EQ(kind_of({0, 4, ""}), ErrorKind::not_found);
    EXPECT_EQ(kind_of({65535, 28, ""}), ErrorKind::not_found);
    EXPECT_EQ(kind_of({101, 1, ""}), ErrorKind::unavailable);
    EXPECT_EQ(kind_of({503, 1, ""}), ErrorKind::unavailable);
    EXPECT_EQ(kind_of({8, 49, ""}), ErrorKind::overloaded);
    EXPECT_EQ(kind_of({800, 1, ""}), ErrorKind::not_found);
    EXPECT_EQ(kind_of({1100, 5, ""}), ErrorKind::rejected);
    EXPECT_EQ(kind_of({1102, 5, ""}), ErrorKind::too_large);
    EXPECT_EQ(kind_of({1400, 1, ""}), ErrorKind::authentication);
    EXPECT_EQ(kind_of({1602, 1, ""}), ErrorKind::conflict);
    EXPECT_EQ(kind_of({65535, 1, "something else"}), ErrorKind::rejected);
}

TEST(Status, AServerWhosePartsLookForEachOtherIsWaitedFor) {
    const ServerStatus status{
        65535, 1,
        "attempt #0: stack trace: /go/pkg/tracer/stack_trace.go:51 pkg/tracer.StackTrace\n"
        "/go/internal/datacoord/services.go:116 internal/datacoord.(*Server).Flush: attempt #0: rpc error: "
        "code = Unknown desc = node not match[expectedNodeID=1][actualNodeID=2]: attempt #3: session not "
        "found->datanode-1: node not found[node=1]: unrecoverable error"};
    EXPECT_EQ(kind_of(status), ErrorKind::unavailable);
    EXPECT_STREQ(make_error("Milvus at h:1", "flushing collection 'c'", status).what(),
                 "Milvus at h:1: flushing collection 'c' failed: attempt #0: rpc error: code = Unknown desc = "
                 "node not match[expectedNodeID=1][actualNodeID=2]: attempt #3: session not found->datanode-1: "
                 "node not found[node=1]: unrecoverable error (code 65535). Load the collection, or wait until "
                 "the server is ready.");
}

TEST(Status, KindsOfGrpc) {
    EXPECT_EQ(kind_of_grpc(14, "Connection refused"), ErrorKind::unreachable);
    EXPECT_EQ(kind_of_grpc(14, "Failed parsing HTTP/2"), ErrorKind::protocol);
    EXPECT_EQ(kind_of_grpc(14, "connection attempt timed out before receiving SETTINGS frame"),
              ErrorKind::unreachable);
    EXPECT_EQ(kind_of_grpc(4, "Deadline Exceeded"), ErrorKind::timeout);
    EXPECT_EQ(kind_of_grpc(16, ""), ErrorKind::authentication);
    EXPECT_EQ(kind_of_grpc(8, "grpc: received message larger than max"), ErrorKind::too_large);
    EXPECT_EQ(kind_of_grpc(8, "quota"), ErrorKind::overloaded);
    EXPECT_EQ(kind_of_grpc(12, "unknown service"), ErrorKind::protocol);
}

TEST(Status, MessagesSayWhoWhatAndWhy) {
    const Error error =
        make_error("Milvus at h:1", "loading collection 'c'", {100, 4, "collection not found.\n"});
    EXPECT_STREQ(error.what(),
                 "Milvus at h:1: loading collection 'c' failed: collection not found (code 100). "
                 "Check the names of the database and the collection.");
    EXPECT_EQ(error.native_code(), "100");
    EXPECT_EQ(make_error("", "", {65535, 25, "x"}).native_code(), "25");
    EXPECT_EQ(make_grpc_error("a", "b", 14, "").native_code(), "UNAVAILABLE");
    EXPECT_TRUE(make_grpc_error("a", "b", 4, "").outcome_unknown());
}

}  // namespace
}  // namespace crossover::milvus
