#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "learning/copy/stores.h"
#include "learning/store/keys.h"

/// The token in learning::kUncapturedKey, as a copy sees it.
namespace crossover::learning {

/// To be read before the first look at the keys: whatever is written after this and not captured changes it.
std::optional<std::string> read_capture_token(Stores& stores);

/// After a complete copy: takes the token away if it is still the same. False when another one stands:
/// something was written meanwhile that PostgreSQL does not get by itself.
bool release_capture_token(Stores& stores, const std::string& token);

}  // namespace crossover::learning
