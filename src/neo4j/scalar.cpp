#include "neo4j/scalar.h"

#include "neo4j/value_text.h"

namespace crossover::neo4j {

bolt::Value to_value(const search::Scalar& scalar) {
    return std::visit([](const auto& held) { return bolt::Value(held); }, scalar);
}

std::optional<search::Scalar> to_scalar(const bolt::Value& value, sync::PropertyType type) {
    if (value.is_null()) return std::nullopt;
    if (type == sync::PropertyType::text) return to_text(value);
    if (const auto* held = value.get_if<std::int64_t>()) {
        if (type == sync::PropertyType::float64 && sync::fits_float64(*held))
            return static_cast<double>(*held);
        return *held;
    }
    if (const auto* held = value.get_if<double>()) return *held;
    if (const auto* held = value.get_if<bool>()) return *held;
    return to_text(value);
}

std::vector<std::optional<search::Scalar>> to_scalars(std::span<const bolt::Value> values,
                                                      const sync::MediaMapping& mapping) {
    std::vector<std::optional<search::Scalar>> scalars;
    scalars.reserve(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
        scalars.push_back(to_scalar(values[i], mapping.properties.at(i).type));
    }
    return scalars;
}

}  // namespace crossover::neo4j
