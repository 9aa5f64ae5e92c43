#include "migrate/rate_limiter.h"

#include <algorithm>

#include "core/retry.h"

namespace crossover::migrate {

bool RateLimiter::take(std::size_t items, const std::stop_token& stop) {
    if (items_per_second_ <= 0) return !stop.stop_requested();
    Clock::time_point turn;
    {
        std::lock_guard lock(mutex_);
        const auto now = Clock::now();
        turn = std::max(now, next_);
        next_ = turn + std::chrono::duration_cast<Clock::duration>(
                           std::chrono::duration<double>(static_cast<double>(items) / items_per_second_));
    }
    return sleep_for(std::chrono::ceil<std::chrono::milliseconds>(turn - Clock::now()), stop);
}

}  // namespace crossover::migrate
