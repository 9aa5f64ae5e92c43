#pragma once

#include <chrono>
#include <span>
#include <vector>

#include "sync/source_store.h"
#include "sync/vector_store.h"

namespace crossover::sync {

struct SyncLimits {
    int rounds = 5;
    std::chrono::milliseconds source_deadline{30'000};
    /// The absolute end of every Milvus write: a writer under a lease may not write beyond it.
    Deadline write_deadline;
};

struct SyncOutcome {
    std::size_t upserted = 0;          ///< ids that are now a row of Milvus
    std::size_t erased = 0;            ///< ids that are now no row of Milvus: deleted or invalid
    std::vector<Rejected> rejected;    ///< why the invalid ones are invalid
    std::vector<ItemId> still_moving;  ///< changed in every round: to be synced again
};

/// The one way to write Milvus: makes the rows of `ids` equal to Neo4j, whoever else writes meanwhile.
///
/// Reads the versions, then the vectors; writes; reads the versions again and repeats for the ids whose
/// version or existence changed. `ids` must not repeat. Throws what the stores throw; after an error nothing
/// is known of `ids`, and after Error::outcome_unknown() they must be synced again once the late write can no
/// longer arrive.
SyncOutcome sync(SourceStore& source, VectorStore& target, const MediaMapping& mapping,
                 std::span<const ItemId> ids, const SyncLimits& limits);

}  // namespace crossover::sync
