#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/item_id.h"
#include "sync/item_batch.h"

namespace crossover::sync {

/// What Neo4j says of one id: the nodes of the label that bear it and have an embedding.
struct Presence {
    enum class State : std::uint8_t {
        absent,     ///< no such node, or none with an embedding
        present,    ///< exactly one
        ambiguous,  ///< several nodes share the id: nobody can say which is right, so none is copied
    };
    State state = State::absent;
    std::int64_t version = 0;  ///< of the one node; a missing version property is 0
    friend bool operator==(const Presence&, const Presence&) = default;
};

/// What Neo4j said of some ids, in their order, and its bookmarks of that moment: a later read that is given
/// them sees at least as much, whichever server of a cluster answers.
struct Versions {
    std::vector<Presence> presences;
    std::vector<std::string> bookmarks;
};

/// Ids in (after, through]; an empty bound is open.
struct KeyRange {
    std::optional<ItemId> after;
    std::optional<ItemId> through;
    friend bool operator==(const KeyRange&, const KeyRange&) = default;
};

/// Consecutive source items of a scan.
struct ScannedBatch {
    ItemBatch items;                 ///< valid ones; their versions were read before their vectors
    std::vector<Rejected> rejected;  ///< invalid ones
    std::vector<ItemId> to_resync;   ///< valid or not, changed while being read: to go through sync()
    KeyRange keys;                   ///< what this batch covers; open where the scan has no order
    bool last = false;               ///< it reaches the end of what was asked for; may then be empty
    /// Neo4j's element id of each row of `items`: only where the scan has no order, for read_versions_at().
    std::vector<std::string> element_ids;
    std::size_t read() const { return items.rows() + rejected.size() + to_resync.size(); }
};

/// Neo4j, the source of truth. Thread-safe. Calls throw crossover::Error.
class SourceStore {
  public:
    virtual ~SourceStore() = default;

    /// As the leader has them.
    virtual Versions read_versions(std::span<const ItemId> ids, Deadline deadline) = 0;

    /// Appends the items of `ids` that are present and valid to `valid`, and says of the others that are
    /// present why they are not. `seen`, one for each id, was read before by read_versions() and gives the
    /// rows their versions: one read together with the vector might be newer than it, and a vector that some
    /// other server has might be older than the version.
    virtual void read_items(std::span<const ItemId> ids, const Versions& seen, ItemBatch& valid,
                            std::vector<Rejected>& rejected, Deadline deadline) = 0;

    /// For each of `ids`, which have no row in Milvus: whether that is right, since a sync() found the id
    /// invalid or refused just as `present` says it is now, and recorded it.
    virtual std::vector<bool> quarantined(std::span<const ItemId> ids, std::span<const Presence> present,
                                          Deadline deadline) = 0;
};

/// Neo4j as something to read from one end to the other. Thread-safe; each scan has a connection of its own.
class SourceScanner {
  public:
    virtual ~SourceScanner() = default;

    /// True where ids can be read in order (a range index on the id property is online).
    virtual bool ordered() const = 0;

    /// Reads the items of `keys`, in order of ids where ordered(); otherwise all, in no order (`keys` must be
    /// open). Calls `sink` with batches of at most `batch_rows` rows read; it returns false to stop. A lost
    /// connection throws; what reached the sink is whole batches.
    virtual void scan(const KeyRange& keys, std::size_t batch_rows,
                      const std::function<bool(ScannedBatch&&)>& sink) = 0;

    /// Where ordered(): the items that no range holds, because their id is missing or of the other kind. (A
    /// scan without order meets them among the others.)
    virtual void scan_foreign_ids(const std::function<void(const Rejected&)>& sink) = 0;

    /// Ids and versions of present items within `keys`, in order; only where ordered(). An ambiguous id comes
    /// once, as such.
    virtual void scan_versions(const KeyRange& keys,
                               const std::function<bool(const ItemId&, Presence)>& sink) = 0;
};

}  // namespace crossover::sync
