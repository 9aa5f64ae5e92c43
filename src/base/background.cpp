#include "base/background.h"

#include <exception>
#include <utility>

#include "base/retry.h"

namespace crossover {

namespace {

void tell(const OnBackgroundFailure& on_failure, std::string_view thread, std::string_view error) noexcept {
    try {
        on_failure(thread, error);
    } catch (...) {
        // No memory for a line: going on matters more.
    }
}

}  // namespace

std::jthread in_background(std::string name, std::function<void(const std::stop_token&)> work,
                           OnBackgroundFailure on_failure, std::chrono::milliseconds pause) {
    return std::jthread([name = std::move(name), work = std::move(work), on_failure = std::move(on_failure),
                         pause](const std::stop_token& stop) {
        do {
            try {
                return work(stop);
            } catch (const std::exception& error) {
                tell(on_failure, name, error.what());
            } catch (...) {
                tell(on_failure, name, "an exception of no known type");
            }
        } while (sleep_for(pause, stop));
    });
}

}  // namespace crossover
