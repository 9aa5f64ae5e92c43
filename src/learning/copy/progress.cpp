#include "learning/copy/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace crossover::learning {
namespace {

constexpr std::chrono::milliseconds kInterval{200};

}  // namespace

ProgressReport::ProgressReport(std::function<void(const CopyProgress&)> show) : show_(std::move(show)) {}

void ProgressReport::begin(std::string phase, std::int64_t expected) {
    const std::lock_guard lock(mutex_);
    phase_ = std::move(phase);
    waiting_ = false;
    now_.done = 0;
    now_.expected = expected;
    now_.items_per_second = 0;
    now_.eta_seconds.reset();
    now_.state = phase_;
    begun_ = Clock::now();
    show();
}

void ProgressReport::done(std::int64_t items, std::int64_t quarantined) {
    const std::lock_guard lock(mutex_);
    now_.done = items;
    now_.quarantined = quarantined;
    if (std::exchange(waiting_, false)) now_.state = phase_;
    const auto now = Clock::now();
    if (now - shown_ < kInterval) return;
    const auto seconds = std::chrono::duration<double>(now - begun_).count();
    now_.items_per_second = static_cast<double>(items) / std::max(seconds, 1e-9);
    now_.eta_seconds.reset();
    if (now_.expected > 0) {
        now_.expected = std::max(now_.expected, items);  // more came meanwhile
        if (items > 0) now_.eta_seconds = static_cast<double>(now_.expected - items) / now_.items_per_second;
    }
    show();
}

void ProgressReport::waiting(std::string what) {
    const std::lock_guard lock(mutex_);
    waiting_ = true;
    now_.state = std::move(what);
    show();
}

void ProgressReport::waiting(const Error& error) {
    {
        const std::lock_guard lock(mutex_);
        ++now_.errors;
    }
    waiting(fmt::format("waiting for {}: {}", error.system() == System::redis ? "Redis" : "PostgreSQL",
                        error.what()));
}

void ProgressReport::waited() {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(waiting_, false)) return;
    now_.state = phase_;
    if (!phase_.empty()) show();
}

std::int64_t ProgressReport::errors() const {
    const std::lock_guard lock(mutex_);
    return now_.errors;
}

void ProgressReport::show() {
    shown_ = Clock::now();
    if (show_) show_(now_);
}

}  // namespace crossover::learning
