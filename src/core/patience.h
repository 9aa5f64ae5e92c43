#pragma once

#include "core/error.h"

namespace crossover {

/// So often in a row a call is tried that Milvus answers with a code that nobody knows.
inline constexpr int kUnknownCodeAttempts = 10;

/// Counts the attempts of one call, for loops that retry for as long as it takes what passes: of a code that
/// nobody knows it can't be told whether it ever does. Not thread-safe.
class Patience {
  public:
    /// Whether to try again after `error`.
    bool has_for(const Error& error);

  private:
    int unknown_ = 0;
};

}  // namespace crossover
