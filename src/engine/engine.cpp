#include "engine/engine.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/background.h"
#include "base/error.h"
#include "base/retry.h"
#include "base/text.h"
#include "base/unique_name.h"
#include "engine/answer_cache.h"
#include "engine/anti_entropy.h"
#include "engine/courier.h"
#include "engine/faults.h"
#include "engine/lazy_collection.h"
#include "engine/mode_gate.h"
#include "engine/policies.h"
#include "engine/reconciler.h"
#include "engine/shadow.h"
#include "log/log.h"
#include "neo4j/inventory.h"
#include "neo4j/media_store.h"
#include "neo4j/neo4j_searcher.h"
#include "neo4j/replicas.h"
#include "neo4j/source_mark.h"
#include "neo4j/viewing_graph.h"
#include "sync/direction.h"
#include "sync/refusals.h"

namespace crossover::engine {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

/// With Bounded consistency searches may be so far behind: Milvus's default is 5 s.
constexpr std::chrono::seconds kMilvusStaleness = 6s;
constexpr auto kBeatTimeout = 5s;
/// One beat may fail without making the replica unready.
constexpr auto kFreshBeat = 2 * neo4j::Heartbeat::kEvery + kBeatTimeout;

Error milvus_away() {
    return Error(
        System::milvus, ErrorKind::unavailable,
        "Milvus has not answered lately and is not asked for a moment. In hybrid mode no other store "
        "answers searches: bring Milvus back, or turn STORAGE_MODE to shadow_milvus.");
}

}  // namespace

struct Engine::State {
    State(bolt::Driver& driver_in, milvus::Client* client, EngineConfig config_in)
        : config(std::move(config_in)),
          replica("engine-" + unique_name().substr(0, 16)),
          driver(driver_in),
          mark(neo4j::source_mark(driver, config.database, config.mapping)),
          gate(config.mode),
          heartbeat(driver, config.database, config.mapping.collection, replica),
          log(driver, config.database, config.mapping),
          writer(driver, config.database, config.mapping, replica),
          source(driver, config.database, config.mapping, true),
          neo4j_searcher(driver, config.database, config.mapping,
                         [this](std::int64_t items) {
                             metrics.left_out(items);
                             log_event(LogLevel::warning, "exact_search",
                                       {{"left_out", items}, {"label", config.mapping.label}});
                         }),
          graph(driver, config.database, config.mapping) {
        log.prepare();
        neo4j::prepare_epochs(driver, config.database);
        take_in_unowned();
        if (config.redis) {
            redis = std::make_unique<OptionalRedis>(*config.redis, metrics);
            if (config.keep_answers) {
                cache = std::make_unique<AnswerCache>(AnswerCache::Config{mark.id, *config.keep_answers},
                                                      *redis, metrics);
            }
        }
        if (config.learning) {
            learning = std::make_unique<learning::Learning>(
                *config.learning,
                learning::Observer{[this](std::string_view store, std::string_view result) {
                                       metrics.feedback(store, result);
                                   },
                                   [this](System system, ErrorKind kind) { metrics.error(system, kind); },
                                   [this](std::int64_t keys) { metrics.agentdb_owed(keys); },
                                   [this](learning::Mode mode) { metrics.agentdb_mode(mode); }});
        }
        if (client != nullptr) {
            target = std::make_unique<LazyCollection>(*client, config.mapping, mark);
        }
    }

    EngineConfig config;
    const std::string replica;
    bolt::Driver& driver;
    const sync::SourceMark mark;
    Metrics metrics;
    ModeGate gate;
    std::mutex turning;
    /// Held while a mode is reported: a beat of the former one must not come after a turn.
    std::mutex reporting;
    /// What the heartbeat says: behind the gate or ahead of it, as is safe.
    StorageMode reported{StorageMode::neo4j_only};
    /// What /status says: the mode that everything is in.
    std::atomic<StorageMode> reported_mode{StorageMode::neo4j_only};
    neo4j::Heartbeat heartbeat;
    neo4j::ChangeLog log;
    neo4j::MediaWriter writer;
    neo4j::MediaStore source;
    neo4j::Neo4jSearcher neo4j_searcher;
    neo4j::ViewingGraph graph;
    CircuitBreaker delivering;  ///< writes to Milvus
    CircuitBreaker searching;   ///< a Milvus that takes writes may yet be unable to search, and the reverse
    std::unique_ptr<OptionalRedis> redis;
    std::unique_ptr<AnswerCache> cache;
    std::unique_ptr<learning::Learning> learning;
    const learning::Bandit bandit;
    std::unique_ptr<LazyCollection> target;
    std::unique_ptr<Courier> courier;
    std::unique_ptr<Reconciler> reconciler;
    std::unique_ptr<ShadowComparison> shadow;
    std::unique_ptr<AntiEntropy> anti_entropy;
    std::jthread beating;
    std::jthread preparing;

    void take_in_unowned() {
        if (const auto entries = log.take_in_unowned(); entries > 0) {
            log_event(LogLevel::info, "outbox",
                      {{"result", "taken over from an earlier release"},
                       {"entries", entries},
                       {"collection", config.mapping.collection}});
        }
    }

    SyncPorts ports() {
        return {source,
                *target,
                log,
                config.mapping,
                delivering,
                metrics,
                [this] { return heartbeat.limit(); },
                [this] {
                    if (cache) cache->invalidate(kMilvusStaleness);
                }};
    }

    /// A request's writes end before the other replicas may take this one for dead.
    Deadline write_deadline() const {
        return Deadline::after(config.write_timeout).earlier(heartbeat.limit());
    }

    /// Of a search for itself: each store has its own time, one after the other where both are asked.
    Deadline search_deadline() const {
        return Deadline::after(config.neo4j_timeout + std::max(config.shadow_timeout, config.milvus_timeout));
    }

    void start() {
        report(config.mode);
        report_mode(config.mode);
        if (target) {
            courier = std::make_unique<Courier>(ports());
            reconciler = std::make_unique<Reconciler>(
                ports(), [this](Deadline deadline) { target->probe(deadline); },
                Reconciler::Settings{.alarm_depth = config.outbox_alarm_depth});
            shadow = std::make_unique<ShadowComparison>(neo4j_searcher, metrics, config.shadow_share);
            anti_entropy = std::make_unique<AntiEntropy>(
                AntiEntropy::Ports{driver, config.database, source, *target, log, metrics},
                config.mapping.collection, [this] { return captures(gate.mode()); },
                config.anti_entropy_every);
            preparing = in_background(
                "milvus_index", [this](const std::stop_token& stop) { keep_searchable(stop); },
                log_background_failure);
        }
        beating = in_background(
            "heartbeat", [this](const std::stop_token& stop) { keep_beating(stop); }, log_background_failure);
    }

    /// Goes back to the former mode where Neo4j does not take it.
    void report(StorageMode mode) {
        const std::lock_guard lock(reporting);
        const StorageMode former = std::exchange(reported, mode);
        try {
            heartbeat.beat(to_string(mode), Deadline::after(30s));
        } catch (const Error&) {
            reported = former;
            throw;
        }
    }

    /// Tells Neo4j of the mode; where that fails, a later beat of the heart does.
    void report_in_time(StorageMode mode) {
        {
            const std::lock_guard lock(reporting);
            reported = mode;
        }
        beat();
    }

    void report_mode(StorageMode mode) {
        reported_mode = mode;
        metrics.storage_mode(mode);
    }

    void keep_beating(const std::stop_token& stop) {
        while (sleep_for(neo4j::Heartbeat::kEvery, stop)) beat();
    }

    void beat() {
        const std::lock_guard lock(reporting);
        try {
            heartbeat.beat(to_string(reported), Deadline::after(kBeatTimeout));
        } catch (const Error& error) {
            metrics.error(error.system(), error.kind());
            log_event(LogLevel::warning, "heartbeat", {{"result", "failure"}, {"error", error.what()}});
        }
    }

    /// In modes that search Milvus, sees to it that the collection has its index and is loaded.
    void keep_searchable(const std::stop_token& stop) {
        while (sleep_for(1s, stop)) {
            if (!searches_milvus(gate.mode())) continue;
            try {
                if (!target->ready_for_search(Deadline::after(5s))) {
                    log_event(LogLevel::info, "milvus_index", {{"state", "building and loading"}});
                    target->prepare_for_search(config.index, stop);
                    log_event(LogLevel::info, "milvus_index", {{"state", "loaded"}});
                }
            } catch (const Error& error) {
                note_fault(metrics, error);
                sleep_for(5s, stop);
            }
        }
    }

    Answer search_neo4j(const search::Query& query, Deadline request) {
        const auto from = Clock::now();
        const auto deadline = Deadline::after(config.neo4j_timeout).earlier(request);
        Answer answer{"neo4j", neo4j_searcher.nearest(query, deadline)};
        metrics.search("neo4j", Clock::now() - from);
        return answer;
    }

    /// Asks Milvus, unless it is known not to answer, within `timeout` and what is left to the request.
    template <class Ask>
    auto ask_milvus(std::chrono::milliseconds timeout, Deadline request, Ask&& ask) {
        if (request.passed()) {
            throw Error(System::neo4j, ErrorKind::timeout,
                        "The request's time was over before Milvus could be asked.");
        }
        if (!searching.admits()) throw milvus_away();
        const auto own = Deadline::after(timeout);
        try {
            auto answer = ask(own.earlier(request));
            searching.succeeded();
            return answer;
        } catch (const Error& error) {
            note_fault(metrics, error);
            const bool hurried = error.kind() == ErrorKind::timeout && request.point() < own.point();
            if (sync::is_refusal(error)) {
                searching.succeeded();  // a refusal is an answer: Milvus lives
            } else if (hurried) {
                searching.undecided();  // what came before had left it less than its time
            } else {
                searching.failed();
            }
            throw;
        } catch (...) {
            searching.undecided();
            throw;
        }
    }

    Answer search_milvus(const search::Query& query, std::chrono::milliseconds timeout, Deadline request) {
        return ask_milvus(timeout, request, [&](Deadline deadline) {
            const auto from = Clock::now();
            Answer answer{"milvus", target->nearest(query, deadline)};
            metrics.search("milvus", Clock::now() - from);
            return answer;
        });
    }

    /// `request`: what it is a part of must have ended by then.
    Answer search(const search::Query& query, StorageMode mode, Deadline request) {
        if (!searches_milvus(mode)) return search_neo4j(query, request);
        if (mode == StorageMode::hybrid) return search_milvus(query, config.milvus_timeout, request);
        try {
            auto answer = search_milvus(query, config.shadow_timeout, request);
            shadow->consider(query, answer.neighbours);
            return answer;
        } catch (const Error&) {
            metrics.search_fallback();
            return search_neo4j(query, request);
        }
    }

    std::optional<std::vector<float>> vector_of(const ItemId& id, StorageMode mode, Deadline request) {
        if (mode == StorageMode::hybrid) {
            return ask_milvus(config.milvus_timeout, request,
                              [&](Deadline deadline) { return target->vector_of(id, deadline); });
        }
        const auto item = writer.read(id, Deadline::after(config.neo4j_timeout).earlier(request));
        if (!item || !item->embedding) return std::nullopt;
        return std::vector<float>(item->embedding->begin(), item->embedding->end());
    }

    learning::Choice choose(const std::string& user, std::size_t known,
                            const std::optional<learning::Knowledge>& learnt) const {
        const auto usual = learning::usual_action(known);
        if (!learnt) return {usual, false};
        return bandit.choose(user, learning::kStates.at(known), learnt->arms.at(known), usual);
    }

    void after_change(const neo4j::Written& written) {
        if (cache) cache->invalidate();  // and again when Milvus has it
        if (written.entry && courier) courier->accept({*written.entry, written.lease_end});
    }
};

Engine::Engine(bolt::Driver& driver, milvus::Client* client, EngineConfig config) {
    if (client == nullptr && config.mode != StorageMode::neo4j_only) {
        throw Error(
            System::config, ErrorKind::usage,
            fmt::format("STORAGE_MODE {} needs Milvus: set MILVUS_URI (such as http://localhost:19530).",
                        to_string(config.mode)));
    }
    state_ = std::make_unique<State>(driver, client, std::move(config));
    state_->start();
}

Engine::~Engine() {
    state_->beating = {};
    state_->preparing = {};
    state_->anti_entropy.reset();
    state_->reconciler.reset();
    state_->courier.reset();
    state_->shadow.reset();
    try {
        state_->heartbeat.withdraw(Deadline::after(3s));
    } catch (const Error& error) {
        log_event(LogLevel::warning, "heartbeat", {{"result", "not withdrawn"}, {"error", error.what()}});
    }
}

neo4j::Written Engine::put(const neo4j::MediaItem& item) {
    const auto passage = state_->gate.enter();
    const auto capture = captures(passage.mode()) ? neo4j::Capture::on : neo4j::Capture::off;
    auto written = state_->writer.put(item, capture, state_->write_deadline());
    state_->after_change(written);
    return written;
}

std::optional<neo4j::Written> Engine::erase(const ItemId& id) {
    const auto passage = state_->gate.enter();
    const auto capture = captures(passage.mode()) ? neo4j::Capture::on : neo4j::Capture::off;
    auto written = state_->writer.erase(id, capture, state_->write_deadline());
    if (written) state_->after_change(*written);
    return written;
}

std::optional<neo4j::MediaItem> Engine::read(const ItemId& id) {
    const auto passage = state_->gate.enter();
    return state_->writer.read(id, Deadline::after(state_->config.neo4j_timeout));
}

Answer Engine::search(const search::Query& query) {
    const auto passage = state_->gate.enter();
    return state_->search(query, passage.mode(), state_->search_deadline());
}

std::optional<Answer> Engine::similar(const ItemId& id, std::size_t k, const search::Filter& filter) {
    const auto passage = state_->gate.enter();
    const auto& mapping = state_->config.mapping;
    const auto deadline = Deadline::after(state_->config.neo4j_timeout);
    const auto vector = state_->vector_of(id, passage.mode(), deadline);
    if (!vector) return std::nullopt;
    if (vector->size() != mapping.dimension) {
        throw UnfitEmbedding(fmt::format(
            "has {}, not {}", counted(static_cast<std::int64_t>(vector->size()), "value", "values"),
            mapping.dimension));
    }
    if (const auto why = sync::why_incomparable(*vector, mapping.metric); !why.empty()) {
        throw UnfitEmbedding(std::string(why));
    }
    auto answer = state_->search({*vector, k + 1, filter}, passage.mode(), deadline);
    std::erase_if(answer.neighbours, [&](const auto& neighbour) { return neighbour.id == id; });
    if (answer.neighbours.size() > k) answer.neighbours.resize(k);
    return answer;
}

Recommended Engine::recommend(const RecommendationRequest& request) {
    State& state = *state_;
    const auto passage = state.gate.enter();
    const auto learnt = state.learning ? state.learning->knowledge(request.user) : std::nullopt;
    const RecommenderPorts ports{
        state.graph,
        [&](const search::Query& query, Deadline deadline) {
            auto answer = state.search(query, passage.mode(), deadline);
            return std::pair(answer.source, std::move(answer.neighbours));
        },
        [&](const ItemId& id, Deadline deadline) { return state.vector_of(id, passage.mode(), deadline); },
        [&](std::size_t known) { return state.choose(request.user, known, learnt); }};
    const auto policy = learnt && learnt->policy ? parse_policy(*learnt->policy) : std::nullopt;
    auto recommended = engine::recommend(ports, state.config.mapping, request, policy.value_or(Weights{}),
                                         Deadline::after(state.config.neo4j_timeout));
    recommended.users_policy = policy.has_value();
    if (!state.learning || request.user.size() > learning::kMaxAgentBytes) recommended.decision.reset();
    return recommended;
}

StorageMode Engine::mode() const {
    return state_->gate.mode();
}

void Engine::turn(StorageMode mode) {
    State& state = *state_;
    std::lock_guard turn(state.turning);
    const StorageMode former = state.gate.mode();
    if (former == mode) return;
    if (!state.target && mode != StorageMode::neo4j_only) {
        throw Error(System::config, ErrorKind::usage,
                    fmt::format("{} needs Milvus, and MILVUS_URI is not set. Set it and restart; the mode is "
                                "still {}.",
                                to_string(mode), to_string(former)));
    }
    if (captures(mode)) {
        // Reported only when the last request of the former mode has ended. Until Neo4j takes the report,
        // copies may think less of this replica than is true, which does no harm.
        state.gate.turn(mode);
        state.report_in_time(mode);
    } else {
        // Everybody knows before the first change goes uncaptured.
        state.report(mode);
        state.gate.turn(mode);
    }
    state.report_mode(mode);
    log_event(LogLevel::info, "storage_mode", {{"from", to_string(former)}, {"to", to_string(mode)}});
}

Readiness Engine::readiness() {
    State& state = *state_;
    if (state.heartbeat.age() > kFreshBeat) {
        return {false, "Neo4j has not taken this replica's heartbeat lately."};
    }
    if (state.learning) {
        if (auto why = state.learning->unready(); !why.empty()) return {false, std::move(why)};
    }
    auto note = state.learning ? state.learning->unread() : std::string();
    if (state.gate.mode() != StorageMode::hybrid) return {true, std::move(note)};
    try {
        if (state.target->ready_for_search(Deadline::after(2s))) return {true, std::move(note)};
        return {false, "Milvus has not loaded the collection yet; hybrid mode needs it."};
    } catch (const Error& error) {
        state.metrics.error(error.system(), error.kind());
        return {false, "Milvus does not answer; hybrid mode needs it."};
    }
}

Status Engine::status() {
    State& state = *state_;
    Status status{state.replica,
                  state.reported_mode.load(),
                  state.delivering.closed() && state.searching.closed(),
                  {},
                  0,
                  {},
                  state.learning ? std::optional(state.learning->status()) : std::nullopt};
    try {
        const auto depth = state.log.depth(Deadline::after(2s));
        status.outbox_depth = depth.entries;
        status.outbox_oldest_seconds = depth.oldest_seconds;
        status.neo4j_vector_index = state.neo4j_searcher.index_name(Deadline::after(2s));
    } catch (const Error& error) {
        state.metrics.error(error.system(), error.kind());
    }
    return status;
}

learning::Learning* Engine::learning() {
    return state_->learning.get();
}

AnswerCache* Engine::answer_cache() {
    return state_->cache.get();
}

Metrics& Engine::metrics() {
    return state_->metrics;
}

const sync::MediaMapping& Engine::mapping() const {
    return state_->config.mapping;
}

}  // namespace crossover::engine
