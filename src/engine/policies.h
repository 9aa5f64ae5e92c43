#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "engine/recommender.h"
#include "engine/redis_aside.h"

namespace crossover::engine {

/// A policy as it is stored: a JSON object with any of `vector`, `co_watched`, `same_director` and
/// `same_genre`, each a number from 0 to 100; what is left out is as by default. Empty for anything else.
std::optional<Weights> parse_policy(std::string_view stored);

/// The users' policies, `rl:policy:<user>` in Redis (DESIGN section 3). Thread-safe.
class Policies {
  public:
    explicit Policies(RedisAside& redis) : redis_(redis) {}
    /// Empty where the user has none, or it can't be read: then the defaults hold.
    std::optional<Weights> of(const std::string& user);

  private:
    RedisAside& redis_;
};

}  // namespace crossover::engine
