#include "migration/job/monitor.h"

#include <gtest/gtest.h>

namespace crossover::migration {
namespace {

constexpr std::int64_t kNow = 1'700'000'000'000;

Checkpoint copying() {
    Checkpoint checkpoint;
    checkpoint.phase = Phase::copy;
    checkpoint.expected = 1000;
    checkpoint.counts = {260, 240, 10, 0};
    checkpoint.live.updated_ms = kNow - 500;
    checkpoint.live.items_per_second = 100;
    return checkpoint;
}

TEST(Monitor, ARunningJobHasAShareAndAnEstimate) {
    const auto view = view_job(copying(), kNow, true);
    EXPECT_EQ(view.state, JobState::running);
    EXPECT_DOUBLE_EQ(view.fraction, 0.25);
    ASSERT_TRUE(view.eta_seconds);
    EXPECT_DOUBLE_EQ(*view.eta_seconds, 7.5);
    EXPECT_EQ(view.silent_ms, 500);
}

TEST(Monitor, AProcessThatEndedWithoutAWordIsGone) {
    auto checkpoint = copying();
    EXPECT_EQ(view_job(checkpoint, kNow, false).state, JobState::running) << "it may be ending just now";
    checkpoint.live.updated_ms = kNow - 4'000;
    const auto view = view_job(checkpoint, kNow, false);
    EXPECT_EQ(view.state, JobState::gone);
    EXPECT_FALSE(view.eta_seconds);
}

TEST(Monitor, ALivingProcessThatIsSilentForLongIsGone) {
    auto checkpoint = copying();
    checkpoint.live.updated_ms = kNow - 30'000;
    EXPECT_EQ(view_job(checkpoint, kNow, true).state, JobState::running);
    checkpoint.live.updated_ms = kNow - 61'000;
    EXPECT_EQ(view_job(checkpoint, kNow, true).state, JobState::gone);
}

TEST(Monitor, ACleanEndIsInterruptedOrDone) {
    auto checkpoint = copying();
    checkpoint.live.finished_cleanly = true;
    EXPECT_EQ(view_job(checkpoint, kNow, false).state, JobState::interrupted);
    checkpoint.phase = Phase::done;
    const auto view = view_job(checkpoint, kNow + 1'000'000, false);
    EXPECT_EQ(view.state, JobState::done);
    EXPECT_DOUBLE_EQ(view.fraction, 1);
}

TEST(Monitor, NoExpectedItemsIsNoDivision) {
    auto checkpoint = copying();
    checkpoint.expected = 0;
    EXPECT_DOUBLE_EQ(view_job(checkpoint, kNow, true).fraction, 0);
}

}  // namespace
}  // namespace crossover::migration
