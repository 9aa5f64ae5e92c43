#pragma once

#include <functional>
#include <stop_token>

#include "embeddings/collection.h"
#include "migrate/copy_pipeline.h"
#include "sync/source_store.h"

namespace crossover::migrate {

struct SweepResult {
    std::int64_t looked_at = 0;
    std::int64_t upserted = 0;  ///< were missing or stale in Milvus
    std::int64_t erased = 0;    ///< were in Milvus, but Neo4j lacks them or they are invalid there
    std::vector<sync::Rejected> rejected;
};

/// Compares ids and versions of both stores and brings what differs through sync(): finds rows of ids that
/// were deleted between the runs of a killed job, which no resumption would visit (DESIGN section 4, rule 6).
/// Reads Milvus by Strong pages; needs a loaded collection. With an ordered source both directions are
/// compared; otherwise only Milvus's ids are looked up.
SweepResult sweep_versions(sync::SourceScanner& scanner, sync::SourceStore& source,
                           embeddings::Collection& collection, milvus::Client& client,
                           const sync::MediaMapping& mapping, VersionCheck& fence, TargetOutage& outage,
                           const std::function<void(std::int64_t looked_at)>& on_progress,
                           const std::stop_token& stop);

}  // namespace crossover::migrate
