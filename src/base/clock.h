#pragma once

#include <chrono>
#include <cstdint>

namespace crossover {

/// Milliseconds since the Unix epoch, now, by this machine's clock.
inline std::int64_t unix_ms() {
    using namespace std::chrono;
    return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

/// Microseconds likewise.
inline std::int64_t unix_us() {
    using namespace std::chrono;
    return duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
}

}  // namespace crossover
