#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "bolt/connection.h"

namespace crossover::bolt {

struct PoolConfig {
    std::size_t max_connections = 100;  ///< to each address, in use and idle
    std::chrono::milliseconds liveness_check_after{30'000};
    std::chrono::milliseconds max_lifetime{3'600'000};
    /// Ages are told by it; waits are real time.
    std::function<Deadline::Clock::time_point()> now = [] { return Deadline::Clock::now(); };
};

/// Connections to any number of addresses, each used by one borrower at a time. Thread-safe.
class Pool : public std::enable_shared_from_this<Pool> {
  public:
    using Open = std::function<std::unique_ptr<Connection>(const Address&, Deadline)>;

    /// A borrowed connection. Gives it back when destroyed: one that is READY goes back, any other is closed.
    class Lease {
      public:
        Lease() noexcept = default;
        Lease(Lease&&) noexcept = default;
        Lease& operator=(Lease&& other) noexcept;
        ~Lease() { give_back(); }

        Connection* operator->() const noexcept { return connection_.get(); }
        Connection& operator*() const noexcept { return *connection_; }
        explicit operator bool() const noexcept { return connection_ != nullptr; }
        void give_back() noexcept;

      private:
        friend class Pool;
        std::shared_ptr<Pool> pool_;
        std::unique_ptr<Connection> connection_;
        Deadline::Clock::time_point opened_;
        std::uint64_t generation_ = 0;
    };

    static std::shared_ptr<Pool> create(PoolConfig config, Open open);

    /// An idle connection that lives, or a new one; waits where all are in use. Throws what opening throws;
    /// `overloaded` where none came free in time, `cancelled` after close().
    Lease acquire(const Address& address, Deadline deadline);

    /// Closes the idle connections to an address that was lost.
    void drop_idle(const Address& address);
    /// Lets no connection opened so far be used by another borrower: the authorization has changed.
    void renew_all();
    /// Closes all connections, and those in use too; acquire() fails from now on.
    void close() noexcept;
    bool closed() const;

    std::size_t in_use(const Address& address) const;
    std::size_t idle(const Address& address) const;

  private:
    struct Idle {
        std::unique_ptr<Connection> connection;
        Deadline::Clock::time_point opened;
        Deadline::Clock::time_point since;
        std::uint64_t generation;
    };
    struct Place {
        std::vector<Idle> idle;  ///< the most recently used at the back
        std::size_t in_use = 0;  ///< and being opened
    };

    Pool(PoolConfig config, Open open);
    bool alive(Idle& idle, Deadline deadline);
    Lease lend(const Address& address, Idle idle);
    void take_back(Lease& lease) noexcept;
    void release_place(const Address& address) noexcept;
    Error closed_error() const;

    const PoolConfig config_;
    const Open open_;
    mutable std::mutex mutex_;
    std::condition_variable freed_;
    std::map<Address, Place> places_;
    std::set<Connection*> lent_;
    std::uint64_t generation_ = 0;
    bool closed_ = false;
};

}  // namespace crossover::bolt
