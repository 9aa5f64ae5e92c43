#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/item_id.h"
#include "search/filter.h"

namespace crossover::search {

/// Most neighbours of one search, in either store.
inline constexpr std::size_t kMostNeighbours = 1000;

struct Query {
    std::span<const float> vector;  ///< of the mapping's dimension; finite, and not zero under COSINE
    std::size_t k = 10;             ///< 1..kMostNeighbours
    Filter filter = {};
};

struct Neighbour {
    ItemId id;
    /// The same number in both stores: the cosine or inner product (larger is nearer), or the squared L2
    /// distance (smaller is nearer).
    double score = 0;
    /// In the order of the mapping's properties; empty where the item has none.
    std::vector<std::optional<Scalar>> properties = {};
};

/// A store that finds the nearest items. Thread-safe. Throws crossover::Error.
class Searcher {
  public:
    virtual ~Searcher() = default;
    /// At most `query.k`, nearest first.
    virtual std::vector<Neighbour> nearest(const Query& query, Deadline deadline) = 0;
};

}  // namespace crossover::search
