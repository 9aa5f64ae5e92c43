#pragma once

#include <chrono>
#include <functional>
#include <stop_token>
#include <string>
#include <type_traits>

#include "base/error.h"

namespace crossover {

/// How often and how long a call that fails is tried again, and after which pauses.
struct RetryPolicy {
    std::chrono::milliseconds first_pause{100};  ///< twice as long after each failure, with jitter
    std::chrono::milliseconds longest_pause{5'000};
    int attempts = 0;                  ///< in a row; 0 = any number
    std::chrono::milliseconds time{};  ///< from the begin of the call, or its last success; 0 = without end
};

/// For work that goes on when the server is back, however long that takes: whoever waits is told, and
/// decides.
inline constexpr RetryPolicy kForEver{};
/// With its pauses, about half a minute of a server being away.
inline constexpr RetryPolicy kTenTimes{.attempts = 10};
inline constexpr RetryPolicy kTwoMinutes{std::chrono::milliseconds(50), std::chrono::seconds(2), 0,
                                         std::chrono::minutes(2)};

/// So often in a row a call is tried, whatever the policy, that Milvus answers with a code that nobody knows:
/// it can't be told whether that ever passes.
inline constexpr int kUnknownCodeAttempts = 10;

/// Pauses that grow: each is random between the half of a bound and all of it, and the bound doubles up to
/// the longest. Not thread-safe.
class Backoff {
  public:
    explicit Backoff(std::chrono::milliseconds first = std::chrono::milliseconds(100),
                     std::chrono::milliseconds longest = std::chrono::seconds(5))
        : first_(first), longest_(longest) {}

    std::chrono::milliseconds next();
    void reset() { pauses_ = 0; }

  private:
    std::chrono::milliseconds first_, longest_;
    int pauses_ = 0;
};

/// The failures in a row of one call, for a loop that Retry does not fit. Not thread-safe.
class Retries {
  public:
    explicit Retries(const RetryPolicy& policy)
        : policy_(policy), backoff_(policy.first_pause, policy.longest_pause) {}

    /// Counts a failure. Whether to try again: what failed passes (Error::retryable), and the policy allows
    /// it.
    bool admits(const Error& error);
    /// How long to wait before the next attempt.
    std::chrono::milliseconds pause() { return backoff_.next(); }
    /// The call got somewhere: counting begins anew.
    void succeeded() { *this = Retries(policy_); }

  private:
    RetryPolicy policy_;
    Backoff backoff_;
    std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
    int failures_ = 0, unknown_codes_ = 0;
};

/// Sleeps for `duration`, or until `stop` is requested. Returns false when stopped.
bool sleep_for(std::chrono::milliseconds duration, const std::stop_token& stop);

/// Throws `cancelled` once a stop is requested.
void throw_if_stopped(const std::stop_token& stop);

/// Tries a call again as a policy says. Thread-safe where its functions are.
struct Retry {
    RetryPolicy policy;
    std::stop_token stop = {};
    std::function<void(const Error&)> on_failure = {};  ///< before each wait
    std::function<void()> on_recovery = {};             ///< a success after a failure

    /// What `action` returns. Throws its error where that does not pass or the policy is used up, and
    /// `cancelled` where a stop is requested while it waits.
    template <class Action>
    auto operator()(Action&& action) const {
        Retries retries(policy);
        for (bool failed = false;; failed = true) {
            try {
                if constexpr (std::is_void_v<decltype(action())>) {
                    action();
                    if (failed && on_recovery) on_recovery();
                    return;
                } else {
                    auto result = action();
                    if (failed && on_recovery) on_recovery();
                    return result;
                }
            } catch (const Error& error) {
                if (!retries.admits(error)) throw;
                if (on_failure) on_failure(error);
                if (!sleep_for(retries.pause(), stop)) {
                    throw Error(error.system(), ErrorKind::cancelled,
                                std::string("Stopped while waiting for a server: ") + error.what());
                }
            }
        }
    }
};

}  // namespace crossover
