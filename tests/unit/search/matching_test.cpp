#include "search/matching.h"

#include <gtest/gtest.h>

namespace crossover::search {
namespace {

class MatchingTest : public testing::Test {
  protected:
    MatchingTest() {
        mapping.properties = {{"title", sync::PropertyType::text},
                              {"year", sync::PropertyType::int64},
                              {"rating", sync::PropertyType::float64},
                              {"adult", sync::PropertyType::boolean}};
    }
    bool meets(const Condition& condition) const { return matches({condition}, item, mapping); }

    sync::MediaMapping mapping;
    std::vector<std::optional<Scalar>> item = {std::string("Metropolis"), std::int64_t{1927}, 8.3,
                                               std::nullopt};
};

TEST_F(MatchingTest, NoConditionIsMet) {
    EXPECT_TRUE(matches({}, item, mapping));
}

TEST_F(MatchingTest, Numbers) {
    const std::int64_t year = 1927;
    EXPECT_TRUE(meets({"year", Comparison::equal, {year}}));
    EXPECT_FALSE(meets({"year", Comparison::not_equal, {year}}));
    EXPECT_TRUE(meets({"year", Comparison::less, {year + 1}}));
    EXPECT_FALSE(meets({"year", Comparison::less, {year}}));
    EXPECT_TRUE(meets({"year", Comparison::less_or_equal, {year}}));
    EXPECT_TRUE(meets({"year", Comparison::greater, {year - 1}}));
    EXPECT_FALSE(meets({"year", Comparison::greater, {year}}));
    EXPECT_TRUE(meets({"year", Comparison::greater_or_equal, {year}}));
    EXPECT_TRUE(meets({"year", Comparison::one_of, {year - 1, year}}));
    EXPECT_FALSE(meets({"year", Comparison::one_of, {year - 1, year + 1}}));
    EXPECT_TRUE(meets({"rating", Comparison::greater, {8.0}}));
}

TEST_F(MatchingTest, AnIntegerInAFloatPropertyComparesByValue) {
    item[2] = std::int64_t{8};  // Neo4j may hold either
    EXPECT_TRUE(meets({"rating", Comparison::equal, {8.0}}));
    EXPECT_TRUE(meets({"rating", Comparison::less, {8.5}}));
}

TEST_F(MatchingTest, WhatIsMissingMeetsNothing) {
    EXPECT_FALSE(meets({"adult", Comparison::equal, {false}}));
    EXPECT_FALSE(meets({"adult", Comparison::not_equal, {true}}));
    EXPECT_FALSE(meets({"unknown", Comparison::equal, {std::int64_t{1}}}));
}

TEST_F(MatchingTest, AnotherTypeIsNeverEqual) {
    EXPECT_FALSE(meets({"title", Comparison::equal, {std::int64_t{1927}}}));
    EXPECT_FALSE(meets({"title", Comparison::less, {std::int64_t{1927}}}));
}

TEST_F(MatchingTest, AllConditionsMustHold) {
    const Condition yes{"year", Comparison::greater, {std::int64_t{1900}}};
    const Condition no{"title", Comparison::equal, {std::string("M")}};
    EXPECT_TRUE(matches({yes, yes}, item, mapping));
    EXPECT_FALSE(matches({yes, no}, item, mapping));
}

}  // namespace
}  // namespace crossover::search
