#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "milvus/types.h"

namespace crossover::milvus {

/// Reads the JSON that GetMetrics answers to {"metric_type":"system_info"}. Empty where it is no such
/// document; a number that is missing or has another type is 0.
std::optional<std::vector<NodeMetrics>> parse_system_info(std::string_view json);

}  // namespace crossover::milvus
