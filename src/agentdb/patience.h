#pragma once

#include <chrono>
#include <functional>
#include <stop_token>
#include <string>
#include <type_traits>

#include "core/deadline.h"
#include "core/error.h"
#include "core/retry.h"

namespace crossover::agentdb {

/// How long servers that fail are waited for, and who hears of it. Shared by the threads of a command.
struct Patience {
    std::chrono::seconds limit{120};  ///< without one success
    std::stop_token stop;
    std::function<void(const Error&)> on_wait;
    std::function<void()> on_waited;  ///< a success after a failure

    /// Throws `cancelled` once a stop is requested.
    void check_stop() const {
        if (stop.stop_requested()) throw Error(System::internal, ErrorKind::cancelled, "Stopped on request.");
    }

    /// Calls `action` until it succeeds or throws an error that does not pass. The last one is thrown when
    /// the limit is over, `cancelled` when a stop is requested.
    template <class Action>
    auto ride_out(Action&& action) const {
        const auto end = Deadline::after(limit);
        Backoff backoff(std::chrono::milliseconds(50), std::chrono::seconds(2));
        for (bool failed = false;; failed = true) {
            try {
                if constexpr (std::is_void_v<decltype(action())>) {
                    action();
                    if (failed && on_waited) on_waited();
                    return;
                } else {
                    auto result = action();
                    if (failed && on_waited) on_waited();
                    return result;
                }
            } catch (const Error& error) {
                if (!error.retryable() || end.passed()) throw;
                if (on_wait) on_wait(error);
                if (!sleep_for(backoff.next(), stop)) {
                    throw Error(error.system(), ErrorKind::cancelled,
                                std::string("Stopped while waiting for a server: ") + error.what());
                }
            }
        }
    }
};

/// For one call of either server.
inline Deadline call_deadline() {
    return Deadline::after(std::chrono::seconds(60));
}

}  // namespace crossover::agentdb
