#include "migration/copy/fixer.h"

#include <iterator>

#include "base/error.h"
#include "base/retry.h"

namespace crossover::migration {

using namespace std::chrono_literals;

namespace {

constexpr sync::WriteTiming kTiming;

[[noreturn]] void stopped() {
    throw Error(System::internal, ErrorKind::cancelled, "Stopped while repairing what differs.");
}

void append(sync::SyncOutcome& to, sync::SyncOutcome&& from) {
    to.upserted += from.upserted;
    to.erased += from.erased;
    std::move(from.rejected.begin(), from.rejected.end(), std::back_inserter(to.rejected));
}

}  // namespace

void Fixer::wait_out_former_writes(const std::function<void(const std::string&)>& say) {
    if (const auto until = ports_.lease.inherited_writes()) {
        say("waiting for the last writes of an earlier run to settle");
        if (!ports_.outage.wait_out(*until, stop_)) stopped();
    }
    ports_.lease.writes_ended();
}

sync::SyncOutcome Fixer::fix(std::span<const ItemId> ids) {
    sync::SyncOutcome all;
    std::vector<ItemId> left(ids.begin(), ids.end());
    Retries retries(kForEver);
    while (!left.empty()) {
        if (stop_.stop_requested()) stopped();
        const auto deadline = Deadline::after(kTiming.timeout).earlier(ports_.lease.limit());
        if (deadline.remaining() < kTiming.timeout / 10) {
            sleep_for(100ms, stop_);  // until the lease is renewed
            continue;
        }
        ports_.lease.writes_begin();
        try {
            auto outcome =
                sync::sync(ports_.source, ports_.target, ports_.check, mapping_, left,
                           {.write_deadline = deadline, .on_erasing_invalid = ports_.on_erasing_invalid});
            left = std::move(outcome.still_moving);
            append(all, std::move(outcome));
        } catch (const Error& error) {
            if (!retries.admits(error)) throw;
            ports_.on_wait(error);
            if (!ports_.outage.wait_out(deadline, stop_)) stopped();
        }
        ports_.lease.writes_ended();
    }
    return all;
}

}  // namespace crossover::migration
