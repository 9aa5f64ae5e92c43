#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

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
///
/// An embedding that can be no row of Milvus (no list of so many numbers, not finite as float32, under COSINE
/// without a direction) is left out.
class Neo4jSearcher : public search::Searcher {
  public:
    /// The driver must outlive the searcher. `on_left_out` hears how many embeddings of the label comparing
    /// leaves out: once a minute at most, and only while searches know of one that Neo4j can't compare. A
    /// thread of the searcher counts them and calls it, so that no search waits for that.
    Neo4jSearcher(bolt::Driver& driver, std::string database, const sync::MediaMapping& mapping,
                  std::function<void(std::int64_t)> on_left_out = {});

    std::vector<search::Neighbour> nearest(const search::Query& query, Deadline deadline) override;
    /// The index that searches use, looked for at most once a minute; empty where there is none.
    std::string index_name(Deadline deadline);

  private:
    std::vector<search::Neighbour> nearest_by_index(const std::string& index, const search::Query& query,
                                                    Deadline deadline);
    std::vector<search::Neighbour> nearest_of_all(const search::Query& query, Deadline deadline);
    struct Found {
        std::vector<search::Neighbour> neighbours;
        bool all_sound = true;
    };
    /// `with_soundness`: the last column says whether the row's embedding could be Milvus's.
    Found run(const std::string& text, const search::Query& query, std::size_t candidates,
              const std::string& index, Deadline deadline, bool with_soundness = false);
    bool is_wary();
    void become_wary();
    void keep_count(const std::stop_token& stop);
    void count_left_out();
    std::string look_again(Deadline deadline);
    std::string find_index(Deadline deadline);

    bolt::Driver& driver_;
    const std::string database_;
    const sync::MediaMapping mapping_;
    const std::function<void(std::int64_t)> on_left_out_;
    std::mutex mutex_;
    bool wary_ = false;          ///< the label is known to hold an embedding that can't be compared
    bool count_wanted_ = false;  ///< by a search that was wary
    Deadline next_count_ = Deadline::at({});
    std::condition_variable_any count_again_;
    Deadline look_again_ = Deadline::at({});
    std::optional<std::string> index_;
    std::jthread counting_;  ///< the last member: it uses the others
};

}  // namespace crossover::neo4j
