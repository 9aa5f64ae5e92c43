#pragma once

#include <array>
#include <optional>
#include <string>
#include <variant>

#include "learning/store/experience.h"
#include "learning/store/record.h"

namespace crossover::learning {

/// How the user's own programs write the state into Redis. Whatever is written gets these names; the usual
/// ones are read, too.
struct Names {
    std::string key_prefix;  ///< before "rl:"
    FieldNames fields;
};

/// A store did not take a write, because it is not the primary now. Nothing was changed.
struct Refused {
    std::string primary;  ///< as the store has it: "postgres:3", "moving", "redis"
};
using RecordOutcome = std::variant<Recorded, Refused>;

/// What is known of a user before a recommendation.
struct Knowledge {
    std::optional<std::string> policy;        ///< as stored, any bytes
    std::array<Arms, kStates.size()> arms{};  ///< by state
};

}  // namespace crossover::learning
