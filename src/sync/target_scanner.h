#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/deadline.h"
#include "base/item_id.h"

namespace crossover::sync {

/// Ids and versions of rows, in ascending order of ids.
struct VersionPage {
    std::vector<ItemId> ids;
    std::vector<std::int64_t> versions;
    std::size_t size() const { return ids.size(); }
    bool empty() const { return ids.empty(); }
};

/// Milvus as something to read from one end to the other. Thread-safe. Calls throw crossover::Error.
class TargetScanner {
  public:
    virtual ~TargetScanner() = default;

    /// A scan begins: its pages show everything that Milvus had acknowledged before.
    virtual void begin_scan(Deadline deadline) = 0;
    /// The rows with the lowest ids behind `after`. A page may come short: only an empty one is the end.
    virtual VersionPage versions_after(const std::optional<ItemId>& after, Deadline deadline) = 0;
};

}  // namespace crossover::sync
