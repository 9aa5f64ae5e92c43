#include "engine/anti_entropy.h"

#include "base/background.h"
#include "base/deletions.h"
#include "base/error.h"
#include "base/retry.h"
#include "engine/standstill.h"
#include "log/log.h"
#include "neo4j/lease.h"
#include "sync/sweep.h"

namespace crossover::engine {

using namespace std::chrono_literals;

namespace {
/// After each page of ids, so that the scan takes a small share of both servers.
constexpr std::chrono::milliseconds kPause = 200ms;
/// So long a look waits for a server that is away. Longer would keep the other replicas from looking: a look
/// holds the lease.
constexpr std::chrono::minutes kLongestStandstill{10};
}  // namespace

AntiEntropy::AntiEntropy(Ports ports, std::string collection, std::function<bool()> wanted,
                         std::chrono::seconds every)
    : ports_(ports),
      lease_name_{"anti-entropy", std::move(collection)},
      wanted_(std::move(wanted)),
      every_(every),
      thread_(in_background(
          "anti_entropy", [this](const std::stop_token& stop) { run(stop); }, log_background_failure)) {}

void AntiEntropy::run(const std::stop_token& stop) {
    while (sleep_for(every_, stop)) {
        if (!wanted_()) continue;
        try {
            if (ports_.target.ready_for_search(Deadline::after(5s))) look_once(stop);
        } catch (const Error& error) {
            const bool another_looks = error.system() == System::neo4j && error.kind() == ErrorKind::conflict;
            if (another_looks) continue;
            if (error.kind() == ErrorKind::cancelled) {
                if (!stop.stop_requested())
                    log_event(LogLevel::info, "anti_entropy", {{"result", "stopped"}, {"why", error.what()}});
                continue;
            }
            ports_.metrics.error(error.system(), error.kind());
            log_event(LogLevel::warning, "anti_entropy", {{"result", "failure"}, {"error", error.what()}});
        }
    }
}

void AntiEntropy::look_once(const std::stop_token& stop) {
    const auto lease = neo4j::Lease::acquire(
        ports_.driver, ports_.database, lease_name_, 0ms, [](const std::string&) {}, stop);
    ports_.log.take_in_unowned();  // engines of an earlier release may have run beside this one
    const auto rows = ports_.target.collection(Deadline::after(5s));
    const auto go_on_while_wanted = [&] {
        if (wanted_()) return;
        throw Error(System::internal, ErrorKind::cancelled,
                    "the storage mode no longer captures changes, so that there is nothing to keep equal");
    };
    Standstill standstill(kLongestStandstill);
    const auto result = sync::sweep(
        {ports_.source,
         ports_.source,
         *rows,
         [&](std::span<const ItemId> ids) { ports_.log.owe(ids); },
         {},
         [&](std::int64_t) {
             standstill.moved();
             go_on_while_wanted();
             sleep_for(kPause, stop);
         },
         [&](const Error& error) {
             go_on_while_wanted();
             const bool news = standstill.is_news(error);
             ports_.metrics.error(error.system(), error.kind());
             if (news) {
                 log_event(LogLevel::warning, "anti_entropy",
                           {{"result", "waiting"}, {"error", error.what()}});
             }
         },
         [](std::int64_t orphans, std::int64_t found) { return !needs_permission_to_delete(orphans, found); },
         /*all_or_nothing=*/true},
        stop);
    ports_.metrics.repaired(result.different - result.refused);
    ports_.metrics.repairs_refused(result.refused);
    log_event(result.refused > 0 ? LogLevel::error : LogLevel::info, "anti_entropy",
              {{"result", result.refused > 0 ? "refused" : "done"},
               {"matched", result.matched},
               {"quarantined", result.quarantined},
               {"different", result.different},
               {"orphans", result.orphans}});
}

}  // namespace crossover::engine
