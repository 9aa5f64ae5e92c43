#include "progress_view.h"

#include <gtest/gtest.h>

namespace crossover::cli {
namespace {

ProgressMoment half() {
    ProgressMoment moment;
    moment.done = 75'000;
    moment.expected = 150'000;
    moment.items_per_second = 12'345;
    moment.eta_seconds = 200;
    moment.state = "copying";
    moment.aside = "2 quarantined";
    return moment;
}

int columns(const std::string& text) {
    int count = 0;
    for (const char byte : text) count += (byte & 0xC0) != 0x80 ? 1 : 0;
    return count;
}

TEST(ProgressView, ABarShowsEverythingWhereThereIsRoom) {
    EXPECT_EQ(progress_bar(half(), {true, false, false, 120}),
              " 50 %  [############............]  75,000 of 150,000  12,345 items/s  3 min 20 s left  2 "
              "quarantined  "
              "copying");
}

TEST(ProgressView, ABarNeverReachesTheLastColumn) {
    for (int width = 1; width < 140; ++width) {
        for (const bool unicode : {false, true}) {
            auto moment = half();
            moment.state = "waiting for Milvus at 127.0.0.1:19530: connection refused";
            EXPECT_LT(columns(progress_bar(moment, {true, false, unicode, width})), width) << width;
        }
    }
}

TEST(ProgressView, OneHundredPercentOnlyWhenNothingIsLeft) {
    auto moment = half();
    moment.done = 149'999;
    EXPECT_TRUE(progress_sentence(moment).starts_with("copying: 99 %, 149,999 of 150,000 items"));
    moment.done = 150'000;
    EXPECT_TRUE(progress_sentence(moment).starts_with("copying: 100 %"));
}

TEST(ProgressView, SentencesLeaveOutWhatIsNotKnown) {
    EXPECT_EQ(progress_sentence({.state = "looking at the data"}), "looking at the data");
    EXPECT_EQ(progress_sentence({.done = 1, .state = "reading"}), "reading: 1 item");
    EXPECT_EQ(progress_sentence(half()),
              "copying: 50 %, 75,000 of 150,000 items, 12,345 items/s, 3 min 20 s left, 2 quarantined");
}

TEST(ProgressView, FitCutsWholeCodePoints) {
    EXPECT_EQ(fit("abc", 3, true), "abc");
    EXPECT_EQ(fit("abcd", 3, true), "ab…");
    EXPECT_EQ(fit("äöüß", 3, true), "äö…");
    EXPECT_EQ(fit("abcdef", 5, false), "ab...");
    EXPECT_EQ(fit("abcdef", 0, true), "");
}

}  // namespace
}  // namespace crossover::cli
