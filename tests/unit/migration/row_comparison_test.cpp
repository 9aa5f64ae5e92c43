#include "migration/validate/row_comparison.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "support/memory_stores.h"

namespace crossover::migration {
namespace {

struct Pair {
    explicit Pair(std::vector<float> source_vector, std::vector<float> target_vector) {
        source = sync::make_batch(mapping);
        source.ids = {ItemId("a")};
        source.versions = {5};
        source.vectors = std::move(source_vector);
        std::get<std::vector<std::string>>(source.properties[0].values) = {"Alien"};
        source.properties[0].present = {1};
        target.ids = {ItemId("a")};
        target.versions = {5};
        target.vectors = std::move(target_vector);
        target.dimension = 2;
        target.properties = {{"title", std::vector<std::string>{"Alien"}}};
    }
    RowComparison compare() const { return compare_rows(source, 0, target, 0); }
    std::string describe() const { return describe_difference(mapping, source, 0, target, 0); }

    sync::MediaMapping mapping = test::mapping_of(2);
    sync::ItemBatch source;
    milvus::ColumnBatch target;
};

TEST(RowComparison, EqualRowsAreEqual) {
    const auto comparison = Pair({1, 2}, {1, 2}).compare();
    EXPECT_FALSE(comparison.difference);
    EXPECT_TRUE(comparison.same_bits);
    EXPECT_EQ(comparison.l2, 0);
}

TEST(RowComparison, OneUlpIsSeenButTolerated) {
    const auto comparison = Pair({1, 2}, {std::nextafter(1.0F, 2.0F), 2}).compare();
    EXPECT_FALSE(comparison.difference);
    EXPECT_FALSE(comparison.same_bits);
    EXPECT_DOUBLE_EQ(comparison.l2, std::ldexp(1.0, -23));
}

TEST(RowComparison, NegativeZeroIsNotTheSameBits) {
    const auto comparison = Pair({1, 0.0F}, {1, -0.0F}).compare();
    EXPECT_FALSE(comparison.difference);
    EXPECT_FALSE(comparison.same_bits);
}

TEST(RowComparison, OverTheToleranceDiffers) {
    EXPECT_EQ(Pair({1, 2}, {1.00002F, 2}).compare().difference, Difference::different_vector);
}

TEST(RowComparison, NanNeverPasses) {
    const auto nan = std::numeric_limits<float>::quiet_NaN();
    const auto comparison = Pair({1, 2}, {nan, 2}).compare();
    EXPECT_EQ(comparison.difference, Difference::different_vector);
    EXPECT_EQ(comparison.l2, std::numeric_limits<double>::infinity());
}

TEST(RowComparison, AnotherLengthIsInfinitelyFar) {
    EXPECT_EQ(l2_distance(std::vector<float>{1}, std::vector<float>{1, 2}),
              std::numeric_limits<double>::infinity());
}

TEST(RowComparison, TheVersionComesFirst) {
    Pair pair({1, 2}, {3, 2});
    pair.target.versions = {4};
    const auto comparison = pair.compare();
    EXPECT_EQ(comparison.difference, Difference::stale_version);
    EXPECT_EQ(comparison.l2, 2);
    EXPECT_EQ(pair.describe(), "version 4 in Milvus, 5 in Neo4j; L2 2");
}

TEST(RowComparison, PropertiesDiffer) {
    Pair pair({1, 2}, {1, 2});
    std::get<std::vector<std::string>>(pair.target.properties[0].values) = {"Aliens"};
    EXPECT_EQ(pair.compare().difference, Difference::different_property);
    EXPECT_EQ(pair.describe(), "title \"Aliens\" in Milvus, \"Alien\" in Neo4j");
}

TEST(RowComparison, WhereFieldsAreNullableAbsenceMustAgree) {
    Pair pair({1, 2}, {1, 2});
    pair.source.properties[0].present = {0};
    std::get<std::vector<std::string>>(pair.source.properties[0].values) = {""};
    std::get<std::vector<std::string>>(pair.target.properties[0].values) = {""};
    EXPECT_FALSE(pair.compare().difference);  // not nullable: both are the zero
    pair.target.properties[0].valid = {0};
    EXPECT_FALSE(pair.compare().difference);  // null in both
    pair.target.properties[0].valid = {1};
    EXPECT_EQ(pair.compare().difference, Difference::different_property);
    EXPECT_EQ(pair.describe(), "title \"\" in Milvus, absent in Neo4j");
}

TEST(RowComparison, APropertyOfAnotherTypeDiffers) {
    Pair pair({1, 2}, {1, 2});
    pair.target.properties[0].values = std::vector<std::int64_t>{1};
    EXPECT_EQ(pair.compare().difference, Difference::different_property);
}

TEST(RowComparison, LongTextIsCutBetweenCharacters) {
    Pair pair({1, 2}, {1, 2});
    std::string text(79, 'x');
    for (int i = 0; i < 10; ++i) text += "é";
    std::get<std::vector<std::string>>(pair.target.properties[0].values) = {text};
    EXPECT_EQ(pair.describe(),
              "title \"" + std::string(79, 'x') + "…\" (99 bytes) in Milvus, \"Alien\" in Neo4j");
}

TEST(RowComparison, AnyNanOfAPropertyIsAnyOther) {
    Pair pair({1, 2}, {1, 2});
    pair.source.properties[0] = {std::vector<double>{std::numeric_limits<double>::quiet_NaN()}, {1}};
    pair.target.properties[0].values = std::vector<double>{-std::numeric_limits<double>::signaling_NaN()};
    EXPECT_FALSE(pair.compare().difference);
    pair.target.properties[0].values = std::vector<double>{0};
    EXPECT_EQ(pair.compare().difference, Difference::different_property);
}

}  // namespace
}  // namespace crossover::migration
