#include "learning/store/lease.h"

#include <fmt/format.h>

#include <utility>

#include "base/background.h"
#include "base/retry.h"
#include "log/log.h"

namespace crossover::learning {
namespace {

constexpr std::chrono::milliseconds kRenewEvery{1'000};
static_assert(4 * kRenewEvery < kLeaseTime);

std::string_view name_of(LeaseName lease) {
    return lease == LeaseName::copy ? "copy" : "handover";
}

std::string later() {
    return fmt::format("clock_timestamp() + {} * interval '1 second'", kLeaseTime.count());
}

}  // namespace

bool take_lease(postgres::Connection& connection, LeaseName lease, const std::string& holder,
                Deadline deadline) {
    postgres::Transaction transaction(connection, deadline);
    // The look must be a statement of its own: it sees what was committed while the lock was waited for, and
    // reads the clock after that.
    connection.exec(fmt::format("SELECT FROM agentdb_lease WHERE name = '{}' FOR UPDATE", name_of(lease)),
                    deadline);
    const auto taken = connection.exec(
        fmt::format(
            "UPDATE agentdb_lease SET holder = '{0}', held_until = {1} WHERE name = '{2}' AND (holder "
            "IS NULL OR holder = '{0}' OR held_until < clock_timestamp())",
            holder, later(), name_of(lease)),
        deadline);
    const bool ours = taken.affected() == 1;
    transaction.commit(deadline);
    return ours;
}

bool renew_lease(postgres::Connection& connection, LeaseName lease, const std::string& holder,
                 Deadline deadline) {
    return connection
               .exec(
                   fmt::format("UPDATE agentdb_lease SET held_until = {} WHERE name = '{}' AND holder = '{}'",
                               later(), name_of(lease), holder),
                   deadline)
               .affected() == 1;
}

void release_lease(postgres::Connection& connection, LeaseName lease, const std::string& holder,
                   Deadline deadline) {
    connection.exec(fmt::format("UPDATE agentdb_lease SET holder = NULL WHERE name = '{}' AND holder = '{}'",
                                name_of(lease), holder),
                    deadline);
}

Error copy_taken_over(const std::string& database) {
    return Error(System::postgres, ErrorKind::conflict,
                 fmt::format("Another 'migrate migrate-agentdb' is at work on {}: it took over when this one "
                             "had been silent for {} seconds. Let it end.",
                             database, kLeaseTime.count()));
}

std::string lease_condition(LeaseName lease, const std::string& holder) {
    return fmt::format("SELECT FROM agentdb_lease WHERE name = '{}' AND holder = '{}' FOR KEY SHARE",
                       name_of(lease), holder);
}

LeaseKeeper::LeaseKeeper(std::string url, LeaseName lease, std::string holder, std::function<void()> on_lost)
    : url_(std::move(url)), lease_(lease), holder_(std::move(holder)), on_lost_(std::move(on_lost)) {
    thread_ = in_background(
        "agentdb lease", [this](const std::stop_token& stop) { keep(stop); }, log_background_failure);
}

void LeaseKeeper::keep(const std::stop_token& stop) {
    const auto soon = [] { return Deadline::after(kLeaseTime); };
    std::unique_ptr<postgres::Connection> connection;
    while (sleep_for(kRenewEvery, stop)) {
        try {
            if (!connection || !connection->usable())
                connection = std::make_unique<postgres::Connection>(url_, soon());
            if (!renew_lease(*connection, lease_, holder_, soon())) {
                on_lost_();
                return;
            }
        } catch (const Error&) {
            // Whoever works under the lease meets the same, and says so.
        }
    }
    try {
        if (!connection || !connection->usable())
            connection = std::make_unique<postgres::Connection>(url_, soon());
        release_lease(*connection, lease_, holder_, soon());
    } catch (const Error&) {
        // It ends by itself.
    }
}

}  // namespace crossover::learning
