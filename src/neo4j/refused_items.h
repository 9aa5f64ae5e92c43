#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "bolt/driver.h"
#include "neo4j/media_query.h"
#include "sync/source_store.h"

namespace crossover::neo4j {

/// What is known to be no row of the collection, and why: `(:RefusedItem {key, collection, media_id, version,
/// reason})`, made by the version check of a sync() which found an id invalid or refused, and removed
/// by the one that finds it a row, or gone. It says so of one version only.
///
/// Thread-safe. Calls throw crossover::Error.
class RefusedItems {
  public:
    explicit RefusedItems(const sync::MediaMapping& mapping);

    /// Makes the index that it needs, where it is missing.
    static void prepare(bolt::Driver& driver, const std::string& database);

    /// What a version check looks at.
    struct Look {
        std::vector<sync::Presence> presences;  ///< one for each id
        std::vector<std::size_t> recorded;      ///< positions of ids that have a record
    };
    Look look(bolt::Transaction& transaction, const MediaQueries& queries, std::span<const ItemId> ids,
              bool indexed) const;

    /// Makes the records of the ids that are done agree with `rejected`; `before` is what they were judged
    /// by. Asks nothing where there is neither a record nor anything rejected. Returns the positions of `ids`
    /// that are not done: what `look` says of them is not what `before` does.
    std::vector<std::size_t> record(bolt::Transaction& transaction, std::span<const ItemId> ids,
                                    std::span<const sync::Presence> before, const Look& look,
                                    std::span<const sync::Rejected> rejected) const;

    /// See sync::SourceStore.
    std::vector<bool> quarantined(bolt::Session session, std::span<const ItemId> ids,
                                  std::span<const sync::Presence> present) const;

    /// Removes some thousand records; false when none are left. For whoever judges every item anew.
    bool forget_some(bolt::Transaction& transaction) const;

  private:
    bolt::Parameters parameters(std::span<const ItemId> ids) const;

    std::string collection_;
};

}  // namespace crossover::neo4j
