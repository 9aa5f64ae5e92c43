#include "engine/courier.h"

#include <algorithm>
#include <unordered_set>

#include "core/background.h"
#include "core/error.h"
#include "core/logging.h"
#include "core/retry.h"
#include "engine/faults.h"
#include "sync/refusals.h"
#include "sync/sync.h"

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
constexpr std::chrono::seconds kWriteTimeout = 5s;

}  // namespace

namespace {

/// A quarantined item has no file here: the log names it, and a record in Neo4j.
void log_quarantined(const std::vector<sync::Rejected>& rejected) {
    for (const auto& item : rejected) {
        const auto id = sync::id_of(item);
        log_event(LogLevel::warning, "dual_write",
                  {{"result", "quarantined"},
                   {"id", id ? crossover::to_string(*id) : std::string()},
                   {"reason", sync::to_string(item.reason)},
                   {"detail", item.detail}});
    }
}

}  // namespace

Delivered deliver(const SyncPorts& ports, const std::vector<neo4j::ChangeEntry>& entries, Deadline limit) {
    std::vector<ItemId> ids;
    std::unordered_set<ItemId> seen;
    for (const auto& entry : entries) {
        if (seen.insert(entry.id).second) ids.push_back(entry.id);
    }
    const auto settlement = ports.log.settlement(entries);
    const sync::SyncLimits limits{.source_deadline = 10s,
                                  .write_deadline = Deadline::after(kWriteTimeout).earlier(limit)};
    try {
        const auto outcome = sync::sync(ports.source, ports.target, *settlement, ports.mapping, ids, limits);
        ports.breaker.succeeded();
        ports.on_delivered();
        log_quarantined(outcome.rejected);
        const std::unordered_set<ItemId> moving(outcome.still_moving.begin(), outcome.still_moving.end());
        std::unordered_set<ItemId> rejected;
        for (const auto& item : outcome.rejected) {
            if (auto id = sync::id_of(item)) rejected.insert(*std::move(id));
        }
        Delivered delivered;
        for (const auto& entry : entries) {
            if (moving.contains(entry.id)) continue;
            ++delivered.retired;
            delivered.quarantined += rejected.contains(entry.id) ? 1 : 0;
        }
        return delivered;
    } catch (const Error& error) {
        if (sync::is_refusal(error)) {
            ports.breaker.succeeded();  // a refusal is an answer
        } else if (error.system() == System::milvus) {
            ports.breaker.failed();
        } else {
            ports.breaker.undecided();
        }
        note_fault(ports.metrics, error);
        throw;
    } catch (...) {
        ports.breaker.undecided();
        throw;
    }
}

Courier::Courier(SyncPorts ports)
    : ports_(std::move(ports)),
      queue_(kQueueCapacity),
      thread_(in_background("courier", [this](const std::stop_token& stop) { run(stop); })) {}

Courier::~Courier() {
    queue_.close();
}

void Courier::accept(Delivery delivery) {
    if (!queue_.try_push(std::move(delivery))) ports_.metrics.dual_write("deferred", 1);
}

void Courier::run(const std::stop_token& stop) {
    while (auto first = queue_.pop(stop)) {
        if (queue_.size() < kBatchEntries) sleep_for(kGather, stop);
        std::vector<neo4j::ChangeEntry> entries;
        Deadline limit = ports_.heartbeat_limit();
        for (std::optional<Delivery> next = std::move(first); next; next = queue_.try_pop()) {
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
