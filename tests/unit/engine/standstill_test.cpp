#include "engine/standstill.h"

#include <gtest/gtest.h>

#include "support/error_of.h"

namespace crossover::engine {
namespace {

using namespace std::chrono_literals;

Error not_loaded(const std::string& text = "not loaded") {
    return Error(System::milvus, ErrorKind::unavailable, text, "101");
}

TEST(Standstill, TellsOfAnErrorOnceUntilItChangesOrTheWorkGetsOn) {
    Standstill standstill(10min);
    EXPECT_TRUE(standstill.is_news(not_loaded()));
    EXPECT_FALSE(standstill.is_news(not_loaded()));
    EXPECT_TRUE(standstill.is_news(not_loaded("no leader")));
    EXPECT_TRUE(standstill.is_news(not_loaded()));
    standstill.moved();
    EXPECT_TRUE(standstill.is_news(not_loaded()));
}

TEST(Standstill, EndsWhatStandsStillForTooLong) {
    Standstill standstill(10min);
    const auto begin = Standstill::Clock::now();
    EXPECT_TRUE(standstill.is_news(not_loaded(), begin));
    EXPECT_FALSE(standstill.is_news(not_loaded(), begin + 10min - 1ms));
    const auto error = error_of([&] { standstill.is_news(not_loaded(), begin + 10min); });
    EXPECT_EQ(error.system(), System::milvus);
    EXPECT_EQ(error.kind(), ErrorKind::unavailable);
    EXPECT_EQ(error.native_code(), "101");
    EXPECT_STREQ(error.what(), "No progress for 10 minutes: not loaded");
}

TEST(Standstill, CountsFromTheLastProgress) {
    Standstill standstill(10min);
    const auto begin = Standstill::Clock::now();
    EXPECT_TRUE(standstill.is_news(not_loaded(), begin));
    standstill.moved();
    EXPECT_TRUE(standstill.is_news(not_loaded(), begin + 9min));
    EXPECT_FALSE(standstill.is_news(not_loaded(), begin + 19min - 1ms));
}

}  // namespace
}  // namespace crossover::engine
