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

/// Seconds from a moment of the monotonic clock until now.
inline double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace crossover
