#pragma once

#include "base/error.h"
#include "engine/metrics.h"

namespace crossover::engine {

/// Counts what a store has done to us, and logs it where the store is Milvus: `event=milvus_error` is what
/// operators look for. Everything else is logged by who gives up on it.
void note_fault(Metrics& metrics, const Error& error);

}  // namespace crossover::engine
