#pragma once

#include <functional>
#include <stop_token>
#include <vector>

#include "learning/copy/table_writer.h"

namespace crossover::learning {

/// Waits while enough is queued already. Throws `cancelled` at a stop.
using GiveBatch = std::function<void(std::vector<Source>&&)>;

/// Calls `produce`, and writes what it gives by a few threads; returns when all is written. Throws what a
/// writer threw, else what `produce` threw; either way `stopping`, whose token is `retry.stop`, is asked
/// to stop first, so that whoever waits for a server beside it ends as well.
void write_in_parallel(const CopyOptions& options, const std::string& holder, const Retry& retry,
                       CopyTally& tally, Quarantine& quarantine, std::stop_source stopping,
                       const std::function<void(const GiveBatch&)>& produce);

}  // namespace crossover::learning
