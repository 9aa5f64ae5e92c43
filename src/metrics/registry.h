#pragma once

#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <string>

#include "metrics/names.h"

namespace crossover::metrics {

/// The family of a metric; `builder` is one of prometheus-cpp's, such as BuildCounter().
template <class Builder>
auto& family(Builder builder, prometheus::Registry& registry, const Metric& metric) {
    return builder.Name(metric.name).Help(metric.help).Register(registry);
}

/// All metrics, of content type kContentType.
inline std::string text_of(const prometheus::Registry& registry) {
    return prometheus::TextSerializer().Serialize(registry.Collect());
}

}  // namespace crossover::metrics
