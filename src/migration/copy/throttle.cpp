#include "migration/copy/throttle.h"

#include <algorithm>

namespace crossover::migration {

Throttle::Settings Throttle::get() const {
    std::lock_guard lock(mutex_);
    return settings_;
}

void Throttle::set(Settings settings) {
    {
        std::lock_guard lock(mutex_);
        settings_ = settings;
        next_ = {};  // who waits takes a new turn
        ++changes_;
    }
    changed_.notify_all();
}

bool Throttle::enter(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    const bool may =
        changed_.wait(lock, stop, [&] { return !settings_.paused && in_flight_ < settings_.concurrency; });
    if (!may || stop.stop_requested()) return false;
    ++in_flight_;
    return true;
}

void Throttle::leave() {
    {
        std::lock_guard lock(mutex_);
        --in_flight_;
    }
    changed_.notify_all();
}

bool Throttle::take(std::size_t items, const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (changed_.wait(lock, stop, [&] { return !settings_.paused; })) {
        if (settings_.items_per_second <= 0) return !stop.stop_requested();
        const auto turn = std::max(Clock::now(), next_);
        next_ = turn + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(
                           static_cast<double>(items) / settings_.items_per_second));
        const auto change = changes_;
        changed_.wait_until(lock, stop, turn, [&] { return changes_ != change; });
        if (stop.stop_requested()) return false;
        if (changes_ == change) return true;
    }
    return false;
}

}  // namespace crossover::migration
