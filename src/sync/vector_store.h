#pragma once

#include <span>

#include "base/deadline.h"
#include "base/item_id.h"
#include "sync/item_batch.h"

namespace crossover::sync {

/// Milvus, written by id. Thread-safe. The last write to arrive wins, and a call that failed with
/// Error::outcome_unknown() may still be applied later.
class VectorStore {
  public:
    virtual ~VectorStore() = default;

    /// Writes all rows, replacing rows of the same id; returns when Milvus acknowledged exactly that many.
    /// Batches over the server's request limit are sent in parts. Takes `batch.vectors`, to send them from
    /// where they lie: when the call returns they are gone, all else is as it was. An exception leaves the
    /// whole batch as it was.
    virtual void upsert(ItemBatch& batch, Deadline deadline) = 0;
    /// Removes rows; ids that are not there are no error.
    virtual void erase(std::span<const ItemId> ids, Deadline deadline) = 0;
    /// Throws where the collection is no longer what it was taken for, with other fields than these batches
    /// have: `conflict`, or `not_found`.
    virtual void require_same_shape(Deadline deadline) = 0;
};

}  // namespace crossover::sync
