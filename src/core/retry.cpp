#include "core/retry.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <random>

namespace crossover {

Backoff::Duration Backoff::next() {
    const int doublings = std::min(attempts_++, 16);
    const auto ceiling = std::min<long long>(base_.count() << doublings, cap_.count());
    // A seed is dear, and most loops never wait.
    thread_local std::minstd_rand random{std::random_device{}()};
    std::uniform_int_distribution<long long> jitter(ceiling / 2, ceiling);
    return Duration(jitter(random));
}

bool sleep_for(std::chrono::milliseconds duration, const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock(mutex);
    wake.wait_for(lock, stop, duration, [] { return false; });
    return !stop.stop_requested();
}

}  // namespace crossover
