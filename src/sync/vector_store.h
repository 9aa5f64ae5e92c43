#pragma once

#include <span>

#include "core/deadline.h"
#include "core/item_id.h"
#include "sync/item_batch.h"

namespace crossover::sync {

/// Milvus, written by id. Thread-safe. The last write to arrive wins, and a call that failed with
/// Error::outcome_unknown() may still be applied later.
class VectorStore {
  public:
    virtual ~VectorStore() = default;

    /// Writes all rows, replacing rows of the same id; returns when Milvus acknowledged exactly that many.
    /// Batches over the server's request limit are sent in parts. `batch` is lent, so that its vectors can be
    /// sent from where they lie: it is as it was when the call ends, by return or by exception.
    virtual void upsert(ItemBatch& batch, Deadline deadline) = 0;
    /// Removes rows; ids that are not there are no error.
    virtual void erase(std::span<const ItemId> ids, Deadline deadline) = 0;
};

}  // namespace crossover::sync
