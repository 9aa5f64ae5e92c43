#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agentdb/stores.h"

namespace crossover::agentdb {

/// Reads the values of the keys, each once, and calls `take` with batches of them: each holds a few MiB or
/// one value. A key that is gone comes as `missing`. Failures are ridden out; what `take` throws ends it.
void read_values(Stores& stores, std::vector<std::string> keys,
                 const std::function<void(std::vector<Source>&&)>& take);

/// The same for all keys of the kinds that `options` include. Every key that is there from the beginning to
/// the end comes at least once; none comes twice in a batch.
void scan_values(Stores& stores, const CopyOptions& options,
                 const std::function<void(std::vector<Source>&&)>& take);

}  // namespace crossover::agentdb
