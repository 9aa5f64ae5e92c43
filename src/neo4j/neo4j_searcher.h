#pragma once

#include <mutex>
#include <optional>
#include <string>

#include "bolt/driver.h"
#include "search/searcher.h"
#include "sync/mapping.h"

namespace crossover::neo4j {

/// The nearest items out of Neo4j: by its vector index where there is one of this property, dimension and
/// metric, else by comparing with every item, which is exact and slow. Neo4j has no vector index for inner
/// products.
///
/// A filtered search over the index asks for more than k and keeps what passes; where that is too few, it
/// compares with every item that passes.
class Neo4jSearcher : public search::Searcher {
  public:
    /// The driver must outlive the searcher.
    Neo4jSearcher(bolt::Driver& driver, std::string database, const sync::MediaMapping& mapping);

    std::vector<search::Neighbour> nearest(const search::Query& query, Deadline deadline) override;
    /// The index that searches use, looked for at most once a minute; empty where there is none.
    std::string index_name(Deadline deadline);

  private:
    std::vector<search::Neighbour> nearest_by_index(const std::string& index, const search::Query& query,
                                                    Deadline deadline);
    std::vector<search::Neighbour> nearest_of_all(const search::Query& query, Deadline deadline);
    std::vector<search::Neighbour> run(const std::string& text, const search::Query& query,
                                       std::size_t candidates, const std::string& index, Deadline deadline);
    std::string look_again(Deadline deadline);
    std::string find_index(Deadline deadline);

    bolt::Driver& driver_;
    const std::string database_;
    const sync::MediaMapping mapping_;
    std::mutex mutex_;
    Deadline look_again_ = Deadline::at({});
    std::optional<std::string> index_;
};

}  // namespace crossover::neo4j
