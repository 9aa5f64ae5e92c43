#pragma once

#include <optional>
#include <span>

#include "search/filter.h"

namespace crossover::search {

/// Whether an item meets a filter, as Neo4j sees it: an item that lacks a property meets no condition on it.
/// `properties` are in the order of the mapping's.
bool matches(const Filter& filter, std::span<const std::optional<Scalar>> properties,
             const sync::MediaMapping& mapping);

}  // namespace crossover::search
