#include "sync/direction.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

namespace crossover::sync {

bool has_direction(std::span<const float> vector) {
    // Independent sums, so that the compiler can keep them in one register of the vector unit.
    constexpr std::size_t kSums = 16;
    std::array<float, kSums> sums{};
    std::size_t i = 0;
    for (; i + kSums <= vector.size(); i += kSums) {
        for (std::size_t k = 0; k < kSums; ++k) sums[k] += vector[i + k] * vector[i + k];
    }
    float square = 0;
    for (; i < vector.size(); ++i) square += vector[i] * vector[i];
    for (const float sum : sums) square += sum;
    return std::isnormal(square);
}

std::string_view why_incomparable(std::span<const float> vector, Metric metric) {
    if (!std::all_of(vector.begin(), vector.end(), [](float value) { return std::isfinite(value); })) {
        return "has a value that is not finite as a float32";
    }
    if (metric == Metric::cosine && !has_direction(vector)) {
        return "has no direction, which the COSINE metric needs: it is zero in every value, or its length is "
               "too small or too great for a float32";
    }
    return {};
}

}  // namespace crossover::sync
