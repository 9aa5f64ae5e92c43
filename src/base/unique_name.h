#pragma once

#include <string>

namespace crossover {

/// 32 hexadecimal digits that were never given before, in this process or another. Thread-safe.
std::string unique_name();

}  // namespace crossover
