#pragma once

#include <span>

namespace crossover::sync {

/// Whether a vector has a direction, as COSINE needs: the square of its length, in float32 as Milvus computes
/// it, is neither zero, nor denormal (where almost no digit is left), nor infinite or NaN.
bool has_direction(std::span<const float> vector);

}  // namespace crossover::sync
