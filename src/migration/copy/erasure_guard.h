#pragma once

#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_set>

#include "milvus/client.h"
#include "vectors/collection.h"

namespace crossover::migration {

/// Holds the rule of base/deletions.h for rows whose item is still in Neo4j and can't be a row any more: a
/// copy meets them one batch after the other, so that they can't be counted before the first is erased. Of a
/// collection that is not loaded nothing is known, and nobody is served by it: there it lets all pass.
/// Thread-safe. Client and collection must outlive it.
class ErasureGuard {
  public:
    ErasureGuard(milvus::Client& client, const vectors::Collection& collection)
        : client_(client), collection_(collection) {}

    /// To be called before the rows of these ids are erased. Throws `not_ready` where they would be too many,
    /// and what Milvus answers.
    void admit(std::span<const ItemId> ids);

  private:
    milvus::Client& client_;
    const vectors::Collection& collection_;
    std::mutex mutex_;
    std::optional<std::int64_t> found_;       ///< rows of the collection when the first was to go
    std::unordered_set<std::size_t> erased_;  ///< hashes of ids with a row: one may come twice
};

}  // namespace crossover::migration
