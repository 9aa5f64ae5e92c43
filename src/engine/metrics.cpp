#include "engine/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>

#include "metrics/registry.h"

namespace crossover::engine {
namespace {

using metrics::family;
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

}  // namespace

struct Metrics::State {
    prometheus::Registry registry;
    Family<Histogram>& requests =
        family(prometheus::BuildHistogram(), registry, metrics::kHttpRequestDuration);
    Family<Histogram>& searches = family(prometheus::BuildHistogram(), registry, metrics::kSearchDuration);
    Counter& fallbacks = family(prometheus::BuildCounter(), registry, metrics::kSearchFallback).Add({});
    Gauge& left_out = family(prometheus::BuildGauge(), registry, metrics::kSearchLeftOut).Add({});
    Family<Counter>& dual_writes = family(prometheus::BuildCounter(), registry, metrics::kDualWrite);
    Counter& reconciled = family(prometheus::BuildCounter(), registry, metrics::kReconciled).Add({});
    Counter& repaired = family(prometheus::BuildCounter(), registry, metrics::kRepaired).Add({});
    Counter& repairs_refused = family(prometheus::BuildCounter(), registry, metrics::kRepairsRefused).Add({});
    Family<Counter>& errors = family(prometheus::BuildCounter(), registry, metrics::kErrors);
    Histogram& overlap =
        family(prometheus::BuildHistogram(), registry, metrics::kShadowOverlap).Add({}, kShares);
    Histogram& ranks =
        family(prometheus::BuildHistogram(), registry, metrics::kShadowRankDifference).Add({}, kRanks);
    Histogram& scores =
        family(prometheus::BuildHistogram(), registry, metrics::kShadowScoreDifference).Add({}, kScores);
    Family<Counter>& cached = family(prometheus::BuildCounter(), registry, metrics::kCache);
    Counter& skipped = family(prometheus::BuildCounter(), registry, metrics::kShadowSkipped).Add({});
    Gauge& depth = family(prometheus::BuildGauge(), registry, metrics::kOutboxDepth).Add({});
    Gauge& oldest = family(prometheus::BuildGauge(), registry, metrics::kOutboxOldest).Add({});
    Family<Gauge>& modes = family(prometheus::BuildGauge(), registry, metrics::kStorageMode);
    Family<Counter>& feedbacks = family(prometheus::BuildCounter(), registry, metrics::kFeedback);
    Gauge& agentdb_owed = family(prometheus::BuildGauge(), registry, metrics::kAgentdbOwed).Add({});
    Family<Gauge>& agentdb_modes = family(prometheus::BuildGauge(), registry, metrics::kAgentdbMode);
    Gauge& milvus = family(prometheus::BuildGauge(), registry, metrics::kMilvusUp).Add({});
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
    return metrics::text_of(state_->registry);
}

}  // namespace crossover::engine
