#include "migration/copy/metrics.h"

#include <fmt/format.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>

#include <mutex>
#include <optional>

#include "http/server.h"
#include "log/log.h"
#include "metrics/registry.h"

namespace crossover::migration {
namespace {

using metrics::family;

/// Counters only go up: a count that fell (an unfinished batch of a resumed run) waits until it is passed
/// again.
void raise_to(prometheus::Counter& counter, std::int64_t value) {
    const double step = static_cast<double>(value) - counter.Value();
    if (step > 0) counter.Increment(step);
}

}  // namespace

struct MigrationMetrics::State {
    std::mutex mutex;
    prometheus::Registry registry;
    prometheus::Family<prometheus::Counter>& items =
        family(prometheus::BuildCounter(), registry, metrics::kMigrationItems);
    prometheus::Counter& read = items.Add({{"result", "read"}});
    prometheus::Counter& copied = items.Add({{"result", "copied"}});
    prometheus::Counter& quarantined = items.Add({{"result", "quarantined"}});
    prometheus::Counter& skipped = items.Add({{"result", "skipped"}});
    prometheus::Gauge& expected =
        family(prometheus::BuildGauge(), registry, metrics::kMigrationItemsExpected).Add({});
    prometheus::Gauge& rate =
        family(prometheus::BuildGauge(), registry, metrics::kMigrationItemsPerSecond).Add({});
    prometheus::Family<prometheus::Counter>& errors =
        family(prometheus::BuildCounter(), registry, metrics::kErrors);
    std::string url;
    std::optional<http::Server> server;  // ends first: it reads the rest
};

MigrationMetrics::MigrationMetrics(const std::string& address) : state_(std::make_unique<State>()) {
    auto& state = *state_;
    http::Router router;
    router.add(
        "GET /metrics",
        [&state](const http::Request&) {
            return http::Response{200, metrics::kContentType, metrics::text_of(state.registry), {}};
        },
        http::Access::anyone);
    try {
        http::ServerConfig config;
        config.listen = address;
        config.workers = 1;
        config.report = [](std::string_view where, const std::exception& error) {
            log_event(LogLevel::warning, "http_error", {{"where", where}, {"error", error.what()}});
        };
        state.server.emplace(std::move(config), std::move(router));
        state.server->start();
    } catch (const Error& error) {
        throw Error(error.system(), error.kind(),
                    fmt::format("Metrics can't be served, see --metrics-address: {}", error.what()));
    }
    state.url =
        fmt::format("http://{}:{}/metrics", address.substr(0, address.rfind(':')), state.server->port());
}

MigrationMetrics::~MigrationMetrics() = default;

void MigrationMetrics::update(const Progress& progress) {
    std::lock_guard lock(state_->mutex);
    raise_to(state_->read, progress.counts.read);
    raise_to(state_->copied, progress.counts.copied);
    raise_to(state_->quarantined, progress.counts.quarantined);
    raise_to(state_->skipped, progress.counts.skipped);
    state_->expected.Set(static_cast<double>(progress.expected));
    state_->rate.Set(progress.items_per_second);
    raise_to(state_->errors.Add({{"system", "milvus"}, {"kind", "retried"}}), progress.errors.milvus);
    raise_to(state_->errors.Add({{"system", "neo4j"}, {"kind", "retried"}}), progress.errors.neo4j);
}

void MigrationMetrics::count_error(System system, ErrorKind kind) {
    std::lock_guard lock(state_->mutex);
    state_->errors.Add({{"system", std::string(to_string(system))}, {"kind", std::string(to_string(kind))}})
        .Increment();
}

const std::string& MigrationMetrics::url() const {
    return state_->url;
}

}  // namespace crossover::migration
