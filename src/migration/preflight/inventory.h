#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "neo4j/inventory.h"
#include "sync/mapping.h"

namespace crossover::bolt {
class Driver;
}

namespace crossover::migration {

struct Inventory {
    sync::MediaMapping mapping;  ///< completed
    neo4j::IdSupport ids;
    bool sampled = false;           ///< by a sample: not every item was read
    std::int64_t sample_items = 0;  ///< items that were read
    std::int64_t items = 0;         ///< nodes with an embedding
    bool items_exact = true;        ///< else by the sample's share of the label's nodes, which are counted
    std::int64_t missing = 0;       ///< nodes without one: skipped
    std::int64_t valid = 0;         ///< items that can be copied; where sampled, by the sample's share
    /// Of each carried property, in the mapping's order: what its type was inferred from.
    std::vector<neo4j::PropertyValues> values;
    /// Of the items that were read: length of the list → items; lists only.
    std::map<std::int64_t, std::int64_t> dimensions;
    /// Of the items that were read: those that will be quarantined, by the reason that a quarantine file
    /// would give (sync::RejectionReason). A sample does not see ids that several nodes share.
    std::map<std::string, std::int64_t> bad;
    /// Of the bad ones: those that are too long for the collection that is there, not for Milvus.
    std::int64_t narrow = 0;
    std::string narrow_example;  ///< of the first of them: "title has 21 bytes, the collection takes 16"
    double read_seconds = 0;  ///< for reading them all, as the copy reads; where sampled, by the pace of some

    std::int64_t bad_items() const { return items - valid; }
    double items_per_second() const;
};

/// Looks at a sample of the label, within about eight seconds whatever its size; where `full`, and where the
/// label is no larger than a sample, reads every embedding once, so that the counts are exact. Either by the
/// copy's own path and rules, and memory does not grow with the items. `on_progress(read, expected)` is
/// called for each batch. Throws crossover::Error, among them `not_ready` where there is nothing to copy and
/// `cancelled` on stop.
Inventory take_inventory(bolt::Driver& driver, const std::string& database, sync::MediaMapping mapping,
                         bool full, const std::function<void(std::int64_t, std::int64_t)>& on_progress,
                         const std::stop_token& stop);

}  // namespace crossover::migration
