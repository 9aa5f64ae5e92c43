#pragma once

#include <optional>
#include <string_view>

#include "engine/recommender.h"

namespace crossover::engine {

/// A policy as it is stored: a JSON object with any of `vector`, `co_watched`, `same_director` and
/// `same_genre`, each a number from 0 to 100; what is left out is as by default. Empty for anything else.
std::optional<Weights> parse_policy(std::string_view stored);

}  // namespace crossover::engine
