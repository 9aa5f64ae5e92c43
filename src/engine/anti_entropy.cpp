#include "engine/anti_entropy.h"

#include "core/error.h"
#include "core/logging.h"
#include "core/retry.h"
#include "neo4j/lease.h"
#include "sync/sweep.h"

namespace crossover::engine {

using namespace std::chrono_literals;

namespace {
/// After each page of ids, so that the scan takes a small share of both servers.
constexpr std::chrono::milliseconds kPause = 200ms;
constexpr std::chrono::seconds kWriteTimeout = 5s;
}  // namespace

AntiEntropy::AntiEntropy(bolt::Driver& driver, std::string database, neo4j::MediaStore& source,
                         Target& target, const sync::MediaMapping& mapping, Metrics& metrics,
                         std::function<bool()> wanted, std::function<Deadline()> limit,
                         std::chrono::seconds every)
    : driver_(driver),
      database_(std::move(database)),
      source_(source),
      target_(target),
      mapping_(mapping),
      metrics_(metrics),
      wanted_(std::move(wanted)),
      limit_(std::move(limit)),
      every_(every),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

void AntiEntropy::run(const std::stop_token& stop) {
    while (sleep_for(every_, stop)) {
        if (!wanted_()) continue;
        try {
            if (target_.ready_for_search(Deadline::after(5s))) look_once(stop);
        } catch (const Error& error) {
            if (error.kind() == ErrorKind::conflict || error.kind() == ErrorKind::cancelled) continue;
            metrics_.error(error.system(), error.kind());
            log_event(LogLevel::warning, "anti_entropy", {{"result", "failure"}, {"error", error.what()}});
        }
    }
}

void AntiEntropy::look_once(const std::stop_token& stop) {
    const auto lease = neo4j::Lease::acquire(
        driver_, database_, "anti-entropy:" + mapping_.label, [](const std::string&) {}, stop);
    const auto rows = target_.collection(Deadline::after(5s));
    sync::TargetOutage outage([this](Deadline deadline) { target_.probe(deadline); });
    const auto result = sync::sweep(
        {source_, source_, *rows, target_, outage,
         [&] { return Deadline::after(kWriteTimeout).earlier(limit_()).earlier(lease->limit()); },
         [](const sync::Rejected&) {}, [&](std::int64_t) { sleep_for(kPause, stop); }, [](const Error&) {}},
        mapping_, stop);
    metrics_.repaired(result.upserted + result.orphans);
    log_event(LogLevel::info, "anti_entropy",
              {{"result", "done"},
               {"matched", result.matched},
               {"upserted", result.upserted},
               {"removed", result.orphans}});
}

}  // namespace crossover::engine
