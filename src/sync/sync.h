#pragma once

#include <chrono>
#include <functional>
#include <span>
#include <vector>

#include "sync/source_store.h"
#include "sync/vector_store.h"

namespace crossover::sync {

/// The last look at the versions of ids after they were written, in a write transaction: a leader or a holder
/// that was deposed meanwhile cannot pass it. Retires change entries or renews a lease in the same
/// transaction. Throws what a store throws.
class VersionCheck {
  public:
    virtual ~VersionCheck() = default;
    /// Positions of `ids` whose version or existence is no longer what `before` says; all others count as
    /// done: those of `rejected` leave a record (SourceStore::quarantined), and of the rest none stays.
    virtual std::vector<std::size_t> changed(std::span<const ItemId> ids, std::span<const Presence> before,
                                             std::span<const Rejected> rejected, Deadline deadline) = 0;
};

struct SyncLimits {
    int rounds = 5;
    std::chrono::milliseconds source_deadline{30'000};
    /// The absolute end of every Milvus write: a writer under a lease may not write beyond it.
    Deadline write_deadline;
    /// Hears of ids that Neo4j has and that can be no row before their rows are erased; may throw.
    std::function<void(std::span<const ItemId>)> on_erasing_invalid = {};
};

struct SyncOutcome {
    std::size_t upserted = 0;          ///< ids that are now a row of Milvus
    std::size_t erased = 0;            ///< ids that are now no row of Milvus: deleted, invalid or refused
    std::vector<Rejected> rejected;    ///< why those are that Neo4j has
    std::vector<ItemId> still_moving;  ///< changed in every round, or there was no time: to be synced again
};

/// The one way to write Milvus: makes the rows of `ids` equal to Neo4j, whoever else writes meanwhile.
///
/// Reads the versions, then the vectors; writes; has the version check look again, and repeats for the ids
/// whose version or existence changed. A row that Milvus refuses is no error: it is alone in being refused,
/// erased, and rejected as `refused_by_server`. `ids` must not repeat. Throws what the stores throw; after an
/// error nothing is known of `ids`, and after Error::outcome_unknown() they must be synced again once the
/// late write can no longer arrive.
SyncOutcome sync(SourceStore& source, VectorStore& target, VersionCheck& version_check,
                 const MediaMapping& mapping, std::span<const ItemId> ids, const SyncLimits& limits);

}  // namespace crossover::sync
