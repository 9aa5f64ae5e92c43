#include "neo4j/inventory.h"

#include <gtest/gtest.h>

namespace crossover::neo4j {
namespace {

using sync::PropertyType;

TEST(CommonType, HoldsEachValueExactly) {
    EXPECT_EQ((PropertyValues{.all = 3, .booleans = 3}.common_type()), PropertyType::boolean);
    EXPECT_EQ((PropertyValues{.all = 3, .integers = 3, .great = 1}.common_type()), PropertyType::int64);
    EXPECT_EQ((PropertyValues{.all = 3, .floats = 3}.common_type()), PropertyType::float64);
    EXPECT_EQ((PropertyValues{.all = 3, .integers = 2, .floats = 1}.common_type()), PropertyType::float64);
    EXPECT_EQ((PropertyValues{.all = 3, .integers = 2, .floats = 1, .great = 1}.common_type()),
              PropertyType::text);
    EXPECT_EQ((PropertyValues{.all = 3, .booleans = 1, .integers = 2}.common_type()), PropertyType::text);
    EXPECT_EQ((PropertyValues{.all = 3, .integers = 2}.common_type()), PropertyType::text);  // and a date
}

TEST(CommonType, IsTextWhereNoValueSpeaks) {
    EXPECT_EQ(PropertyValues{}.common_type(), PropertyType::text);
}

}  // namespace
}  // namespace crossover::neo4j
