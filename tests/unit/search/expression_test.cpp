#include <gtest/gtest.h>

#include "vectors/milvus_searcher.h"

namespace crossover::vectors {
namespace {

using search::Comparison;

std::string to_expression(const search::Filter& filter) {
    return vectors::to_expression(filter, {});
}

TEST(Expression, NoConditionIsEmpty) {
    EXPECT_EQ(to_expression({}), "");
}

TEST(Expression, AllConditionsMustHold) {
    EXPECT_EQ(
        to_expression({{"year", Comparison::greater_or_equal, {std::int64_t{1990}}},
                       {"year", Comparison::less, {std::int64_t{2000}}},
                       {"rating", Comparison::greater, {7.0}},
                       {"adult", Comparison::not_equal, {true}},
                       {"genre", Comparison::one_of, {std::string("Drama"), std::string("War")}}}),
        "year >= 1990 and year < 2000 and rating > 7.0 and adult != true and genre in [\"Drama\", \"War\"]");
}

TEST(Expression, AFieldMayHaveAnotherNameThanItsProperty) {
    sync::MediaMapping mapping;
    mapping.properties = {{"release date", sync::PropertyType::text}};
    mapping.properties[0].field = "release_date";
    EXPECT_EQ(vectors::to_expression({{"release date", Comparison::less, {std::string("2000")}}}, mapping),
              "release_date < \"2000\"");
}

TEST(Expression, TextsAreQuoted) {
    EXPECT_EQ(to_expression({{"title", Comparison::equal, {std::string("\" or year > 0 or title == \"")}}}),
              R"(title == "\" or year > 0 or title == \"")");
    EXPECT_EQ(to_expression({{"title", Comparison::equal, {std::string("a\\")}}}), R"(title == "a\\")");
}

TEST(Expression, FloatsKeepTheirPointAndAllTheirDigits) {
    EXPECT_EQ(to_expression({{"r", Comparison::equal, {1e100}}}), "r == 1e+100");
    EXPECT_EQ(to_expression({{"r", Comparison::equal, {0.1}}}), "r == 0.1");
    EXPECT_EQ(to_expression({{"r", Comparison::equal, {-3.0}}}), "r == -3.0");
}

}  // namespace
}  // namespace crossover::vectors
