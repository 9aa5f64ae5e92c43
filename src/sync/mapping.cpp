#include "sync/mapping.h"

#include <algorithm>

namespace crossover::sync {

const CarriedProperty* find_property(const MediaMapping& mapping, std::string_view name) {
    const auto found = std::find_if(mapping.properties.begin(), mapping.properties.end(),
                                    [&](const auto& property) { return property.name == name; });
    return found == mapping.properties.end() ? nullptr : &*found;
}

std::string_view to_string(PropertyType type) {
    switch (type) {
        case PropertyType::boolean:
            return "boolean";
        case PropertyType::int64:
            return "int64";
        case PropertyType::float64:
            return "float64";
        case PropertyType::text:
            return "text";
    }
    return "text";
}

std::string_view to_string(TypeSource source) {
    switch (source) {
        case TypeSource::values:
            return "values";
        case TypeSource::collection:
            return "collection";
        case TypeSource::setting:
            return "setting";
    }
    return "values";
}

std::optional<PropertyType> parse_property_type(std::string_view text) {
    for (const auto type :
         {PropertyType::boolean, PropertyType::int64, PropertyType::float64, PropertyType::text}) {
        if (to_string(type) == text) return type;
    }
    return std::nullopt;
}

std::string_view to_string(IdKind kind) {
    return kind == IdKind::string ? "string" : "integer";
}

std::string_view to_string(Metric metric) {
    switch (metric) {
        case Metric::cosine:
            return "COSINE";
        case Metric::inner_product:
            return "IP";
        case Metric::l2:
            return "L2";
    }
    return "COSINE";
}

}  // namespace crossover::sync
