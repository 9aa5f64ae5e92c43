#pragma once

#include <optional>

#include "bolt/value.h"
#include "search/filter.h"

namespace crossover::neo4j {

bolt::Value to_value(const search::Scalar& scalar);
/// Empty for null and for types that no carried property has.
std::optional<search::Scalar> to_scalar(const bolt::Value& value);

}  // namespace crossover::neo4j
