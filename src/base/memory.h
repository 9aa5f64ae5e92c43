#pragma once

#include <cstdint>

namespace crossover {

/// The most memory that this process has had in use at once, in bytes: the high-water mark of its resident
/// set. (getrusage() would do, but for what it inherits from the process that started this one.)
/// 0 where the kernel does not say.
std::int64_t peak_memory_bytes();

}  // namespace crossover
