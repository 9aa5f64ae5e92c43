#include "milvus/status.h"

#include <gtest/gtest.h>

#include "base/retry.h"

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
    EXPECT_EQ(kind_of({65535, 5, "something else"}), ErrorKind::rejected);
}

// Word for word from 2.3.5.
TEST(Status, ARowThatIsRefusedIsToldByTheSentence) {
    EXPECT_EQ(kind_of({65535, 1, "value 'NaN' is not a number or infinity"}), ErrorKind::rejected);
    EXPECT_EQ(kind_of({65535, 1, "the length(3) of float data should divide the dim(4)"}),
              ErrorKind::rejected);
    EXPECT_EQ(
        kind_of({1100, 5,
                 "the length (9) of 1th string exceeds max length (8): invalid parameter[expected=valid "
                 "length string][actual=string length exceeds max length]"}),
        ErrorKind::rejected);
    EXPECT_EQ(
        kind_of({65535, 1, "cannot parse expression: id inn [\"a\"], error: invalid expression: id inn"}),
        ErrorKind::rejected);
}

TEST(Status, ADeadlineThatPassedWithinTheServerLeavesTheOutcomeUnknown) {
    for (const ServerStatus& status :
         {ServerStatus{65535, 1, "proxy TaskCondition context Done"}, ServerStatus{10001, 1, "timeout"},
          ServerStatus{10000, 1, "context canceled"},
          ServerStatus{65535, 1, "rpc: context deadline exceeded"},
          ServerStatus{2201, 1, "segcore Future was canceled"},
          ServerStatus{1, 56, "service not ready: context deadline exceeded", true},
          // The words of the client's own call within a refusal of another kind.
          ServerStatus{1100, 5, "failed to upsert: context deadline exceeded"}}) {
        EXPECT_EQ(kind_of(status), ErrorKind::timeout) << status.code << ' ' << status.reason;
        EXPECT_TRUE(make_error("a", "b", status).outcome_unknown());
    }
    // The user's filter may say anything: the server has blamed the request.
    EXPECT_EQ(kind_of({1100, 5, "no such name: context Done", false, true}), ErrorKind::rejected);
    EXPECT_EQ(kind_of({2201, 1, "query plan failed", false, true}), ErrorKind::rejected);
}

TEST(Status, TheServersFlagGoesBeforeTheTable) {
    for (const int code : {110, 305, 505, 507, 1002, 1003, 2200, 2307, 4711}) {
        EXPECT_EQ(kind_of({code, 1, "whatever", true}), ErrorKind::unavailable) << code;
    }
    EXPECT_EQ(kind_of({8, 49, "", true}), ErrorKind::overloaded);
    EXPECT_EQ(kind_of({1100, 5, "", true}), ErrorKind::unavailable);
    // By the table, where servers set no flag.
    for (const int code : {110, 305, 505, 507, 604, 1002, 1003, 1302, 2200}) {
        EXPECT_EQ(kind_of({code, 1, "whatever"}), ErrorKind::unavailable) << code;
    }
}

TEST(Status, WhatNobodyKnowsIsSafeForTheDataAndNamed) {
    for (const ServerStatus& status :
         {ServerStatus{4711, 1, "the moon is full"}, ServerStatus{65535, 1, "something else"},
          ServerStatus{0, 1, "of an old server"}}) {
        const Error error = make_error("Milvus at h:1", "upserting", status);
        EXPECT_EQ(error.kind(), ErrorKind::protocol) << status.code;
        EXPECT_TRUE(Retries(kForEver).admits(error));
    }
    EXPECT_STREQ(
        make_error("Milvus at h:1", "upserting", {4711, 1, "the moon is full"}).what(),
        "Milvus at h:1: upserting failed: the moon is full (code 4711). Crossover does not know this "
        "code, so a write may or may not have been applied: look into Milvus's log, and report the "
        "code.");
}

TEST(Status, WhatAnAdministratorDidSaysWhatToDo) {
    const std::string released =
        make_error("m", "querying", {101, 1, "failed to query: collection not loaded[collection=4]"}).what();
    EXPECT_NE(released.find("It is not in memory, because it was released or Milvus was restarted: load it"),
              std::string::npos)
        << released;
    EXPECT_NE(released.find("migrate migrate-embeddings"), std::string::npos);
    const std::string limited = make_error("m", "upserting", {8, 49, "rate limit exceeded", true}).what();
    EXPECT_NE(limited.find("--rate-limit"), std::string::npos) << limited;
    EXPECT_NE(limited.find("quotaAndLimits"), std::string::npos) << limited;
    EXPECT_NE(std::string(make_error("m", "upserting", {9, 48, "force deny"}).what()).find("no writes"),
              std::string::npos);
    EXPECT_NE(std::string(make_error("m", "upserting", {3, 52, "memory"}).what()).find("memory"),
              std::string::npos);
    EXPECT_NE(std::string(make_error("m", "upserting", {7, 54, "disk"}).what()).find("disk"),
              std::string::npos);
}

TEST(Status, AServerWhosePartsLookForEachOtherIsWaitedFor) {
    const ServerStatus status{
        65535, 1,
        "attempt #0: stack trace: /go/pkg/tracer/stack_trace.go:51 pkg/tracer.StackTrace\n"
        "/go/internal/datacoord/services.go:116 internal/datacoord.(*Server).Flush: attempt #0: rpc error: "
        "code = Unknown desc = node not match[expectedNodeID=1][actualNodeID=2]: attempt #3: session not "
        "found->datanode-1: node not found[node=1]: unrecoverable error"};
    EXPECT_EQ(kind_of(status), ErrorKind::unavailable);
    EXPECT_STREQ(
        make_error("Milvus at h:1", "flushing collection 'c'", status).what(),
        "Milvus at h:1: flushing collection 'c' failed: attempt #0: rpc error: code = Unknown desc = "
        "node not match[expectedNodeID=1][actualNodeID=2]: attempt #3: session not found->datanode-1: "
        "node not found[node=1]: unrecoverable error (code 65535). Wait until the server is ready; its "
        "own log says what it is at.");
}

/// The proxy of several releases answers a flush so that of the first code only the sentence is left.
TEST(Status, ACodeThatIsOnlyInTheSentencePassesAsTheCodeWould) {
    const std::string flush = "failed to call flush to data coordinator: ";
    for (const char* words :
         {"service not ready[datacoord=1]: Initializing", "service unavailable", "node offline[node=3]",
          "rpc error: code = Unavailable desc = connection closed",
          "channel not found[channel=by-dev-rootcoord-dml_0]", "segment not found[segment=7]",
          "replica not available"}) {
        EXPECT_EQ(kind_of({65535, 1, flush + words}), ErrorKind::unavailable) << words;
    }
    EXPECT_EQ(kind_of({65535, 1, flush + "collection not found[collection=c]"}), ErrorKind::not_found);
}

TEST(Status, KindsOfGrpc) {
    EXPECT_EQ(kind_of_grpc(14, "Connection refused"), ErrorKind::unreachable);
    EXPECT_EQ(kind_of_grpc(14, "Failed parsing HTTP/2"), ErrorKind::protocol);
    EXPECT_EQ(kind_of_grpc(14, "connection attempt timed out before receiving SETTINGS frame"),
              ErrorKind::unreachable);
    EXPECT_EQ(kind_of_grpc(4, "Deadline Exceeded"), ErrorKind::timeout);
    EXPECT_EQ(kind_of_grpc(1, "context canceled"), ErrorKind::timeout);
    EXPECT_EQ(kind_of_grpc(10, "aborted"), ErrorKind::unavailable);
    EXPECT_EQ(kind_of_grpc(16, ""), ErrorKind::authentication);
    EXPECT_EQ(kind_of_grpc(8, "grpc: received message larger than max"), ErrorKind::too_large);
    EXPECT_EQ(kind_of_grpc(8, "too many streams"), ErrorKind::unavailable);
    EXPECT_EQ(kind_of_grpc(3, "a gateway's"), ErrorKind::protocol);
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
