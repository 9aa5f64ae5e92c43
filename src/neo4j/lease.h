#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "bolt/driver.h"

namespace crossover::neo4j {

/// What a lease is for: "migrate-embeddings" of a collection.
struct LeaseName {
    std::string work;
    std::string collection;
};

/// The right to be the only one that does a named piece of work on a collection, kept in Neo4j as
/// `(:CrossoverLease {name, collection, owner, expires_at, writes_until, …})` under Neo4j's clock. It lapses
/// when it is not renewed; a holder that was seen to be dead, on this very machine, is replaced at once.
///
/// What a holder had sent to Milvus may arrive after its end. So the lease also says until when: whoever
/// takes it from one that did not give it up with every write ended inherits that (`writes_until`, or the
/// former `expires_at`), and passes it on when it ends before it has waited it out.
///
/// Thread-safe.
class Lease {
  public:
    static constexpr std::chrono::seconds kTimeToLive{30};
    static constexpr std::chrono::seconds kRenewEvery{5};

    /// Waits for a holder that has stopped renewing, at most its time to live. Throws `conflict`, naming the
    /// holder, when it is alive. `on_wait` hears what is waited for. No write under the lease may take longer
    /// than `longest_write`.
    static std::unique_ptr<Lease> acquire(bolt::Driver& driver, const std::string& database,
                                          const LeaseName& name, std::chrono::milliseconds longest_write,
                                          const std::function<void(const std::string&)>& on_wait,
                                          const std::stop_token& stop);
    /// Throws `not_ready` where this user, or the database, does not let a lease be taken. What is tried is
    /// rolled back.
    static void require_right_to_take(bolt::Driver& driver, const std::string& database);
    /// Gives it up, as far as Neo4j can be reached, together with what may still be on its way.
    ~Lease();
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    /// Renews, and runs `work`, in a write transaction that commits only while we hold the lease. Throws
    /// `conflict` otherwise. Returns its bookmarks.
    std::vector<std::string> transact(Deadline deadline, const std::function<void(bolt::Transaction&)>& work);
    /// Until here nobody else can hold it. Nothing done under the lease may have a later deadline. Throws
    /// `conflict` once another holder is known.
    Deadline limit() const;

    /// Until when writes of former holders may have been sent; empty where all of those had ended. They
    /// must be waited out (sync::TargetOutage::wait_out), and writes_ended() be said, before the first write.
    std::optional<Deadline> inherited_writes() const;
    /// From now on a write may be on its way.
    void writes_begin();
    /// No write is on its way any more, of this holder or a former one.
    void writes_ended();

  private:
    struct State;
    explicit Lease(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace crossover::neo4j
