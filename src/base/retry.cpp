#include "base/retry.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <random>

namespace crossover {

namespace {

bool is_unknown_code(const Error& error) {
    // A number is Milvus's own, in an answer that came as it should; gRPC's codes are names.
    const auto& code = error.native_code();
    return error.system() == System::milvus && error.kind() == ErrorKind::protocol && !code.empty() &&
           code.front() >= '0' && code.front() <= '9';
}

}  // namespace

std::chrono::milliseconds Backoff::next() {
    const int doublings = std::min(pauses_++, 16);
    const auto bound = std::min<long long>(first_.count() << doublings, longest_.count());
    // A seed is dear, and most loops never wait.
    thread_local std::minstd_rand random{std::random_device{}()};
    std::uniform_int_distribution<long long> jitter(bound / 2, bound);
    return std::chrono::milliseconds(jitter(random));
}

bool Retries::admits(const Error& error) {
    ++failures_;
    const bool unknown = is_unknown_code(error);
    unknown_codes_ = unknown ? unknown_codes_ + 1 : 0;
    if (unknown ? unknown_codes_ >= kUnknownCodeAttempts : !error.retryable()) return false;
    if (policy_.attempts > 0 && failures_ >= policy_.attempts) return false;
    return policy_.time.count() == 0 || std::chrono::steady_clock::now() - began_ < policy_.time;
}

bool sleep_for(std::chrono::milliseconds duration, const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock(mutex);
    wake.wait_for(lock, stop, duration, [] { return false; });
    return !stop.stop_requested();
}

void throw_if_stopped(const std::stop_token& stop) {
    if (stop.stop_requested()) throw Error(System::internal, ErrorKind::cancelled, "Stopped on request.");
}

}  // namespace crossover
