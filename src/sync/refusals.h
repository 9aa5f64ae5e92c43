#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"
#include "sync/item_batch.h"
#include "sync/vector_store.h"

namespace crossover::sync {

/// A row that Milvus refuses whatever goes with it.
struct RefusedRow {
    std::size_t row;
    std::string words;  ///< Milvus's
};

struct Accepted {
    std::vector<RefusedRow> refused;
    /// Rows that there was no time for; the others are in Milvus.
    std::vector<std::size_t> untried;
    bool all() const { return refused.empty() && untried.empty(); }
};

/// Milvus has judged the rows themselves, and refuses: the same rows again would be refused again.
bool is_refusal(const Error& error);

/// VectorStore::upsert() that is not ended by a refusal: a batch that Milvus refuses is halved until each row
/// that it refuses is alone, for half of the time there is, so that the rest is left for what comes of it.
/// Afterwards the vectors of `batch` are gone, as there.
///
/// Throws what upsert() throws. Where no row at all is taken, the collection may have changed: then
/// require_same_shape() throws, and no row is called refused.
Accepted upsert_what_is_taken(VectorStore& target, ItemBatch& batch, Deadline deadline);

}  // namespace crossover::sync
