#include "sync/mapping.h"

namespace crossover::sync {

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
