#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"

namespace crossover::learning {

/// Connections to one server, at most so many, kept for the next caller. Thread-safe.
template <class Connection>
class Pool {
  public:
    using Connect = std::function<std::unique_ptr<Connection>(Deadline)>;

    /// The caller who lacks a connection makes it, within its own deadline. But with a `connect_timeout` a
    /// thread of the pool makes it in that time: for callers who have less than connecting takes, which is
    /// several round trips. They wait as long as they can, and who comes later finds it.
    Pool(System system, std::size_t most, Connect connect, std::chrono::milliseconds connect_timeout = {})
        : system_(system), most_(most), connect_(std::move(connect)), connect_timeout_(connect_timeout) {
        if (connect_timeout_.count() == 0) return;
        maker_ = std::jthread([this](const std::stop_token& stop) { make(stop); });
    }

    /// Calls `work(connection)`. A connection that was lost is not used again, nor are those that lay idle.
    /// Throws `overloaded` where none was free or made in time, and what connecting and `work` throw.
    template <class Work>
    auto with(Deadline deadline, Work&& work) {
        Loan loan(*this, deadline);
        if (!loan.connection) loan.connection = connect_(deadline);
        try {
            auto result = work(*loan.connection);
            loan.sound = true;
            return result;
        } catch (const Error& error) {
            loan.sound = !error.outcome_unknown() && error.kind() != ErrorKind::protocol;
            if (error.kind() == ErrorKind::unreachable) drop_idle();
            throw;
        }
    }

  private:
    struct Loan {
        Loan(Pool& pool, Deadline deadline) : pool(pool), connection(pool.take(deadline)) {}
        Loan(const Loan&) = delete;
        Loan& operator=(const Loan&) = delete;
        ~Loan() { pool.give_back(sound ? std::move(connection) : nullptr); }
        Pool& pool;
        std::unique_ptr<Connection> connection;
        bool sound = false;
    };

    /// A place in the pool; with a connection where one lies idle, or the pool makes them.
    std::unique_ptr<Connection> take(Deadline deadline) {
        std::unique_lock lock(mutex_);
        if (!free_.wait_until(lock, deadline.point(), [&] { return taken_ < most_; })) {
            throw Error(system_, ErrorKind::overloaded, "All connections to the store are in use.");
        }
        if (idle_.empty() && connect_timeout_.count() > 0) wait_for_one(lock, deadline);
        ++taken_;
        if (idle_.empty()) return nullptr;
        auto connection = std::move(idle_.back());
        idle_.pop_back();
        return connection;
    }

    void wait_for_one(std::unique_lock<std::mutex>& lock, Deadline deadline) {
        wanted_ = std::min(wanted_ + 1, most_);
        free_.notify_all();
        const auto failures = failures_;
        free_.wait_until(lock, deadline.point(), [&] { return !idle_.empty() || failures_ != failures; });
        if (!idle_.empty()) return;
        if (failures_ != failures) throw *failure_;
        throw Error(system_, ErrorKind::overloaded, "A connection to the store is still being made.");
    }

    void make(const std::stop_token& stop) {
        for (std::unique_lock lock(mutex_); free_.wait(lock, stop, [&] { return wanted_ > 0; });) {
            lock.unlock();
            std::unique_ptr<Connection> made;
            std::optional<Error> failure;
            try {
                made = connect_(Deadline::after(connect_timeout_));
            } catch (const Error& error) {
                failure = error;
            } catch (const std::exception& error) {
                failure = Error(System::internal, ErrorKind::internal, error.what());
            }
            lock.lock();
            if (made) {
                idle_.push_back(std::move(made));
                --wanted_;
            } else {
                failure_ = std::move(failure);
                ++failures_;
                wanted_ = 0;
            }
            free_.notify_all();
        }
    }

    void give_back(std::unique_ptr<Connection> connection) {
        {
            std::lock_guard lock(mutex_);
            --taken_;
            if (connection && idle_.size() < most_) idle_.push_back(std::move(connection));
        }
        free_.notify_all();
    }

    void drop_idle() {
        std::vector<std::unique_ptr<Connection>> dropped;
        std::lock_guard lock(mutex_);
        dropped.swap(idle_);
    }

    const System system_;
    const std::size_t most_;
    const Connect connect_;
    const std::chrono::milliseconds connect_timeout_;
    std::mutex mutex_;
    std::condition_variable_any free_;
    std::size_t taken_ = 0;
    std::vector<std::unique_ptr<Connection>> idle_;
    std::size_t wanted_ = 0;        ///< connections that the thread is to make
    std::size_t failures_ = 0;      ///< of the thread
    std::optional<Error> failure_;  ///< the last one
    std::jthread maker_;            ///< the last member: it uses all others
};

}  // namespace crossover::learning
