#pragma once

#include <span>
#include <string>
#include <string_view>

#include "redis/connection.h"

namespace crossover::learning {

/// A Lua script that Redis runs as one step. Thread-safe.
class Script {
  public:
    explicit Script(std::string source);

    /// Sends the source only where Redis does not know the script yet, or no more. Throws what call() throws.
    redis::Reply run(redis::Connection& connection, std::span<const std::string> keys,
                     std::span<const std::string> arguments, Deadline deadline) const;

  private:
    const std::string source_;
    const std::string digest_;
};

}  // namespace crossover::learning
