#include "base/circuit_breaker.h"

#include <algorithm>

namespace crossover {

bool CircuitBreaker::admits(Clock::time_point now) {
    std::lock_guard lock(mutex_);
    if (!open_) return true;
    if (trying_ || now < try_at_) return false;
    trying_ = true;
    return true;
}

void CircuitBreaker::succeeded() {
    std::lock_guard lock(mutex_);
    succeeded_locked();
}

void CircuitBreaker::failed(Clock::time_point now) {
    std::lock_guard lock(mutex_);
    call_failed_ = true;
    failed_locked(now);
}

void CircuitBreaker::probe_succeeded() {
    std::lock_guard lock(mutex_);
    if (!call_failed_) succeeded_locked();
}

void CircuitBreaker::probe_failed(Clock::time_point now) {
    std::lock_guard lock(mutex_);
    failed_locked(now);
}

void CircuitBreaker::succeeded_locked() {
    failures_ = 0;
    open_ = trying_ = call_failed_ = false;
    pause_ = {};
}

void CircuitBreaker::failed_locked(Clock::time_point now) {
    if (!open_ && ++failures_ < settings_.failures) return;
    // Calls that were under way when it opened do not lengthen the pause.
    if (open_ && !trying_) return;
    open_ = true;
    trying_ = false;
    pause_ = pause_.count() == 0 ? settings_.first_pause : std::min(2 * pause_, settings_.longest_pause);
    try_at_ = now + pause_;
}

void CircuitBreaker::undecided() {
    std::lock_guard lock(mutex_);
    trying_ = false;
}

bool CircuitBreaker::closed() const {
    std::lock_guard lock(mutex_);
    return !open_;
}

}  // namespace crossover
