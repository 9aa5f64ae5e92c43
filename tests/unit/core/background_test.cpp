#include "core/background.h"

#include <gmock/gmock.h>

#include <future>
#include <mutex>
#include <stdexcept>

#include "core/error.h"
#include "core/logging.h"

namespace crossover {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

struct Background : testing::Test {
    std::mutex mutex;
    std::vector<std::string> lines;

    Background() {
        set_log_writer([this](std::string_view line) {
            const std::lock_guard lock(mutex);
            lines.emplace_back(line);
        });
    }
    ~Background() override { set_log_writer({}); }
};

TEST_F(Background, WhateverIsThrownIsLoggedAndWorkBeginsAnew) {
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
        0ms);
    thread.join();
    EXPECT_EQ(calls, 4);
    EXPECT_THAT(
        lines,
        ElementsAre(HasSubstr(R"(level=error event=background_failure thread=tester error="no such row")"),
                    HasSubstr(R"(error="an exception of no known type")"), HasSubstr(R"(error="too slow")")));
}

TEST_F(Background, AStopEndsThePause) {
    std::promise<void> failing;
    auto thread = in_background(
        "tester",
        [&](const std::stop_token&) {
            failing.set_value();
            throw std::runtime_error("once");
        },
        1h);
    failing.get_future().wait();
    thread.request_stop();
    thread.join();
    EXPECT_EQ(lines.size(), 1u);
}

}  // namespace
}  // namespace crossover
