#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "postgres/connection.h"

/// What one process holds over several transactions is a row of `agentdb_lease`: a session's advisory lock
/// would stay with whatever session a pooler such as PgBouncer had lent.
///
/// Taken by lock, then look. It ends by itself where it is not renewed, but time alone takes nothing from its
/// holder: each transaction that relies on it looks at the row `FOR KEY SHARE` (`lease_condition`), which
/// makes a taker wait for the transaction, and fails once another has taken it. A renewal does not wait.
namespace crossover::learning {

enum class LeaseName { copy, handover };

/// How long a lease lasts that is not renewed.
inline constexpr std::chrono::seconds kLeaseTime{5};

/// `holder` is a name that only this attempt has (unique_name). False where another holds it.
bool take_lease(postgres::Connection& connection, LeaseName lease, const std::string& holder,
                Deadline deadline);
/// False where another has taken it.
bool renew_lease(postgres::Connection& connection, LeaseName lease, const std::string& holder,
                 Deadline deadline);
/// Nothing where another has it.
void release_lease(postgres::Connection& connection, LeaseName lease, const std::string& holder,
                   Deadline deadline);

/// `conflict`: another copy took the lease meanwhile. `database` is the connection's name.
Error copy_taken_over(const std::string& database);

/// "SELECT FROM … FOR KEY SHARE": one row where `holder` has the lease, and none else. For a CTE.
std::string lease_condition(LeaseName lease, const std::string& holder);

/// Renews a lease on a session and a thread of its own. A PostgreSQL that is away is waited for: whoever is
/// quicker then has the lease.
class LeaseKeeper {
  public:
    /// Of a lease that was taken. `on_lost` is called once, when another has taken it.
    LeaseKeeper(std::string url, LeaseName lease, std::string holder, std::function<void()> on_lost);
    /// Gives it back, where PostgreSQL answers.
    ~LeaseKeeper() = default;

  private:
    void keep(const std::stop_token& stop);

    const std::string url_;
    const LeaseName lease_;
    const std::string holder_;
    const std::function<void()> on_lost_;
    std::jthread thread_;
};

}  // namespace crossover::learning
