#include "base/background.h"

#include <gmock/gmock.h>

#include <future>
#include <stdexcept>

#include "base/error.h"

namespace crossover {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

struct Background : testing::Test {
    std::vector<std::string> failures;
    OnBackgroundFailure note = [this](std::string_view thread, std::string_view error) {
        failures.push_back(std::string(thread) + ": " + std::string(error));
    };
};

TEST_F(Background, WhateverIsThrownIsToldAndWorkBeginsAnew) {
    int calls = 0;
    auto thread = in_background(
        "tester",
        [&](const std::stop_token&) {
            switch (++calls) {
                case 1:
                    throw std::out_of_range("no such row");
                case 2:
                    throw 7;
                case 3:
                    throw Error(System::neo4j, ErrorKind::timeout, "too slow");
                default:
                    return;
            }
        },
        note, 0ms);
    thread.join();
    EXPECT_EQ(calls, 4);
    EXPECT_THAT(failures, ElementsAre("tester: no such row", "tester: an exception of no known type",
                                      "tester: too slow"));
}

TEST_F(Background, AStopEndsThePause) {
    std::promise<void> failing;
    auto thread = in_background(
        "tester",
        [&](const std::stop_token&) {
            failing.set_value();
            throw std::runtime_error("once");
        },
        note, 1h);
    failing.get_future().wait();
    thread.request_stop();
    thread.join();
    EXPECT_EQ(failures.size(), 1u);
}

}  // namespace
}  // namespace crossover
