#include "milvus/expression.h"

#include <gtest/gtest.h>

#include <limits>

namespace crossover::milvus {
namespace {

TEST(Expression, QuotesWhatTheServerWouldMisread) {
    EXPECT_EQ(quote(""), R"("")");
    EXPECT_EQ(quote("tt0133093"), R"("tt0133093")");
    EXPECT_EQ(quote(R"(a"b\c'd)"), R"("a\"b\\c'd")");
    EXPECT_EQ(quote("\n\r\t\x01\x7f"), R"("\u000a\u000d\u0009\u0001\u007f")");
    EXPECT_EQ(quote(std::string("a\0b", 3)), R"("a\u0000b")");
    EXPECT_EQ(quote("é語"), "\"é語\"");
    EXPECT_EQ(quote("😀"), R"("\U0001f600")");
    EXPECT_EQ(quote("𠀀0"), R"("\U000200000")");
    EXPECT_EQ(quote("\U0010ffff"), R"("\U0010ffff")");
}

TEST(Expression, WritesTheLowestIntegerSoThatItParses) {
    EXPECT_EQ(literal(ItemId(std::int64_t(-7))), "-7");
    EXPECT_EQ(literal(ItemId(std::numeric_limits<std::int64_t>::max())), "9223372036854775807");
    EXPECT_EQ(literal(ItemId(std::numeric_limits<std::int64_t>::min())), "-9223372036854775807-1");
}

TEST(Expression, ListsAndRanges) {
    const std::vector<ItemId> ids = {std::string("a"), std::string("b\"")};
    EXPECT_EQ(in_expression("id", ids), R"(id in ["a","b\""])");
    EXPECT_EQ(range_expression("id", {}), "");
    EXPECT_EQ(range_expression("id", {ItemId(std::int64_t(3)), std::nullopt}), "id > 3");
    EXPECT_EQ(range_expression("id", {std::nullopt, ItemId(std::string("z"))}), R"(id <= "z")");
    EXPECT_EQ(range_expression("id", {ItemId(std::string("a")), ItemId(std::string("z"))}),
              R"(id > "a" and id <= "z")");
}

}  // namespace
}  // namespace crossover::milvus
