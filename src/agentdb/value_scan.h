#pragma once

#include <functional>
#include <vector>

#include "agentdb/stores.h"

namespace crossover::agentdb {

/// Reads the values of all keys of the kinds that `options` include, and calls `take` with batches of them,
/// the last one empty or not; each holds a few MiB or one value. Every key that is there from the beginning
/// to the end comes at least once, one that is gone when it is read as `missing`; none comes twice in a
/// batch. Failures are ridden out; what `take` throws ends it.
void scan_values(Stores& stores, const CopyOptions& options,
                 const std::function<void(std::vector<Source>&&)>& take);

}  // namespace crossover::agentdb
