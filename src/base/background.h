#pragma once

#include <chrono>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>

namespace crossover {

/// Hears what a thread's work has thrown. It may throw itself: then nobody hears of it.
using OnBackgroundFailure = std::function<void(std::string_view thread, std::string_view error)>;

/// A thread that lives until it is asked to stop, or until `work` returns. Whatever `work` throws goes to
/// `on_failure`, and after a pause `work` begins anew: a thread behind the requests may fail at what it does,
/// but must not take the service with it. `name` tells which it is.
std::jthread in_background(std::string name, std::function<void(const std::stop_token&)> work,
                           OnBackgroundFailure on_failure,
                           std::chrono::milliseconds pause = std::chrono::seconds(1));

}  // namespace crossover
