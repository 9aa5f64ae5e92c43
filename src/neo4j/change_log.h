#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/item_id.h"
#include "bolt/driver.h"
#include "neo4j/media_query.h"
#include "neo4j/refused_items.h"
#include "sync/sync.h"

namespace crossover::neo4j {

/// An entry of the outbox: an id whose row in Milvus is owed.
struct ChangeEntry {
    std::string key;  ///< of `(:EmbeddingChange {key})`
    ItemId id;
    std::string owner;  ///< whoever made or claimed it, by a name that is new each time
    friend bool operator==(const ChangeEntry&, const ChangeEntry&) = default;
};

struct Claim {
    std::vector<ChangeEntry> entries;
    /// Entries that were deleted because nothing in the collection can have their id: it is of the other
    /// kind, or of none. No program of ours makes such.
    std::int64_t discarded = 0;
};

/// The outbox of one collection: `(:EmbeddingChange {collection, key, media_id, version, op, created_at,
/// owner, lease})`, made in the transaction of the change itself (see MediaWriter). Entries of another
/// collection in the same database are not seen. Whoever has made or claimed an entry may bring its id to
/// Milvus until the entry's lease ends, by Neo4j's clock; then anybody may claim it, having waited out what
/// the former owner may have left on its way. Only its owner retires it: neither one whose claim has lapsed,
/// nor another part of the same process.
///
/// Thread-safe. Calls throw crossover::Error.
class ChangeLog {
  public:
    /// Of an entry that a writer has made: it should be in Milvus within milliseconds.
    static constexpr std::chrono::seconds kFreshLease{20};
    /// Of a claimed one: time to wait out former writes, and to write many.
    static constexpr std::chrono::seconds kClaimLease{60};

    /// The driver must outlive the log.
    ChangeLog(bolt::Driver& driver, std::string database, const sync::MediaMapping& mapping);

    /// Makes the constraints and indexes that it needs, where they are missing.
    void prepare();

    /// Entries without a collection become this one's; returns how many. An earlier release made them, and of
    /// it a database had one collection. Reads all entries once for each 10,000 that it takes in.
    std::int64_t take_in_unowned();

    /// Takes up to `limit` entries whose lease has ended, whoever made them; the oldest first.
    Claim claim(std::size_t limit);

    /// Makes an entry for each of these ids, that anybody may claim at once.
    void owe(std::span<const ItemId> ids);

    /// The last look of a sync() for these entries: in one write transaction reads the versions of ids and
    /// retires the entries of those that are unchanged, as far as they still have the owner given. `entries`
    /// must outlive it; may hold several of one id.
    std::unique_ptr<sync::VersionCheck> version_check(const std::vector<ChangeEntry>& entries);

    struct Depth {
        std::int64_t entries = 0;
        double oldest_seconds = 0;  ///< 0 where there is none
    };
    Depth depth(Deadline deadline);

  private:
    bolt::Driver& driver_;
    const std::string database_;
    const std::string collection_;
    const sync::IdKind id_kind_;
    const MediaQueries queries_;
    const RefusedItems refused_;
};

}  // namespace crossover::neo4j
