#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/error.h"

namespace crossover::engine {

/// How long work that rides out the errors of servers may stand still. Not thread-safe.
class Standstill {
  public:
    using Clock = std::chrono::steady_clock;

    explicit Standstill(std::chrono::minutes longest) : longest_(longest) {}

    /// The work has got on.
    void moved();
    /// An error is about to be ridden out. Returns whether an operator should hear of it: the first since the
    /// work got on, or another than the one before. Throws it, saying for how long, where nothing has moved
    /// for too long.
    bool is_news(const Error& error, Clock::time_point now = Clock::now());

  private:
    const std::chrono::minutes longest_;
    std::optional<Clock::time_point> since_;
    std::string last_;
};

}  // namespace crossover::engine
