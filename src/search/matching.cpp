#include "search/matching.h"

#include <algorithm>

namespace crossover::search {
namespace {

/// Integers and floats compare by value, as they do in both stores; other types are only equal to their own.
std::partial_ordering order(const Scalar& left, const Scalar& right) {
    const auto number = [](const Scalar& scalar) -> std::optional<double> {
        if (const auto* held = std::get_if<std::int64_t>(&scalar)) return static_cast<double>(*held);
        if (const auto* held = std::get_if<double>(&scalar)) return *held;
        return std::nullopt;
    };
    if (left.index() == right.index()) {
        return left < right    ? std::partial_ordering::less
               : left > right  ? std::partial_ordering::greater
               : left == right ? std::partial_ordering::equivalent
                               : std::partial_ordering::unordered;
    }
    const auto a = number(left);
    const auto b = number(right);
    return a && b ? *a <=> *b : std::partial_ordering::unordered;
}

bool holds(const Condition& condition, const Scalar& value) {
    const auto to = [&](const Scalar& operand) { return order(value, operand); };
    const auto first = to(condition.operands.front());
    switch (condition.comparison) {
        case Comparison::equal:
            return first == 0;
        case Comparison::not_equal:
            return first != 0;
        case Comparison::less:
            return first < 0;
        case Comparison::less_or_equal:
            return first <= 0;
        case Comparison::greater:
            return first > 0;
        case Comparison::greater_or_equal:
            return first >= 0;
        case Comparison::one_of:
            return std::any_of(condition.operands.begin(), condition.operands.end(),
                               [&](const Scalar& operand) { return to(operand) == 0; });
    }
    return false;
}

}  // namespace

bool matches(const Filter& filter, std::span<const std::optional<Scalar>> properties,
             const sync::MediaMapping& mapping) {
    return std::all_of(filter.begin(), filter.end(), [&](const Condition& condition) {
        for (std::size_t i = 0; i < mapping.properties.size() && i < properties.size(); ++i) {
            if (mapping.properties[i].name != condition.property) continue;
            return properties[i].has_value() && holds(condition, *properties[i]);
        }
        return false;
    });
}

}  // namespace crossover::search
