#include "learning/copy/progress.h"

#include <gtest/gtest.h>

#include <vector>

namespace crossover::learning {
namespace {

class Progress : public testing::Test {
  protected:
    std::vector<CopyProgress> shown;
    ProgressReport report{[this](const CopyProgress& progress) { shown.push_back(progress); }};
};

TEST_F(Progress, PhasesAndWaitsAreShownAtOnceAndCountsNotSoOften) {
    report.begin("copying", 10);
    for (int i = 1; i <= 8; ++i) report.done(i);
    ASSERT_EQ(shown.size(), 1u);
    EXPECT_EQ(shown[0].state, "copying");
    EXPECT_EQ(shown[0].expected, 10);
    report.waiting("waiting for a slot");
    ASSERT_EQ(shown.size(), 2u);
    EXPECT_EQ(shown[1].state, "waiting for a slot");
    EXPECT_EQ(shown[1].done, 8);
    report.begin("sweeping");
    EXPECT_EQ(shown.back().state, "sweeping");
    EXPECT_EQ(shown.back().done, 0);
    EXPECT_EQ(shown.back().expected, 0);
}

TEST_F(Progress, AWaitIsOverWhenTheServerAnswersOrItemsAreDone) {
    report.begin("copying");
    report.waiting(Error(System::redis, ErrorKind::unreachable, "It is away."));
    EXPECT_EQ(shown.back().state, "waiting for Redis: It is away.");
    report.waited();
    EXPECT_EQ(shown.back().state, "copying");
    const auto before = shown.size();
    report.waited();
    EXPECT_EQ(shown.size(), before) << "nothing was waited for";
    report.waiting(Error(System::postgres, ErrorKind::timeout, "It is late."));
    EXPECT_EQ(shown.back().state, "waiting for PostgreSQL: It is late.");
    report.done(1);
    report.waiting("anything");
    report.done(2);
    report.waited();
    EXPECT_EQ(shown.back().state, "anything") << "ended by the count";
    EXPECT_EQ(report.errors(), 2);
}

TEST_F(Progress, CountsComeWithTheirRateAndNeverExceedWhatIsExpected) {
    report.begin("copying", 100);
    while (shown.size() < 2) report.done(50, 3);
    EXPECT_EQ(shown[1].done, 50);
    EXPECT_EQ(shown[1].quarantined, 3);
    EXPECT_GT(shown[1].items_per_second, 0);
    EXPECT_NEAR(shown[1].eta_seconds.value(), 50 / shown[1].items_per_second, 1e-9);
    while (shown.size() < 3) report.done(120, 3);
    EXPECT_EQ(shown[2].expected, 120);
    EXPECT_EQ(shown[2].eta_seconds, 0);
}

TEST(ProgressOfNobody, MayBeUnseen) {
    ProgressReport report({});
    report.begin("copying");
    report.done(1);
}

}  // namespace
}  // namespace crossover::learning
