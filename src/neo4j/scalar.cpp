#include "neo4j/scalar.h"

namespace crossover::neo4j {

bolt::Value to_value(const search::Scalar& scalar) {
    return std::visit([](const auto& held) { return bolt::Value(held); }, scalar);
}

std::optional<search::Scalar> to_scalar(const bolt::Value& value) {
    if (const auto* held = value.get_if<std::string>()) return *held;
    if (const auto* held = value.get_if<std::int64_t>()) return *held;
    if (const auto* held = value.get_if<double>()) return *held;
    if (const auto* held = value.get_if<bool>()) return *held;
    return std::nullopt;
}

}  // namespace crossover::neo4j
