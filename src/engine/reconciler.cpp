#include "engine/reconciler.h"

#include <algorithm>

#include "base/background.h"
#include "base/error.h"
#include "base/retry.h"
#include "engine/faults.h"
#include "log/log.h"

namespace crossover::engine {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t kClaimed = 2'000;
constexpr std::size_t kAtOnce = 500;
/// A claim ends by Neo4j's clock: so much earlier nothing is begun under it.
constexpr std::chrono::seconds kLeaseMargin = 5s;

}  // namespace

Reconciler::Reconciler(SyncPorts ports, std::function<void(Deadline)> probe, Settings settings)
    : ports_(std::move(ports)),
      probe_(std::move(probe)),
      settings_(settings),
      thread_(in_background(
          "reconciler", [this](const std::stop_token& stop) { run(stop); }, log_background_failure)) {}

void Reconciler::run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        bool busy = false;
        try {
            report_depth();
            busy = reconcile_once(stop);
        } catch (const Error& error) {
            log_event(LogLevel::warning, "reconcile", {{"result", "failure"}, {"error", error.what()}});
        }
        if (!busy) sleep_for(settings_.every, stop);
    }
}

void Reconciler::report_depth() {
    const auto depth = ports_.log.depth(Deadline::after(5s));
    owed_ = depth.entries;
    ports_.metrics.outbox(depth.entries, depth.oldest_seconds);
    ports_.metrics.milvus_up(ports_.breaker.closed());
    const bool alarm = depth.entries > settings_.alarm_depth;
    if (alarm && !alarmed_) {
        log_event(LogLevel::error, "outbox_alarm",
                  {{"depth", depth.entries},
                   {"limit", settings_.alarm_depth},
                   {"oldest_seconds", depth.oldest_seconds},
                   {"advice", "nothing is dropped; find out why Milvus does not take the changes"}});
    }
    alarmed_ = alarm;
}

bool Reconciler::reconcile_once(const std::stop_token& stop) {
    if (!ports_.breaker.admits()) return false;
    try {
        probe_(Deadline::after(3s));  // to claim what can't be delivered would only keep it from the others
        ports_.breaker.probe_succeeded();
    } catch (const Error& error) {
        ports_.breaker.probe_failed();
        note_fault(ports_.metrics, error);
        return false;
    } catch (...) {
        ports_.breaker.undecided();
        throw;
    }
    // Where the breaker is open all the same, no write was taken lately, and this is the one that may try.
    const auto before = Deadline::Clock::now();
    std::vector<neo4j::ChangeEntry> claimed;
    try {
        claimed = claim();
        if (claimed.empty()) {
            if (owed_ == 0) {
                ports_.breaker.succeeded();  // whatever failed was taken since, from whichever replica
            } else {
                ports_.breaker.undecided();
            }
            return false;
        }
        // What a former owner sent has a deadline within its lease, which is over; but a Milvus that was
        // stopped may apply it when it wakes up.
        sync::TargetOutage outage(probe_, settings_.timing);
        if (!outage.wait_out(Deadline::after(0ms), stop)) {
            ports_.breaker.undecided();
            return false;
        }
    } catch (...) {
        ports_.breaker.undecided();
        throw;
    }
    const Deadline lease = Deadline::at(before + neo4j::ChangeLog::kClaimLease - kLeaseMargin);
    bool tried = false;
    for (std::size_t first = 0; first < claimed.size() && !stop.stop_requested(); first += kAtOnce) {
        const auto last = std::min(claimed.size(), first + kAtOnce);
        const std::vector<neo4j::ChangeEntry> entries(claimed.begin() + static_cast<std::ptrdiff_t>(first),
                                                      claimed.begin() + static_cast<std::ptrdiff_t>(last));
        const Deadline limit = lease.earlier(ports_.heartbeat_limit());
        if (limit.passed()) break;  // the rest can be claimed again
        tried = true;
        ports_.metrics.reconciled(deliver(ports_, entries, limit).retired);
    }
    if (!tried) ports_.breaker.undecided();
    return true;
}

std::vector<neo4j::ChangeEntry> Reconciler::claim() {
    auto claim = ports_.log.claim(kClaimed);
    if (claim.discarded > 0) {
        log_event(LogLevel::warning, "outbox",
                  {{"result", "discarded"},
                   {"entries", claim.discarded},
                   {"why", "their media_id is of another kind than the collection's ids"}});
    }
    return std::move(claim.entries);
}

}  // namespace crossover::engine
