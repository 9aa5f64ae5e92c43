#pragma once

#include <functional>
#include <thread>
#include <vector>

#include "base/bounded_queue.h"
#include "engine/metrics.h"
#include "search/searcher.h"

namespace crossover::engine {

/// Compares a share of Milvus's answers with Neo4j's, behind the back of the requests: what they agree on
/// goes to the metrics. Comparisons that do not fit its queue are skipped and counted. Thread-safe.
class ShadowComparison {
  public:
    /// `share` from 0 to 1. The reference and the metrics must outlive it.
    ShadowComparison(search::Searcher& reference, Metrics& metrics, double share);
    ~ShadowComparison();

    /// Perhaps compares this answer; copies what it needs.
    void consider(const search::Query& query, const std::vector<search::Neighbour>& answer);

  private:
    struct Work {
        std::vector<float> vector;
        std::size_t k;
        search::Filter filter;
        std::vector<search::Neighbour> answer;
    };
    void run(const std::stop_token& stop);

    search::Searcher& reference_;
    Metrics& metrics_;
    const double share_;
    BoundedQueue<Work> queue_;
    std::jthread thread_;
};

}  // namespace crossover::engine
