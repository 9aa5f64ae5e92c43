#pragma once

#include <algorithm>
#include <chrono>

namespace crossover {

/// A point on the monotonic clock after which a remote call must have ended. Copyable, immutable.
class Deadline {
  public:
    using Clock = std::chrono::steady_clock;
    using Duration = std::chrono::milliseconds;

    static Deadline after(Duration duration) { return Deadline(Clock::now() + duration); }
    static Deadline at(Clock::time_point point) { return Deadline(point); }

    Clock::time_point point() const { return point_; }
    bool passed() const { return Clock::now() >= point_; }
    /// Time left, never negative.
    Duration remaining() const {
        return std::max(Duration::zero(), std::chrono::ceil<Duration>(point_ - Clock::now()));
    }
    Deadline earlier(Deadline other) const { return Deadline(std::min(point_, other.point_)); }

  private:
    explicit Deadline(Clock::time_point point) : point_(point) {}
    Clock::time_point point_;
};

}  // namespace crossover
