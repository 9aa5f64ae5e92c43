#pragma once

#include <functional>
#include <stop_token>

#include "embeddings/collection.h"
#include "migrate/copy_pipeline.h"
#include "sync/source_store.h"

namespace crossover::migrate {

struct SweepResult {
    std::int64_t matched = 0;   ///< were a row of the right version already
    std::int64_t upserted = 0;  ///< were missing or stale in Milvus
    std::int64_t orphans = 0;   ///< were in Milvus, though Neo4j lacks them: removed
    std::int64_t rejected = 0;  ///< items that can't be a row, told to `on_rejected`
};

struct SweepPorts {
    sync::SourceScanner& scanner;
    sync::SourceStore& source;
    embeddings::Collection& collection;
    milvus::Client& client;
    VersionCheck& fence;
    TargetOutage& outage;
    std::function<void(const sync::Rejected&)> on_rejected;
    std::function<void(std::int64_t looked_at)> on_progress;
    std::function<void(const Error&)> on_wait;  ///< an error that is ridden out
};

/// Compares ids and versions of both stores and brings what differs through sync(): finds rows of ids that
/// were deleted between the runs of a killed job, which no resumption would visit (DESIGN section 4, rule 6).
/// Sees what Milvus had acknowledged before the call; needs a loaded collection. With an ordered source both
/// directions are compared, so that the result accounts for all items whose id can be a row's; otherwise only
/// Milvus's ids are looked up. Memory does not grow with what differs. Ends early when `stop` is requested;
/// may then throw `cancelled`.
SweepResult sweep_versions(const SweepPorts& ports, const sync::MediaMapping& mapping,
                           const std::stop_token& stop);

}  // namespace crossover::migrate
