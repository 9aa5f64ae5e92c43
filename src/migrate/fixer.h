#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <stop_token>

#include "sync/mapping.h"
#include "sync/source_store.h"
#include "sync/vector_store.h"

namespace crossover::migrate {

/// Repairs ids that validation found different, by the one way to write Milvus. Not thread-safe.
class Fixer {
  public:
    /// All that is referred to must outlive the fixer. `settle` is waited for after a write whose outcome is
    /// unknown, beyond its deadline.
    Fixer(sync::SourceStore& source, sync::VectorStore& target, const sync::MediaMapping& mapping,
          std::chrono::milliseconds settle, std::stop_token stop);

    /// Makes the rows of `ids`, which must not repeat, equal to Neo4j. Throws crossover::Error when a fault
    /// outlasts a few attempts: the ids may then be as they were; run again.
    void fix(std::span<const ItemId> ids);

    std::int64_t fixed() const { return fixed_; }
    std::int64_t not_fixed() const { return not_fixed_; }

  private:
    sync::SourceStore* source_;
    sync::VectorStore* target_;
    const sync::MediaMapping* mapping_;
    std::chrono::milliseconds settle_;
    std::stop_token stop_;
    std::int64_t fixed_ = 0;
    std::int64_t not_fixed_ = 0;
};

}  // namespace crossover::migrate
