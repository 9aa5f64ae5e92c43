#include "learning/store/mode.h"

#include <array>

namespace crossover::learning {

namespace {
constexpr std::array<std::string_view, kModes> kModeNames = {"redis", "dual", "postgres"};
constexpr std::array<std::string_view, 3> kPrimaryNames = {"redis", "moving", "postgres"};
}  // namespace

std::string_view to_string(Mode mode) {
    return kModeNames.at(static_cast<std::size_t>(mode));
}

std::optional<Mode> parse_mode(std::string_view text) {
    for (std::size_t i = 0; i < kModeNames.size(); ++i) {
        if (kModeNames[i] == text) return static_cast<Mode>(i);
    }
    return std::nullopt;
}

std::string_view to_string(Primary primary) {
    return kPrimaryNames.at(static_cast<std::size_t>(primary));
}

}  // namespace crossover::learning
