#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <stop_token>

namespace crossover::migration {

/// How hard a running copy works; may be asked and changed while it runs. Thread-safe.
class Throttle {
  public:
    struct Settings {
        int concurrency = 10;  ///< upserts in flight, at most
        double items_per_second =
            0;                ///< on average, without saving up more than one batch's worth; 0 = no limit
        bool paused = false;  ///< what is under way ends, and nothing new begins
    };

    explicit Throttle(Settings settings) : settings_(settings) {}

    Settings get() const;
    /// Holds from the next batch on.
    void set(Settings settings);

    /// Waits until another upsert may begin, which is then in flight until leave(). False when stopped.
    bool enter(const std::stop_token& stop);
    void leave();
    /// Waits for this many items' turn, and for the end of a pause. False when stopped.
    bool take(std::size_t items, const std::stop_token& stop);

  private:
    using Clock = std::chrono::steady_clock;

    mutable std::mutex mutex_;
    std::condition_variable_any changed_;
    Settings settings_;
    int in_flight_ = 0;
    std::uint64_t changes_ = 0;
    Clock::time_point next_{};
};

}  // namespace crossover::migration
