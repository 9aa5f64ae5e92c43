#include "base/retry.h"

#include <gtest/gtest.h>

namespace crossover {
namespace {

using namespace std::chrono_literals;

constexpr RetryPolicy kAtOnce{.first_pause = 0ms};

Error of(ErrorKind kind) {
    return Error(System::milvus, kind, "");
}

TEST(Retries, AreWithoutEndForWhatPasses) {
    Retries retries(kForEver);
    for (int i = 0; i < 1000; ++i) {
        for (const auto kind :
             {ErrorKind::unreachable, ErrorKind::timeout, ErrorKind::overloaded, ErrorKind::unavailable}) {
            EXPECT_TRUE(retries.admits(of(kind)));
        }
    }
}

TEST(Retries, AreNoneForWhatDoesNotPass) {
    for (const auto kind : {ErrorKind::rejected, ErrorKind::authentication, ErrorKind::conflict}) {
        EXPECT_FALSE(Retries(kForEver).admits(of(kind)));
    }
}

TEST(Retries, EndForACodeOfMilvusThatNobodyKnows) {
    const Error unknown(System::milvus, ErrorKind::protocol, "", "4711");
    Retries retries(kForEver);
    for (int i = 1; i < kUnknownCodeAttempts; ++i) EXPECT_TRUE(retries.admits(unknown));
    EXPECT_FALSE(retries.admits(unknown));
    // One that is known in between begins it anew.
    EXPECT_TRUE(retries.admits(of(ErrorKind::unavailable)));
    EXPECT_TRUE(retries.admits(unknown));
    // Another service, or an answer of another kind, is not waited for.
    EXPECT_FALSE(Retries(kForEver).admits(Error(System::milvus, ErrorKind::protocol, "", "UNIMPLEMENTED")));
    EXPECT_FALSE(Retries(kForEver).admits(Error(System::neo4j, ErrorKind::protocol, "", "4711")));
}

TEST(Retries, EndAfterAttemptsInARow) {
    Retries retries({.attempts = 3});
    const auto away = of(ErrorKind::unreachable);
    EXPECT_TRUE(retries.admits(away));
    EXPECT_TRUE(retries.admits(away));
    EXPECT_FALSE(retries.admits(away));
    retries.succeeded();
    EXPECT_TRUE(retries.admits(away));
}

TEST(Retries, EndWhenTheirTimeIsOver) {
    EXPECT_TRUE(Retries({.time = 1h}).admits(of(ErrorKind::unreachable)));
    Retries over({.time = 1ms});
    while (over.admits(of(ErrorKind::unreachable))) continue;
}

TEST(Backoff, PausesGrowToTheLongestOne) {
    Backoff backoff(100ms, 1s);
    for (const auto most : {100ms, 200ms, 400ms, 800ms, 1000ms, 1000ms}) {
        const auto pause = backoff.next();
        EXPECT_GE(pause, most / 2);
        EXPECT_LE(pause, most);
    }
}

TEST(Retry, TellsOfFailuresAndOfTheRecovery) {
    int calls = 0, failures = 0, recoveries = 0;
    const Retry retry{kAtOnce, {}, [&](const Error&) { ++failures; }, [&] { ++recoveries; }};
    EXPECT_EQ(retry([&] {
                  if (++calls < 3) throw of(ErrorKind::unavailable);
                  return 7;
              }),
              7);
    EXPECT_EQ(failures, 2);
    EXPECT_EQ(recoveries, 1);
    retry([] {});
    EXPECT_EQ(recoveries, 1);
}

TEST(Retry, AStopEndsTheWait) {
    std::stop_source stop;
    stop.request_stop();
    try {
        Retry{kForEver, stop.get_token()}([] { throw of(ErrorKind::unavailable); });
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::cancelled);
    }
}

}  // namespace
}  // namespace crossover
