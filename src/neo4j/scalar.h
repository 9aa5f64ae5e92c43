#pragma once

#include <optional>
#include <span>
#include <vector>

#include "bolt/value.h"
#include "search/filter.h"
#include "sync/mapping.h"

namespace crossover::neo4j {

bolt::Value to_value(const search::Scalar& scalar);
/// The value as the property's type has it, so that it reads the same as out of Milvus; one that does not fit
/// the type (its item is no row of Milvus) as it is, or its text. Empty for null.
std::optional<search::Scalar> to_scalar(const bolt::Value& value, sync::PropertyType type);
/// Those of all carried properties, in the order of the mapping's; more of them is std::out_of_range.
std::vector<std::optional<search::Scalar>> to_scalars(std::span<const bolt::Value> values,
                                                      const sync::MediaMapping& mapping);

}  // namespace crossover::neo4j
