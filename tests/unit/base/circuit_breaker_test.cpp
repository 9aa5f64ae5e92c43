#include "base/circuit_breaker.h"

#include <gtest/gtest.h>

namespace crossover {
namespace {

using namespace std::chrono_literals;

class CircuitBreakerTest : public testing::Test {
  protected:
    void fail_times(int times) {
        for (int i = 0; i < times; ++i) breaker.failed(now);
    }
    CircuitBreaker breaker{{.failures = 3, .first_pause = 500ms, .longest_pause = 1500ms}};
    CircuitBreaker::Clock::time_point now = CircuitBreaker::Clock::now();
};

TEST_F(CircuitBreakerTest, OpensAfterFailuresInARow) {
    fail_times(2);
    EXPECT_TRUE(breaker.admits(now));
    breaker.succeeded();
    fail_times(2);
    EXPECT_TRUE(breaker.closed());
    fail_times(1);
    EXPECT_FALSE(breaker.closed());
    EXPECT_FALSE(breaker.admits(now));
    EXPECT_FALSE(breaker.admits(now + 499ms));
}

TEST_F(CircuitBreakerTest, LetsOneTryAfterThePause) {
    fail_times(3);
    EXPECT_TRUE(breaker.admits(now + 500ms));
    EXPECT_FALSE(breaker.admits(now + 500ms)) << "somebody is trying";
    breaker.succeeded();
    EXPECT_TRUE(breaker.closed());
    EXPECT_TRUE(breaker.admits(now + 500ms));
}

TEST_F(CircuitBreakerTest, DoublesThePauseUpToTheLongest) {
    fail_times(3);
    for (const auto pause : {500ms, 1000ms, 1500ms, 1500ms}) {
        EXPECT_FALSE(breaker.admits(now + pause - 1ms)) << pause.count();
        now += pause;
        ASSERT_TRUE(breaker.admits(now)) << pause.count();
        breaker.failed(now);
    }
    now += 1500ms;
    ASSERT_TRUE(breaker.admits(now));
    breaker.succeeded();
    fail_times(3);
    EXPECT_FALSE(breaker.admits(now + 499ms));
    EXPECT_TRUE(breaker.admits(now + 500ms)) << "after a success the pause is short again";
}

TEST_F(CircuitBreakerTest, StragglersDoNotLengthenThePause) {
    fail_times(3);
    fail_times(5);  // calls that were under way when it opened
    EXPECT_TRUE(breaker.admits(now + 500ms));
}

TEST_F(CircuitBreakerTest, WhoLearntNothingLeavesTheTurnToTheNext) {
    fail_times(3);
    ASSERT_TRUE(breaker.admits(now + 500ms));
    breaker.undecided();
    EXPECT_FALSE(breaker.closed());
    EXPECT_TRUE(breaker.admits(now + 500ms));
}

TEST_F(CircuitBreakerTest, AProbeLetsACallBeTriedAndOnlyTheCallCloses) {
    fail_times(3);
    now += 500ms;
    ASSERT_TRUE(breaker.admits(now));
    breaker.probe_succeeded();
    EXPECT_FALSE(breaker.closed());
    EXPECT_FALSE(breaker.admits(now)) << "who has probed may still try";
    breaker.failed(now);
    EXPECT_FALSE(breaker.admits(now + 999ms)) << "the pause has doubled";
    now += 1000ms;
    ASSERT_TRUE(breaker.admits(now));
    breaker.probe_succeeded();
    breaker.undecided();
    EXPECT_TRUE(breaker.admits(now)) << "there was nothing to try: the next may";
    breaker.succeeded();
    EXPECT_TRUE(breaker.closed());
}

TEST_F(CircuitBreakerTest, FailedCallsAddUpWhateverProbesSayBetweenThem) {
    for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(breaker.closed()) << i;
        breaker.failed(now);
        if (breaker.admits(now)) breaker.probe_succeeded();
    }
    EXPECT_FALSE(breaker.closed());
}

TEST_F(CircuitBreakerTest, WhatProbesAloneHaveOpenedAProbeCloses) {
    for (int i = 0; i < 3; ++i) breaker.probe_failed(now);
    EXPECT_FALSE(breaker.closed());
    ASSERT_TRUE(breaker.admits(now + 500ms));
    breaker.probe_succeeded();
    EXPECT_TRUE(breaker.closed());
    for (int i = 0; i < 2; ++i) breaker.probe_failed(now);
    breaker.probe_succeeded();
    breaker.probe_failed(now);
    EXPECT_TRUE(breaker.closed()) << "not three in a row";
}

}  // namespace
}  // namespace crossover
