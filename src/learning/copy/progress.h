#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/error.h"

namespace crossover::learning {

/// A moment of a command, for a person.
struct CopyProgress {
    std::int64_t done = 0, expected = 0;  ///< keys or rows of this phase; expected 0 = not known
    std::int64_t quarantined = 0, errors = 0;
    double items_per_second = 0;
    std::optional<double> eta_seconds;
    std::string state;  ///< the phase, or what is waited for
};

/// What a command says of itself: each phase and each wait at once, counts at most five times a second.
/// Thread-safe; `show` is called by one thread at a time.
class ProgressReport {
  public:
    explicit ProgressReport(std::function<void(const CopyProgress&)> show);

    void begin(std::string phase, std::int64_t expected = 0);
    /// So many keys or rows of the phase; quarantined ones are of the whole command. Ends a wait.
    void done(std::int64_t items, std::int64_t quarantined = 0);

    void waiting(std::string what);
    void waiting(const Error& error);  ///< for its server; it counts as ridden out
    void waited();
    std::int64_t errors() const;

  private:
    using Clock = std::chrono::steady_clock;
    void show();

    const std::function<void(const CopyProgress&)> show_;
    mutable std::mutex mutex_;
    CopyProgress now_;
    std::string phase_;
    bool waiting_ = false;
    Clock::time_point begun_{}, shown_{};
};

/// Does a command's `work`, which a stop ends without an error, and notes in `result` how it went.
template <class Result, class Work>
void do_noting(Result& result, const ProgressReport& progress, Work&& work) {
    const auto begin = std::chrono::steady_clock::now();
    try {
        work();
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::cancelled) throw;
        result.interrupted = true;
    }
    result.errors = progress.errors();
    result.seconds = seconds_since(begin);
}

}  // namespace crossover::learning
