#include "migrate/target_outage.h"

#include "core/retry.h"

namespace crossover::migrate {

using namespace std::chrono_literals;

void TargetOutage::report(const Error& error) {
    std::lock_guard lock(mutex_);
    reason_ = error.what();
    away_ = true;
}

bool TargetOutage::wait_until_well(const std::stop_token& stop) {
    if (!away_) return true;
    return wait_for_answer(stop);
}

bool TargetOutage::wait_for_answer(const std::stop_token& stop) {
    const bool was_away = away_;
    std::lock_guard turn(probing_);
    if (was_away && !away_) return true;  // another thread got the answer while this one waited its turn
    Backoff backoff(100ms, 2s);
    while (!stop.stop_requested()) {
        try {
            probe_(Deadline::after(5s));
            away_ = false;
            return true;
        } catch (const Error& error) {
            if (!error.retryable()) throw;
            report(error);
        }
        sleep_for(backoff.next(), stop);
    }
    return false;
}

std::string TargetOutage::state() const {
    if (!away_) return {};
    std::lock_guard lock(mutex_);
    return "waiting for Milvus: " + reason_;
}

}  // namespace crossover::migrate
