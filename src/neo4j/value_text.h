#pragma once

#include <string>

#include "bolt/value.h"

namespace crossover::neo4j {

/// A value as text, for properties that have values of several types and for messages: strings as they are,
/// numbers in their shortest exact form, lists as JSON-like "[a, b]", other types by their name and numbers.
std::string to_text(const bolt::Value& value);

}  // namespace crossover::neo4j
