#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bolt/driver.h"
#include "sync/source_store.h"

namespace crossover::neo4j {

/// The media nodes of one label: sync's view of Neo4j over Bolt.
///
/// Thread-safe: each call takes a session of its own from the driver, which must outlive the store.
/// Ordered scans use the range index on the id property; without one (`ordered = false`) a scan reads the
/// label's nodes once and calls by id cost a label scan each, whatever their deadline.
///
/// A scan that Neo4j takes up and then is silent in for kScanSilence is a `timeout`; the third in a row is
/// `not_ready`, so that who rides out timeouts does not scan for ever.
class MediaStore : public sync::SourceStore, public sync::SourceScanner {
  public:
    MediaStore(bolt::Driver& driver, std::string database, sync::MediaMapping mapping, bool ordered);
    ~MediaStore() override;

    sync::Versions read_versions(std::span<const ItemId> ids, Deadline deadline) override;
    void read_items(std::span<const ItemId> ids, const sync::Versions& seen, sync::ItemBatch& valid,
                    std::vector<sync::Rejected>& rejected, Deadline deadline) override;
    std::vector<bool> quarantined(std::span<const ItemId> ids, std::span<const sync::Presence> present,
                                  Deadline deadline) override;
    bool ordered() const override;
    void scan(const sync::KeyRange& keys, std::size_t batch_rows,
              const std::function<bool(sync::ScannedBatch&&)>& sink) override;
    void scan_foreign_ids(const std::function<void(const sync::Rejected&)>& sink) override;
    void scan_versions(const sync::KeyRange& keys,
                       const std::function<bool(const ItemId&, sync::Presence)>& sink) override;

    /// Nodes of the label without an embedding: nothing to copy. Both counts look at every node of the label.
    std::int64_t count_without_embedding();
    /// Nodes of the label with an embedding.
    std::int64_t count_with_embedding();
    /// Boundaries that divide the ids into `parts` ranges of about equal size, by a sample of the label;
    /// fewer where there are few ids. Ordered only.
    std::vector<ItemId> range_boundaries(std::size_t parts);
    /// Reads these nodes as scans do. Returns how many of them are items; `on_rejected` hears of those that
    /// can be no row, except that ids which several nodes share don't come to light.
    std::int64_t judge(std::span<const std::string> elements,
                       const std::function<void(const sync::Rejected&)>& on_rejected);

    const sync::MediaMapping& mapping() const;

    /// Scans that begin from now on see at least what Neo4j had at these bookmarks.
    void see_at_least(std::vector<std::string> bookmarks);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace crossover::neo4j
