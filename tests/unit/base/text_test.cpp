#include "base/text.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace crossover {
namespace {

TEST(Text, SeparatesThousands) {
    EXPECT_EQ(with_separators(0), "0");
    EXPECT_EQ(with_separators(999), "999");
    EXPECT_EQ(with_separators(1000), "1,000");
    EXPECT_EQ(with_separators(150'000), "150,000");
    EXPECT_EQ(with_separators(-999), "-999");
    EXPECT_EQ(with_separators(-1'000), "-1,000");
    EXPECT_EQ(with_separators(std::numeric_limits<std::int64_t>::min()), "-9,223,372,036,854,775,808");
}

TEST(Text, CountsWithTheRightNoun) {
    EXPECT_EQ(counted(1, "item", "items"), "1 item");
    EXPECT_EQ(counted(0, "item", "items"), "0 items");
    EXPECT_EQ(counted(150'000, "item", "items"), "150,000 items");
}

TEST(Text, BytesKeepTwoOrThreeDigits) {
    EXPECT_EQ(bytes_text(0), "0 B");
    EXPECT_EQ(bytes_text(999), "999 B");
    EXPECT_EQ(bytes_text(1'500), "1.5 kB");
    EXPECT_EQ(bytes_text(999'499), "999 kB");
    EXPECT_EQ(bytes_text(999'500), "1.0 MB");
    EXPECT_EQ(bytes_text(9'960'000), "10 MB");
    EXPECT_EQ(bytes_text(500e9), "500 GB");
    EXPECT_EQ(bytes_text(2e18), "2000 PB");
}

TEST(Text, DurationsReadLikeSpeech) {
    EXPECT_EQ(duration_text(0.4), "less than a second");
    EXPECT_EQ(duration_text(1), "1 second");
    EXPECT_EQ(duration_text(42.4), "42 seconds");
    EXPECT_EQ(duration_text(59.6), "1 minute");
    EXPECT_EQ(duration_text(200), "3 min 20 s");
    EXPECT_EQ(duration_text(545), "9 min 05 s");
    EXPECT_EQ(duration_text(720), "12 minutes");
    EXPECT_EQ(duration_text(3570), "1 h 00 min");
    EXPECT_EQ(duration_text(3900), "1 h 05 min");
    EXPECT_EQ(duration_text(76 * 3600), "3 days 4 h");
    EXPECT_EQ(duration_text(-1), "unknown");
    EXPECT_EQ(duration_text(NAN), "unknown");
    EXPECT_EQ(duration_text(INFINITY), "unknown");
}

TEST(Text, Rates) {
    EXPECT_EQ(rate_text(12345.4), "12,345 items/s");
    EXPECT_EQ(rate_text(0.8), "0.8 items/s");
    EXPECT_EQ(rate_text(0), "0 items/s");
    EXPECT_EQ(rate_text(NAN), "unknown");
}

TEST(Text, EditDistanceCountsSwapsOnce) {
    EXPECT_EQ(edit_distance("", "abc"), 3U);
    EXPECT_EQ(edit_distance("label", "label"), 0U);
    EXPECT_EQ(edit_distance("lable", "label"), 1U);
    EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
}

TEST(Text, NearestFindsWhatWasMeantAndNothingElse) {
    const std::string flags[] = {"--batch-size", "--concurrency", "--label"};
    EXPECT_EQ(nearest("--batchsize", flags), "--batch-size");
    EXPECT_EQ(nearest("--lable", flags), "--label");
    EXPECT_EQ(nearest("--conc", flags), "--concurrency");
    EXPECT_EQ(nearest("--wholly-unlike-it", flags), std::nullopt);
}

}  // namespace
}  // namespace crossover
