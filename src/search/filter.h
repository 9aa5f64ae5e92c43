#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "sync/mapping.h"

/// What is asked of either store: the items nearest to a vector, and which of them count.
namespace crossover::search {

/// A value of a carried property. Of a filter's operands it has the property's own type: int64 for `int64`,
/// double for `float64`.
using Scalar = std::variant<bool, std::int64_t, double, std::string>;

enum class Comparison { equal, not_equal, less, less_or_equal, greater, greater_or_equal, one_of };

/// One condition on a carried property.
struct Condition {
    std::string property;
    Comparison comparison = Comparison::equal;
    std::vector<Scalar> operands;  ///< one; of `one_of` one or more
    friend bool operator==(const Condition&, const Condition&) = default;
};

/// All conditions must hold. An item that lacks a property meets no condition on it in Neo4j, nor in a Milvus
/// with nullable fields (from 2.5); an older Milvus holds the type's zero for it and compares that.
using Filter = std::vector<Condition>;

}  // namespace crossover::search
