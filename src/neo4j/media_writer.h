#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "bolt/driver.h"
#include "neo4j/change_log.h"
#include "sync/mapping.h"

namespace crossover::neo4j {

/// A media item as clients see it.
struct MediaItem {
    ItemId id;
    /// The numbers as they stand in Neo4j; empty where there are none. Of put(): empty leaves the stored ones
    /// alone.
    std::optional<std::vector<double>> embedding;
    /// One for each property of the mapping, in its order; null of put() removes it. Of a text property
    /// read() may bring times in a named zone as their text.
    std::vector<bolt::Value> properties;
    std::int64_t version = 0;  ///< not read by put()
};

/// Whether a change leaves an entry in the outbox: not in `neo4j_only`.
enum class Capture { off, on };

struct Written {
    std::int64_t version = 0;
    bool created = false;  ///< there was no such node before
    /// Only of a captured change.
    std::optional<ChangeEntry> entry;
    /// From here on, by our clock, somebody else may claim the entry.
    Deadline lease_end;
};

/// Writes media nodes, each with a fresh version and, where captured, its change entry in the same
/// transaction. Properties and relationships that the mapping does not name stay
/// as they are.
///
/// Versions are microseconds since 1970, or one more than the former version where that is later: they never
/// repeat for an id, not even after it was deleted and made anew.
///
/// Thread-safe; a session for each call. The driver must outlive it. Throws crossover::Error: after
/// Error::outcome_unknown() the change may or may not be there.
class MediaWriter {
  public:
    MediaWriter(bolt::Driver& driver, std::string database, const sync::MediaMapping& mapping,
                std::string owner);

    Written put(const MediaItem& item, Capture capture, Deadline deadline);
    /// Removes the node and its relationships. Empty where there is none.
    std::optional<Written> erase(const ItemId& id, Capture capture, Deadline deadline);
    std::optional<MediaItem> read(const ItemId& id, Deadline deadline);

  private:
    std::optional<Written> write(const std::string& query, bolt::Parameters parameters, const ItemId& id,
                                 Capture capture, Deadline deadline);
    std::int64_t now();

    bolt::Driver& driver_;
    const std::string database_;
    const sync::MediaMapping mapping_;
    const std::string owner_;
    struct Statements {
        std::string put, put_with_embedding, erase;
    };
    const Statements plain_, captured_;
    const std::string read_;
};

}  // namespace crossover::neo4j
