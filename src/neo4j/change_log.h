#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bolt/driver.h"
#include "core/deadline.h"
#include "core/item_id.h"
#include "neo4j/media_query.h"
#include "sync/sync.h"

namespace crossover::neo4j {

/// An entry of the outbox: an id whose row in Milvus is owed.
struct ChangeEntry {
    std::string key;  ///< of `(:EmbeddingChange {key})`
    ItemId id;
    friend bool operator==(const ChangeEntry&, const ChangeEntry&) = default;
};

/// The outbox of one engine process: `(:EmbeddingChange {key, media_id, version, op, created_at, owner,
/// lease})`, made in the transaction of the change itself (see MediaWriter). Whoever has made or claimed an
/// entry may bring its id to Milvus until the entry's lease ends, by Neo4j's clock; then anybody may claim
/// it, having waited out what the former owner may have left on its way. Only its owner retires it.
///
/// Thread-safe. Calls throw crossover::Error.
class ChangeLog {
  public:
    /// Of an entry that a writer has made: it should be in Milvus within milliseconds.
    static constexpr std::chrono::seconds kFreshLease{20};
    /// Of a claimed one: time to wait out former writes, and to write many.
    static constexpr std::chrono::seconds kClaimLease{60};

    /// `owner` is new for each process. The driver must outlive the log.
    ChangeLog(bolt::Driver& driver, std::string database, const sync::MediaMapping& mapping,
              std::string owner);

    /// Makes the constraints and indexes that it needs, where they are missing.
    void prepare();

    /// Takes up to `limit` entries whose lease has ended, whoever made them; the oldest first.
    std::vector<ChangeEntry> claim(std::size_t limit);

    /// The last look of a sync() for these entries: in one write transaction reads the versions of ids and
    /// retires the entries of those that are unchanged, as far as this process still owns them. `entries`
    /// must outlive it; may hold several of one id.
    std::unique_ptr<sync::Settlement> settlement(const std::vector<ChangeEntry>& entries);

    struct Depth {
        std::int64_t entries = 0;
        double oldest_seconds = 0;  ///< 0 where there is none
    };
    Depth depth(Deadline deadline);

    const std::string& owner() const { return owner_; }

  private:
    bolt::Driver& driver_;
    const std::string database_;
    const MediaQueries queries_;
    const std::string owner_;
};

}  // namespace crossover::neo4j
