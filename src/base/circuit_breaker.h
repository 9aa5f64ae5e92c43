#pragma once

#include <chrono>
#include <mutex>
#include <string_view>

namespace crossover {

/// Keeps a store that does not answer from being asked: after some failures in a row it opens, and nobody
/// asks until a pause is over; then one caller may try, and its answer closes the breaker or doubles the
/// pause. Thread-safe.
///
/// A caller may first probe, by a cheaper call of another kind. A store that answers it need not answer what
/// matters, so where such a call has failed only another of its kind closes the breaker; what probes alone
/// have opened a probe closes.
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
    /// How a probe went. After one that succeeded the caller may go on to ask, or must say undecided().
    void probe_succeeded();
    void probe_failed(Clock::time_point now = Clock::now());
    /// Looks without asking: false while the pause lasts or somebody is trying.
    bool closed() const;

  private:
    void succeeded_locked();
    void failed_locked(Clock::time_point now);

    const Settings settings_{};
    mutable std::mutex mutex_;
    int failures_ = 0;
    bool call_failed_ = false;  ///< not only probes, since a call succeeded
    bool open_ = false;
    bool trying_ = false;
    Clock::time_point try_at_;
    std::chrono::milliseconds pause_{};
};

}  // namespace crossover
