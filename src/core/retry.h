#pragma once

#include <chrono>
#include <stop_token>
#include <string>
#include <utility>

#include "core/error.h"
#include "core/patience.h"

namespace crossover {

/// Exponential back-off with full jitter: attempt n waits a random time in [base/2, base] * 2^n, capped.
/// Not thread-safe; one per retry loop.
class Backoff {
  public:
    using Duration = std::chrono::milliseconds;

    explicit Backoff(Duration base = Duration(100), Duration cap = Duration(5000)) : base_(base), cap_(cap) {}

    /// The wait before the next attempt; grows with each call.
    Duration next();
    void reset() { attempts_ = 0; }
    int attempts() const { return attempts_; }

  private:
    Duration base_;
    Duration cap_;
    int attempts_ = 0;
};

/// Sleeps for `duration`, or until `stop` is requested. Returns false when stopped.
bool sleep_for(std::chrono::milliseconds duration, const std::stop_token& stop);

/// Calls `action` until it succeeds. While it throws errors that pass, `on_wait(error)` hears of each and it
/// is tried again after a growing wait, for as long as it takes: a person decides when that is too long.
/// A code that nobody knows is tried a bounded number of times (core/patience.h). Throws other errors at
/// once, and `cancelled` when `stop` is requested meanwhile.
template <class OnWait, class Action>
auto ride_out(const std::stop_token& stop, OnWait&& on_wait, Action&& action) {
    Backoff backoff;
    Patience patience;
    for (;;) {
        try {
            return action();
        } catch (const Error& error) {
            if (!patience.has_for(error)) throw;
            on_wait(error);
            if (!sleep_for(backoff.next(), stop)) {
                throw Error(error.system(), ErrorKind::cancelled,
                            std::string("Stopped while waiting for a server: ") + error.what());
            }
        }
    }
}

}  // namespace crossover
