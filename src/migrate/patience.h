#pragma once

#include <stop_token>
#include <utility>

#include "core/error.h"
#include "core/patience.h"
#include "core/retry.h"

namespace crossover::migrate {

/// Attempts of a read before its error is final; with the back-off's cap, about half a minute of a server
/// being away.
inline constexpr int kReadAttempts = 10;

/// Calls `read`, again after errors that pass, a bounded number of times. Reads only: a write whose outcome
/// is unknown must not simply be repeated.
template <class Read>
auto with_patience(const std::stop_token& stop, Read&& read) {
    Backoff backoff;
    Patience patience;
    for (;;) {
        try {
            return std::forward<Read>(read)();
        } catch (const Error& error) {
            if (!patience.has_for(error) || backoff.attempts() + 1 >= kReadAttempts) throw;
            if (!sleep_for(backoff.next(), stop)) throw;
        }
    }
}

}  // namespace crossover::migrate
