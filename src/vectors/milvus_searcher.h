#pragma once

#include <string>

#include "search/searcher.h"
#include "vectors/collection.h"

namespace crossover::vectors {

/// The condition as a boolean expression of Milvus, over the fields that the properties are there; empty for
/// none. Texts are quoted.
std::string to_expression(const search::Filter& filter, const sync::MediaMapping& mapping);

/// The nearest items out of the collection's HNSW index. Bounded consistency: what was written in the last
/// moments may be missing.
class MilvusSearcher : public search::Searcher {
  public:
    /// All must outlive the searcher.
    MilvusSearcher(milvus::Client& client, const Collection& collection, const sync::MediaMapping& mapping);

    std::vector<search::Neighbour> nearest(const search::Query& query, Deadline deadline) override;

  private:
    milvus::Client& client_;
    const Collection& collection_;
    const sync::MediaMapping& mapping_;
    std::vector<std::string> properties_;
};

}  // namespace crossover::vectors
