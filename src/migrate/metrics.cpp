#include "migrate/metrics.h"

#include <fmt/format.h>
#include <prometheus/counter.h>
#include <prometheus/exposer.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <charconv>
#include <mutex>

namespace crossover::migrate {
namespace {

[[noreturn]] void refuse(const std::string& message) {
    throw Error(System::config, ErrorKind::usage, message);
}

void check_address(const std::string& address) {
    const auto colon = address.rfind(':');
    int port = -1;
    if (colon != std::string::npos && colon > 0) {
        const char* end = address.data() + address.size();
        const auto [stop, error] = std::from_chars(address.data() + colon + 1, end, port);
        if (error != std::errc() || stop != end) port = -1;
    }
    if (port < 0 || port > 65535) {
        refuse(
            fmt::format("--metrics-address must be host:port, such as 127.0.0.1:9464, not '{}'.", address));
    }
}

/// Counters only go up: a count that fell (an unfinished batch of a resumed run) waits until it is passed
/// again.
void raise_to(prometheus::Counter& counter, std::int64_t value) {
    const double step = static_cast<double>(value) - counter.Value();
    if (step > 0) counter.Increment(step);
}

}  // namespace

struct MigrationMetrics::State {
    std::mutex mutex;
    std::shared_ptr<prometheus::Registry> registry = std::make_shared<prometheus::Registry>();
    prometheus::Family<prometheus::Counter>& items =
        prometheus::BuildCounter()
            .Name("crossover_migration_items_total")
            .Help("Items of the migration, by what became of them.")
            .Register(*registry);
    prometheus::Counter& read = items.Add({{"result", "read"}});
    prometheus::Counter& copied = items.Add({{"result", "copied"}});
    prometheus::Counter& quarantined = items.Add({{"result", "quarantined"}});
    prometheus::Counter& skipped = items.Add({{"result", "skipped"}});
    prometheus::Gauge& expected = prometheus::BuildGauge()
                                      .Name("crossover_migration_items_expected")
                                      .Help("Items with an embedding when the copy began.")
                                      .Register(*registry)
                                      .Add({});
    prometheus::Gauge& rate = prometheus::BuildGauge()
                                  .Name("crossover_migration_items_per_second")
                                  .Help("Items read a second, lately.")
                                  .Register(*registry)
                                  .Add({});
    prometheus::Family<prometheus::Counter>& errors =
        prometheus::BuildCounter()
            .Name("crossover_errors_total")
            .Help("Errors, by system and kind; most were ridden out.")
            .Register(*registry);
    std::unique_ptr<prometheus::Exposer> exposer;
    std::string url;
};

MigrationMetrics::MigrationMetrics(const std::string& address) : state_(std::make_unique<State>()) {
    check_address(address);
    try {
        state_->exposer = std::make_unique<prometheus::Exposer>(address, 1);
    } catch (const std::exception&) {
        // The HTTP server below says only "null context": it does not tell why.
        refuse(
            fmt::format("Metrics can't be served on {}: the port is in use, or the address is not of this "
                        "machine. Give another --metrics-address.",
                        address));
    }
    const auto ports = state_->exposer->GetListeningPorts();
    const auto port = ports.empty() ? 0 : ports.front();
    state_->url = fmt::format("http://{}:{}/metrics", address.substr(0, address.rfind(':')), port);
    state_->exposer->RegisterCollectable(state_->registry);
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

}  // namespace crossover::migrate
