#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agentdb/stores.h"

/// `rl:control:uncaptured`: a token that engines in the mode `redis` set with each write, of which
/// PostgreSQL hears only by a copy. While it stands, no engine makes PostgreSQL the primary.
namespace crossover::agentdb {

inline constexpr std::string_view kUncapturedKey = "rl:control:uncaptured";

/// To be read before the first look at the keys: whatever is written after this and not captured changes it.
std::optional<std::string> read_capture_token(Stores& stores);

/// After a complete copy: takes the token away if it is still the same. False when another one stands:
/// something was written meanwhile that PostgreSQL does not get by itself.
bool release_capture_token(Stores& stores, const std::string& token);

}  // namespace crossover::agentdb
