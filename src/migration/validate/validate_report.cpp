#include "migration/validate/validate.h"

namespace crossover::migration {

std::string_view to_string(Difference difference) {
    switch (difference) {
        case Difference::missing:
            return "missing";
        case Difference::orphaned:
            return "orphaned";
        case Difference::stale_version:
            return "stale_version";
        case Difference::different_vector:
            return "different_vector";
        case Difference::different_property:
            return "different_property";
    }
    return "unknown";
}

double ValidateReport::success() const {
    return checked > 0 ? static_cast<double>(consistent) / static_cast<double>(checked) : 1.0;
}

bool ValidateReport::passed() const {
    return !interrupted && success() >= kRequiredSuccess && count(Difference::missing) == 0 &&
           max_l2 < kVectorTolerance;
}

}  // namespace crossover::migration
