#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <stop_token>

#include "sync/source_store.h"
#include "sync/target_outage.h"
#include "sync/target_scanner.h"
#include "sync/vector_store.h"

namespace crossover::sync {

struct SweepResult {
    std::int64_t matched = 0;   ///< were a row of the right version already
    std::int64_t upserted = 0;  ///< were missing or stale in Milvus
    std::int64_t orphans = 0;   ///< were in Milvus, though Neo4j lacks them: removed
    std::int64_t rejected = 0;  ///< items that can't be a row, told to `on_rejected`
};

/// What a sweep works with. All functions are called from its thread.
struct SweepPorts {
    SourceScanner& scanner;
    SourceStore& source;
    TargetScanner& rows;
    VectorStore& target;
    TargetOutage& outage;
    std::function<Deadline()> write_limit;  ///< no write may have a later deadline
    std::function<void(const Rejected&)> on_rejected;
    std::function<void(std::int64_t looked_at)> on_progress;  ///< after each page; may wait, to be slow
    std::function<void(const Error&)> on_wait;                ///< an error that is ridden out
};

/// Compares ids and versions of both stores and brings what differs through sync(): finds what no change entry
/// and no checkpoint speaks of, such as rows of ids that were deleted between the runs of a killed job (DESIGN
/// section 4, rules 6 and 7). Sees what Milvus had acknowledged before the call; needs a loaded collection. With
/// an ordered source both directions are compared, so that the result accounts for all items whose id can be a
/// row's; otherwise only Milvus's ids are looked up. Memory does not grow with what differs. Ends early when
/// `stop` is requested; may then throw `cancelled`.
SweepResult sweep(const SweepPorts& ports, const MediaMapping& mapping, const std::stop_token& stop);

}  // namespace crossover::sync
