#include "neo4j/scalar.h"

#include <gtest/gtest.h>

namespace crossover::neo4j {
namespace {

using search::Scalar;
using sync::PropertyType;

TEST(ToScalar, ReadsAsOutOfMilvus) {
    EXPECT_EQ(to_scalar(bolt::Value(5), PropertyType::text), Scalar(std::string("5")));
    EXPECT_EQ(to_scalar(bolt::Value(5), PropertyType::float64), Scalar(5.0));
    EXPECT_EQ(to_scalar(bolt::Value(5), PropertyType::int64), Scalar(std::int64_t{5}));
    EXPECT_EQ(to_scalar(bolt::Value(true), PropertyType::boolean), Scalar(true));
    EXPECT_EQ(to_scalar(bolt::Value(bolt::Date{0}), PropertyType::text), Scalar(std::string("1970-01-01")));
    EXPECT_EQ(to_scalar(bolt::Value(), PropertyType::text), std::nullopt);
}

TEST(ToScalar, WhatDoesNotFitIsShownAsItIs) {
    const std::int64_t great = (std::int64_t{1} << 53) + 1;
    EXPECT_EQ(to_scalar(bolt::Value(great), PropertyType::float64), Scalar(great));
    EXPECT_EQ(to_scalar(bolt::Value("x"), PropertyType::int64), Scalar(std::string("x")));
    EXPECT_EQ(to_scalar(bolt::Value(bolt::Date{0}), PropertyType::int64), Scalar(std::string("1970-01-01")));
}

}  // namespace
}  // namespace crossover::neo4j
