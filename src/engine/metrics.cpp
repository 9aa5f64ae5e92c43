#include "engine/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace crossover::engine {
namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;

const Histogram::BucketBoundaries kSeconds = {0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02,
                                              0.03,   0.05,  0.1,   0.2,   0.5,   1,      2,    5};
const Histogram::BucketBoundaries kShares = {0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1};
const Histogram::BucketBoundaries kRanks = {0, 0.1, 0.25, 0.5, 1, 2, 5, 10};
const Histogram::BucketBoundaries kScores = {0, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1};

double seconds(Metrics::Duration duration) {
    return std::chrono::duration<double>(duration).count();
}

template <class Builder>
auto& family(Builder builder, prometheus::Registry& registry, const char* name, const char* help) {
    return builder.Name(name).Help(help).Register(registry);
}

}  // namespace

struct Metrics::State {
    prometheus::Registry registry;
    Family<Histogram>& requests =
        family(prometheus::BuildHistogram(), registry, "crossover_http_request_duration_seconds",
               "Requests answered, by route, method and status.");
    Family<Histogram>& searches = family(prometheus::BuildHistogram(), registry,
                                         "crossover_search_duration_seconds", "Searches answered, by store.");
    Counter& fallbacks = family(prometheus::BuildCounter(), registry, "crossover_search_fallback_total",
                                "Searches that Milvus did not answer and Neo4j did.")
                             .Add({});
    Gauge& left_out =
        family(prometheus::BuildGauge(), registry, "crossover_search_left_out",
               "Items that Neo4j's exact searches leave out, because their embedding can't be compared.")
            .Add({});
    Family<Counter>& dual_writes = family(
        prometheus::BuildCounter(), registry, "crossover_dual_write_total",
        "Changes brought to Milvus right after their commit, by result; the reconciler brings the others.");
    Counter& reconciled = family(prometheus::BuildCounter(), registry, "crossover_reconciled_total",
                                 "Changes brought to Milvus later, by the reconciler.")
                              .Add({});
    Counter& repaired = family(prometheus::BuildCounter(), registry, "crossover_repaired_total",
                               "Rows that no change spoke of and that differed from Neo4j.")
                            .Add({});
    Counter& repairs_refused =
        family(prometheus::BuildCounter(), registry, "crossover_repairs_refused_total",
               "Rows that differed from Neo4j and were left, because too many of them are not in Neo4j.")
            .Add({});
    Family<Counter>& errors = family(prometheus::BuildCounter(), registry, "crossover_errors_total",
                                     "Errors of servers, by system and kind.");
    Histogram& overlap = family(prometheus::BuildHistogram(), registry, "crossover_shadow_overlap",
                                "Share of the k nearest that both stores found.")
                             .Add({}, kShares);
    Histogram& ranks = family(prometheus::BuildHistogram(), registry, "crossover_shadow_rank_difference",
                              "Mean difference of places, of items that both stores found.")
                           .Add({}, kRanks);
    Histogram& scores = family(prometheus::BuildHistogram(), registry, "crossover_shadow_score_difference",
                               "Greatest difference of scores, of items that both stores found.")
                            .Add({}, kScores);
    prometheus::Family<Counter>& cached = prometheus::BuildCounter()
                                              .Name("crossover_cache_total")
                                              .Help("Answers looked for in Redis, by result")
                                              .Register(registry);
    Counter& skipped = family(prometheus::BuildCounter(), registry, "crossover_shadow_skipped_total",
                              "Comparisons that were due and not made: too many, or Neo4j failed.")
                           .Add({});
    Gauge& depth = family(prometheus::BuildGauge(), registry, "crossover_outbox_depth",
                          "Changes that Milvus does not have for sure yet.")
                       .Add({});
    Gauge& oldest = family(prometheus::BuildGauge(), registry, "crossover_outbox_oldest_seconds",
                           "Age of the oldest of them.")
                        .Add({});
    Family<Gauge>& modes = family(prometheus::BuildGauge(), registry, "crossover_storage_mode",
                                  "1 for the mode that the engine is in.");
    Family<Counter>& feedbacks = family(prometheus::BuildCounter(), registry, "crossover_feedback_total",
                                        "Feedback recorded, by store and result.");
    Gauge& agentdb_owed = family(prometheus::BuildGauge(), registry, "crossover_agentdb_owed",
                                 "Keys that Redis has newer than PostgreSQL, for sure or maybe.")
                              .Add({});
    Family<Gauge>& agentdb_modes =
        family(prometheus::BuildGauge(), registry, "crossover_agentdb_mode",
               "1 for the mode that the reinforcement-learning state is in, for this replica.");
    Gauge& milvus = family(prometheus::BuildGauge(), registry, "crossover_milvus_up",
                           "1 while Milvus is asked, 0 while the circuit breaker is open.")
                        .Add({});
};

Metrics::Metrics() : state_(std::make_unique<State>()) {
    for (const char* result : {"success", "failure", "deferred", "moved", "quarantined"})
        dual_write(result, 0);
}
Metrics::~Metrics() = default;

void Metrics::http_request(std::string_view route, std::string_view method, unsigned status, Duration took) {
    state_->requests
        .Add({{"route", std::string(route)},
              {"method", std::string(method)},
              {"code", std::to_string(status)}},
             kSeconds)
        .Observe(seconds(took));
}

void Metrics::search(std::string_view store, Duration took) {
    state_->searches.Add({{"store", std::string(store)}}, kSeconds).Observe(seconds(took));
}

void Metrics::search_fallback() {
    state_->fallbacks.Increment();
}

void Metrics::left_out(std::int64_t items) {
    state_->left_out.Set(static_cast<double>(items));
}

void Metrics::dual_write(std::string_view result, std::int64_t entries) {
    state_->dual_writes.Add({{"result", std::string(result)}}).Increment(static_cast<double>(entries));
}

void Metrics::reconciled(std::int64_t entries) {
    state_->reconciled.Increment(static_cast<double>(entries));
}

void Metrics::repairs_refused(std::int64_t rows) {
    state_->repairs_refused.Increment(static_cast<double>(rows));
}

void Metrics::repaired(std::int64_t rows) {
    state_->repaired.Increment(static_cast<double>(rows));
}

void Metrics::error(System system, ErrorKind kind) {
    state_->errors.Add({{"system", std::string(to_string(system))}, {"kind", std::string(to_string(kind))}})
        .Increment();
}

void Metrics::compared(const search::Agreement& agreement) {
    state_->overlap.Observe(agreement.overlap);
    state_->ranks.Observe(agreement.rank_difference);
    state_->scores.Observe(agreement.score_difference);
}

void Metrics::comparison_skipped() {
    state_->skipped.Increment();
}

void Metrics::cache(std::string_view result) {
    state_->cached.Add({{"result", std::string(result)}}).Increment();
}

void Metrics::outbox(std::int64_t entries, double oldest_seconds) {
    state_->depth.Set(static_cast<double>(entries));
    state_->oldest.Set(oldest_seconds);
}

void Metrics::storage_mode(StorageMode mode) {
    for (int i = 0; i < kStorageModes; ++i) {
        const auto one = static_cast<StorageMode>(i);
        state_->modes.Add({{"mode", std::string(to_string(one))}}).Set(one == mode ? 1 : 0);
    }
}

void Metrics::feedback(std::string_view store, std::string_view result) {
    state_->feedbacks.Add({{"store", std::string(store)}, {"result", std::string(result)}}).Increment();
}

void Metrics::agentdb_owed(std::int64_t keys) {
    state_->agentdb_owed.Set(static_cast<double>(keys));
}

void Metrics::agentdb_mode(learning::Mode mode) {
    for (int i = 0; i < learning::kModes; ++i) {
        const auto one = static_cast<learning::Mode>(i);
        state_->agentdb_modes.Add({{"mode", std::string(to_string(one))}}).Set(one == mode ? 1 : 0);
    }
}

void Metrics::milvus_up(bool up) {
    state_->milvus.Set(up ? 1 : 0);
}

std::string Metrics::text() const {
    return prometheus::TextSerializer().Serialize(state_->registry.Collect());
}

}  // namespace crossover::engine
