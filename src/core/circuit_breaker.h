#pragma once

#include <chrono>
#include <mutex>
#include <string_view>

namespace crossover {

/// Keeps a store that does not answer from being asked: after some failures in a row it opens, and nobody
/// asks until a pause is over; then one caller may try, and its answer closes the breaker or doubles the
/// pause. Thread-safe.
class CircuitBreaker {
  public:
    using Clock = std::chrono::steady_clock;
    struct Settings {
        int failures = 3;  ///< in a row, to open it
        std::chrono::milliseconds first_pause{500};
        std::chrono::milliseconds longest_pause{5'000};
    };

    CircuitBreaker() = default;
    explicit CircuitBreaker(Settings settings) : settings_(settings) {}

    /// Whether the caller may ask now; then it must tell by succeeded(), failed() or undecided() how it
    /// went.
    bool admits(Clock::time_point now = Clock::now());
    void succeeded();
    void failed(Clock::time_point now = Clock::now());
    /// The caller learnt nothing about the store: something else failed.
    void undecided();
    /// Looks without asking: false while the pause lasts or somebody is trying.
    bool closed() const;

  private:
    const Settings settings_{};
    mutable std::mutex mutex_;
    int failures_ = 0;
    bool open_ = false;
    bool trying_ = false;
    Clock::time_point try_at_;
    std::chrono::milliseconds pause_{};
};

}  // namespace crossover
