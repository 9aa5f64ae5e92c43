#include "engine/standstill.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"

namespace crossover::engine {

void Standstill::moved() {
    since_.reset();
    last_.clear();
}

bool Standstill::is_news(const Error& error, Clock::time_point now) {
    if (!since_) since_ = now;
    if (now - *since_ >= longest_) {
        throw Error(error.system(), error.kind(),
                    fmt::format("No progress for {}: {}", counted(longest_.count(), "minute", "minutes"),
                                error.what()),
                    error.native_code(), error.server_words());
    }
    return std::exchange(last_, error.what()) != error.what();
}

}  // namespace crossover::engine
