#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "engine/storage_mode.h"
#include "learning/store/mode.h"
#include "search/comparison.h"

namespace crossover::engine {

/// Everything the engine counts, named as operators know it (prefix `crossover_`). Thread-safe.
class Metrics {
  public:
    Metrics();
    ~Metrics();

    using Duration = std::chrono::steady_clock::duration;

    void http_request(std::string_view route, std::string_view method, unsigned status, Duration took);
    void search(std::string_view store, Duration took);
    void search_fallback();
    /// Items that Neo4j's exact searches leave out.
    void left_out(std::int64_t items);
    /// "success", "failure", "deferred" (left to the reconciler without trying), "moved" (changed again
    /// meanwhile), "quarantined".
    void dual_write(std::string_view result, std::int64_t entries);
    void reconciled(std::int64_t entries);
    void repaired(std::int64_t rows);
    void repairs_refused(std::int64_t rows);
    void error(System system, ErrorKind kind);
    void compared(const search::Agreement& agreement);
    void comparison_skipped();
    /// "hit", "miss", or "unavailable" (Redis was not asked, or did not answer).
    void cache(std::string_view result);
    void outbox(std::int64_t entries, double oldest_seconds);
    void storage_mode(StorageMode mode);
    /// `store` "redis" or "postgres"; "recorded", "again" (the same once more) or "failure".
    void feedback(std::string_view store, std::string_view result);
    void agentdb_owed(std::int64_t keys);
    void agentdb_mode(learning::Mode mode);
    void milvus_up(bool up);

    /// In the text format of Prometheus.
    std::string text() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace crossover::engine
