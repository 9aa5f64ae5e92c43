#pragma once

#include <chrono>
#include <mutex>
#include <stop_token>

namespace crossover::migrate {

/// Lets through so many items a second, on average, without saving up more than one batch's worth.
/// Thread-safe.
class RateLimiter {
  public:
    /// 0 = no limit.
    explicit RateLimiter(double items_per_second) : items_per_second_(items_per_second) {}

    /// Waits for this many items' turn. False when stopped.
    bool take(std::size_t items, const std::stop_token& stop);

  private:
    using Clock = std::chrono::steady_clock;
    const double items_per_second_;
    std::mutex mutex_;
    Clock::time_point next_{};
};

}  // namespace crossover::migrate
