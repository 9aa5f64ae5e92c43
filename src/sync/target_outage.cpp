#include "sync/target_outage.h"

#include "base/retry.h"

namespace crossover::sync {

using namespace std::chrono_literals;

void TargetOutage::report(const Error& error) {
    std::lock_guard lock(mutex_);
    reason_ = error.what();
    away_ = true;
}

bool TargetOutage::wait_until_well(const std::stop_token& stop) {
    if (!away_) return true;
    std::lock_guard turn(probing_);
    if (!away_) return true;  // another thread got the answer while this one waited its turn
    return wait_for_answer(stop);
}

bool TargetOutage::wait_out(Deadline write_deadline, const std::stop_token& stop) {
    if (!sleep_for(write_deadline.remaining(), stop)) return false;
    {
        std::lock_guard turn(probing_);
        if (!wait_for_answer(stop)) return false;
    }
    return sleep_for(timing_.settling, stop);
}

bool TargetOutage::wait_for_answer(const std::stop_token& stop) {
    Retries retries({.longest_pause = 2s});
    while (!stop.stop_requested()) {
        try {
            probe_(Deadline::after(5s));
            away_ = false;
            return true;
        } catch (const Error& error) {
            if (!retries.admits(error)) throw;
            report(error);
        }
        sleep_for(retries.pause(), stop);
    }
    return false;
}

std::string TargetOutage::state() const {
    if (!away_) return {};
    std::lock_guard lock(mutex_);
    return "waiting for Milvus: " + reason_;
}

}  // namespace crossover::sync
