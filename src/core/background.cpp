#include "core/background.h"

#include <exception>
#include <utility>

#include "core/logging.h"
#include "core/retry.h"

namespace crossover {

namespace {

void log_failure(const std::string& name, const char* error) noexcept {
    try {
        log_event(LogLevel::error, "background_failure", {{"thread", name}, {"error", error}});
    } catch (...) {
        // No memory for a line: going on matters more.
    }
}

}  // namespace

std::jthread in_background(std::string name, std::function<void(const std::stop_token&)> work,
                           std::chrono::milliseconds pause) {
    return std::jthread([name = std::move(name), work = std::move(work), pause](const std::stop_token& stop) {
        do {
            try {
                return work(stop);
            } catch (const std::exception& error) {
                log_failure(name, error.what());
            } catch (...) {
                log_failure(name, "an exception of no known type");
            }
        } while (sleep_for(pause, stop));
    });
}

}  // namespace crossover
