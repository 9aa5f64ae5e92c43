#include "migration/copy/throttle.h"

#include <gtest/gtest.h>

#include <future>

namespace crossover::migration {
namespace {

using namespace std::chrono_literals;

/// A wait in another thread that the test must end.
struct Waiting {
    explicit Waiting(std::function<bool()> wait)
        : admitted(std::async(std::launch::async, std::move(wait))) {}
    bool ended() { return admitted.wait_for(0s) == std::future_status::ready; }
    std::future<bool> admitted;
};

TEST(Throttle, AsManyAreInFlightAsItSaysAndAChangeHoldsAtOnce) {
    Throttle throttle({.concurrency = 1});
    EXPECT_TRUE(throttle.enter({}));
    Waiting second([&] { return throttle.enter({}); });
    EXPECT_FALSE(second.ended());
    throttle.set({.concurrency = 2});
    EXPECT_TRUE(second.admitted.get());
    Waiting third([&] { return throttle.enter({}); });
    EXPECT_FALSE(third.ended());
    throttle.leave();
    EXPECT_TRUE(third.admitted.get());
    EXPECT_EQ(throttle.get().concurrency, 2);
}

TEST(Throttle, NothingBeginsWhileItIsPaused) {
    Throttle throttle({.paused = true});
    Waiting first([&] { return throttle.enter({}); });
    Waiting begun([&] { return throttle.take(1, {}); });
    EXPECT_FALSE(first.ended());
    EXPECT_FALSE(begun.ended());
    throttle.set({});
    EXPECT_TRUE(first.admitted.get());
    EXPECT_TRUE(begun.admitted.get());
}

TEST(Throttle, AChangedRateEndsTheWaitForTheFormerOne) {
    Throttle throttle({.items_per_second = 0.001});
    EXPECT_TRUE(throttle.take(1, {}));
    Waiting second([&] { return throttle.take(1, {}); });  // its turn is in a quarter of an hour
    throttle.set({});
    EXPECT_TRUE(second.admitted.get());
}

TEST(Throttle, APauseHoldsBackWhoWaitsForItsTurn) {
    Throttle throttle({.items_per_second = 0.001});
    EXPECT_TRUE(throttle.take(1, {}));
    Waiting second([&] { return throttle.take(1, {}); });
    throttle.set({.items_per_second = 0, .paused = true});
    EXPECT_FALSE(second.ended());
    throttle.set({});
    EXPECT_TRUE(second.admitted.get());
}

TEST(Throttle, AStopEndsEachWait) {
    std::stop_source stop;
    Throttle throttle({.items_per_second = 0.001});
    EXPECT_TRUE(throttle.take(1, stop.get_token()));
    throttle.set({.concurrency = 0, .items_per_second = 0.001});
    EXPECT_TRUE(throttle.take(1, stop.get_token()));
    Waiting enter([&] { return throttle.enter(stop.get_token()); });
    Waiting take([&] { return throttle.take(1, stop.get_token()); });
    stop.request_stop();
    EXPECT_FALSE(enter.admitted.get());
    EXPECT_FALSE(take.admitted.get());
}

}  // namespace
}  // namespace crossover::migration
