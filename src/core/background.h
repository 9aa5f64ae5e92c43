#pragma once

#include <chrono>
#include <functional>
#include <stop_token>
#include <string>
#include <thread>

namespace crossover {

/// A thread that lives until it is asked to stop, or until `work` returns. Whatever `work` throws is logged
/// (`event=background_failure thread=… error=…`), and after a pause `work` begins anew: a thread behind the
/// requests may fail at what it does, but must not take the service with it. `name` tells which it is.
std::jthread in_background(std::string name, std::function<void(const std::stop_token&)> work,
                           std::chrono::milliseconds pause = std::chrono::seconds(1));

}  // namespace crossover
