#include "engine/courier.h"

#include "base/background.h"
#include "base/error.h"
#include "base/retry.h"
#include "log/log.h"

namespace crossover::engine {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t kQueueCapacity = 10'000;
constexpr std::size_t kBatchEntries = 256;
/// Changes that come so close together go together, and one delivery at a time: each asks both stores four
/// times, which the requests beside it feel.
constexpr std::chrono::milliseconds kGather = 50ms;
/// A lease ends this much earlier for its owner than for the others, whose clock is Neo4j's.
constexpr std::chrono::seconds kLeaseMargin = 3s;

}  // namespace

Courier::Courier(SyncPorts ports)
    : ports_(std::move(ports)),
      queue_(kQueueCapacity),
      thread_(in_background(
          "courier", [this](const std::stop_token& stop) { run(stop); }, log_background_failure)) {}

Courier::~Courier() {
    queue_.close();
}

void Courier::accept(Committed change) {
    if (!queue_.try_push(std::move(change))) ports_.metrics.dual_write("deferred", 1);
}

void Courier::run(const std::stop_token& stop) {
    while (auto first = queue_.pop(stop)) {
        if (queue_.size() < kBatchEntries) sleep_for(kGather, stop);
        std::vector<neo4j::ChangeEntry> entries;
        Deadline limit = ports_.heartbeat_limit();
        for (std::optional<Committed> next = std::move(first); next; next = queue_.try_pop()) {
            const Deadline mine = Deadline::at(next->lease_end.point() - kLeaseMargin);
            if (mine.passed()) {
                ports_.metrics.dual_write("deferred", 1);
            } else {
                entries.push_back(std::move(next->entry));
                limit = limit.earlier(mine);
            }
            if (entries.size() == kBatchEntries) break;
        }
        const auto count = static_cast<std::int64_t>(entries.size());
        if (entries.empty()) continue;
        if (limit.passed() || !ports_.breaker.admits()) {
            ports_.metrics.dual_write("deferred", count);
            continue;
        }
        try {
            const auto delivered = deliver(ports_, entries, limit);
            ports_.metrics.dual_write("success", delivered.retired - delivered.quarantined);
            ports_.metrics.dual_write("quarantined", delivered.quarantined);
            ports_.metrics.dual_write("moved", count - delivered.retired);
        } catch (const Error& error) {
            ports_.metrics.dual_write("failure", count);
            log_event(LogLevel::warning, "dual_write",
                      {{"result", "failure"}, {"entries", count}, {"error", error.what()}});
        }
    }
}

}  // namespace crossover::engine
