#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "core/deadline.h"
#include "core/error.h"

namespace crossover::learning {

/// Connections to one server, at most so many, kept for the next caller. Thread-safe.
template <class Connection>
class Pool {
  public:
    using Connect = std::function<std::unique_ptr<Connection>(Deadline)>;
    Pool(System system, std::size_t most, Connect connect)
        : system_(system), most_(most), connect_(std::move(connect)) {}

    /// Calls `work(connection)`. A connection that was lost is not used again, nor are those that lay idle.
    /// Throws `overloaded` where none was free in time, and what connecting and `work` throw.
    template <class Work>
    auto with(Deadline deadline, Work&& work) {
        Lease lease(*this, take(deadline));
        if (!lease.connection) lease.connection = connect_(deadline);
        try {
            auto result = work(*lease.connection);
            lease.sound = true;
            return result;
        } catch (const Error& error) {
            lease.sound = !error.outcome_unknown() && error.kind() != ErrorKind::protocol;
            if (error.kind() == ErrorKind::unreachable) drop_idle();
            throw;
        }
    }

  private:
    struct Lease {
        Lease(Pool& pool, std::unique_ptr<Connection> connection)
            : pool(pool), connection(std::move(connection)) {}
        Lease(const Lease&) = delete;
        Lease& operator=(const Lease&) = delete;
        ~Lease() { pool.give_back(sound ? std::move(connection) : nullptr); }
        Pool& pool;
        std::unique_ptr<Connection> connection;
        bool sound = false;
    };

    /// A place in the pool, with a connection where one lies idle.
    std::unique_ptr<Connection> take(Deadline deadline) {
        std::unique_lock lock(mutex_);
        if (!free_.wait_until(lock, deadline.point(), [&] { return taken_ < most_; })) {
            throw Error(system_, ErrorKind::overloaded, "All connections to the store are in use.");
        }
        ++taken_;
        if (idle_.empty()) return nullptr;
        auto connection = std::move(idle_.back());
        idle_.pop_back();
        return connection;
    }

    void give_back(std::unique_ptr<Connection> connection) {
        {
            std::lock_guard lock(mutex_);
            --taken_;
            if (connection) idle_.push_back(std::move(connection));
        }
        free_.notify_one();
    }

    void drop_idle() {
        std::vector<std::unique_ptr<Connection>> dropped;
        std::lock_guard lock(mutex_);
        dropped.swap(idle_);
    }

    const System system_;
    const std::size_t most_;
    const Connect connect_;
    std::mutex mutex_;
    std::condition_variable free_;
    std::size_t taken_ = 0;
    std::vector<std::unique_ptr<Connection>> idle_;
};

}  // namespace crossover::learning
