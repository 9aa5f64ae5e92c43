#include <gtest/gtest.h>

#include <cmath>

#include "bolt/value.h"

namespace crossover::bolt {
namespace {

static_assert(sizeof(Value) <= 40, "records hold many");

TEST(Value, AnswersForItsOwnTypeOnly) {
    const Value value = 7;
    ASSERT_NE(value.get_if<std::int64_t>(), nullptr);
    EXPECT_EQ(*value.get_if<std::int64_t>(), 7);
    EXPECT_EQ(value.get_if<double>(), nullptr);
    EXPECT_EQ(value.get_if<bool>(), nullptr);
    EXPECT_EQ(value.get_if<Node>(), nullptr);
    EXPECT_FALSE(value.is_null());
    EXPECT_TRUE(Value().is_null());
}

TEST(Value, TextIsAStringAndNeverABoolean) {
    const Value value = "text";
    ASSERT_NE(value.get_if<std::string>(), nullptr);
    EXPECT_EQ(*value.get_if<std::string>(), "text");
}

TEST(Value, NumbersOfDifferentTypesDiffer) {
    EXPECT_FALSE(Value(1) == Value(1.0));
    EXPECT_FALSE(Value(true) == Value(1));
    EXPECT_FALSE(Value(std::nan("")) == Value(std::nan("")));
    EXPECT_TRUE(Value(0.0) == Value(-0.0));
}

TEST(Value, CopiesShareWhatIsLarge) {
    const Value node = Node{1, {"A"}, {{"k", List{1, 2}}}, "e"};
    const Value copy = node;
    EXPECT_EQ(copy.get_if<Node>(), node.get_if<Node>());
    EXPECT_TRUE(copy == Value(Node{1, {"A"}, {{"k", List{1, 2}}}, "e"}));
    EXPECT_FALSE(copy == Value(Node{1, {"A"}, {{"k", List{1, 3}}}, "e"}));
}

TEST(Value, StructuresOfEqualFieldsButOtherTypesDiffer) {
    EXPECT_FALSE(Value(DateTime{1, 2, 3}) == Value(LegacyDateTime{1, 2, 3}));
    EXPECT_EQ(Value(DateTime{}).type_name(), "DateTime");
    EXPECT_EQ(Value(LegacyDateTimeZoneId{}).type_name(), "LegacyDateTimeZoneId");
}

TEST(Map, FindsReplacesAndKeepsOrder) {
    Map map{{"b", 1}, {"a", "x"}};
    map.set("b", 2);
    map.set("c", nullptr);
    EXPECT_EQ(map.size(), 3U);
    EXPECT_EQ(map.begin()->key, "b");
    EXPECT_EQ(*map.get_if<std::int64_t>("b"), 2);
    EXPECT_EQ(map.get_if<std::int64_t>("a"), nullptr) << "of another type";
    EXPECT_EQ(map.find("d"), nullptr);
    ASSERT_NE(map.find("c"), nullptr);
    EXPECT_TRUE(map.find("c")->is_null());
}

TEST(Map, OrderDoesNotMatterForEquality) {
    EXPECT_TRUE((Map{{"a", 1}, {"b", 2}}) == (Map{{"b", 2}, {"a", 1}}));
    EXPECT_FALSE((Map{{"a", 1}, {"b", 2}}) == (Map{{"b", 1}, {"a", 2}}));
    EXPECT_FALSE((Map{{"a", 1}}) == (Map{{"a", 1}, {"b", 2}}));
    EXPECT_FALSE((Map{{"a", 1}, {"b", 2}}) == (Map{{"a", 1}}));
}

}  // namespace
}  // namespace crossover::bolt
