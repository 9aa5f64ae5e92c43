#pragma once

#include <span>
#include <string_view>

#include "sync/mapping.h"

namespace crossover::sync {

/// Whether a vector has a direction, as COSINE needs: the square of its length, in float32 as Milvus computes
/// it, is neither zero, nor denormal (where almost no digit is left), nor infinite or NaN.
bool has_direction(std::span<const float> vector);

/// What is wrong with a vector that can't be compared with others under `metric`, as the end of a sentence
/// ("has no direction, …"); empty where nothing is.
std::string_view why_incomparable(std::span<const float> vector, Metric metric);

}  // namespace crossover::sync
