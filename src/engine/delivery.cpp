#include "engine/delivery.h"

#include <unordered_set>

#include "base/error.h"
#include "engine/faults.h"
#include "log/log.h"
#include "sync/refusals.h"
#include "sync/sync.h"

namespace crossover::engine {

using namespace std::chrono_literals;

namespace {

constexpr std::chrono::seconds kWriteTimeout = 5s;

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
    const auto version_check = ports.log.version_check(entries);
    const sync::SyncLimits limits{.source_deadline = 10s,
                                  .write_deadline = Deadline::after(kWriteTimeout).earlier(limit)};
    try {
        const auto outcome =
            sync::sync(ports.source, ports.target, *version_check, ports.mapping, ids, limits);
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

}  // namespace crossover::engine
