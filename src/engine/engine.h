#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "bolt/driver.h"
#include "engine/answer_cache.h"
#include "engine/metrics.h"
#include "engine/recommender.h"
#include "engine/storage_mode.h"
#include "learning/learning.h"
#include "milvus/client.h"
#include "neo4j/media_writer.h"
#include "search/searcher.h"
#include "sync/mapping.h"

namespace crossover::engine {

struct EngineConfig {
    std::string database;
    sync::MediaMapping mapping;
    milvus::IndexSpec index;
    StorageMode mode = StorageMode::neo4j_only;
    double shadow_share = 0.1;  ///< of answers compared in shadow_milvus
    std::int64_t outbox_alarm_depth = 100'000;
    /// Between two looks at all ids and versions of both stores.
    std::chrono::seconds anti_entropy_every{3'600};
    std::optional<redis::Address> redis = {};               ///< of kept answers
    std::optional<std::chrono::seconds> keep_answers = {};  ///< how long; needs `redis`
    std::optional<learning::Config> learning = {};          ///< empty = nothing is learnt
    std::chrono::milliseconds write_timeout{10'000};
    /// Of a search or look-up, and of all that a recommendation or `similar` asks of either store.
    std::chrono::milliseconds neo4j_timeout{10'000};
    std::chrono::milliseconds milvus_timeout{2'000};
    std::chrono::milliseconds shadow_timeout{500};  ///< of Milvus in shadow_milvus, where Neo4j stands by
};

struct Answer {
    std::string_view source;  ///< "milvus" or "neo4j"
    std::vector<search::Neighbour> neighbours;
};

/// An item's own embedding can't be compared with others; `what()` says what is wrong with it. It stands in
/// Neo4j, or in Milvus in hybrid mode.
class UnfitEmbedding : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

struct Readiness {
    bool ready = false;
    std::string why;  ///< for a person, where not; or what is less than it should be, empty where nothing
};

struct Status {
    std::string replica;
    StorageMode mode = StorageMode::neo4j_only;
    bool milvus_admitted = false;              ///< the circuit breaker is closed
    std::optional<std::int64_t> outbox_depth;  ///< empty where Neo4j does not answer
    double outbox_oldest_seconds = 0;
    std::string neo4j_vector_index;  ///< that Neo4j's searches use; empty where there is none
    std::optional<learning::LearningStatus> learning = {};  ///< empty where nothing is learnt
};

/// The recommender's storage while it moves: what each mode means for reads and writes, and the threads that
/// keep Milvus equal to Neo4j behind them.
///
/// Thread-safe. Calls throw crossover::Error; of `hybrid` also `unavailable` of Milvus while it does not
/// answer.
class Engine {
  public:
    /// Neo4j must be reachable. `client` null = no Milvus, and only neo4j_only; driver and client must
    /// outlive the engine.
    Engine(bolt::Driver& driver, milvus::Client* client, EngineConfig config);
    /// Lets deliveries under way end and gives up the place among the replicas.
    ~Engine();

    neo4j::Written put(const neo4j::MediaItem& item);
    std::optional<neo4j::Written> erase(const ItemId& id);
    std::optional<neo4j::MediaItem> read(const ItemId& id);
    Answer search(const search::Query& query);
    /// Nearest to the item, never itself. Empty where there is no such item, or it has no embedding. Throws
    /// UnfitEmbedding where nothing can be near to it.
    std::optional<Answer> similar(const ItemId& id, std::size_t k, const search::Filter& filter);

    /// Vector candidates as the mode has it; the graph is always Neo4j's.
    Recommended recommend(const RecommendationRequest& request);

    /// What is learnt of users; null where nothing is.
    learning::Learning* learning();

    StorageMode mode() const;
    /// Returns when every request is in the new mode, and the other replicas and `migrate` can see it. One at
    /// a time. Throws `usage` where the mode needs a Milvus and none is configured, or what Neo4j says; then
    /// nothing has changed.
    void turn(StorageMode mode);

    Readiness readiness();
    Status status();
    /// Null where answers are not to be kept.
    AnswerCache* answer_cache();
    Metrics& metrics();
    const sync::MediaMapping& mapping() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace crossover::engine
