#include "engine/policies.h"

#include <gtest/gtest.h>

namespace crossover::engine {
namespace {

TEST(Policy, SetsWhatItNamesAndLeavesTheRest) {
    const auto weights = parse_policy(R"({"vector": 0, "same_genre": 2.5, "another": "thing"})");
    ASSERT_TRUE(weights);
    EXPECT_EQ(weights->vector, 0);
    EXPECT_EQ(weights->same_genre, 2.5);
    EXPECT_EQ(weights->co_watched, Weights{}.co_watched);
    EXPECT_EQ(weights->same_director, Weights{}.same_director);
}

TEST(Policy, IsNoneWhereItCannotBeMeant) {
    for (const char* stored : {"", "null", "[1]", "{", "\xff\x00", R"({"vector": "1"})", R"({"vector": -1})",
                               R"({"vector": 101})", R"({"vector": null})", R"({"vector": 1e999})"}) {
        EXPECT_FALSE(parse_policy(stored)) << stored;
    }
}

}  // namespace
}  // namespace crossover::engine
