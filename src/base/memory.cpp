#include "base/memory.h"

#include <charconv>
#include <fstream>
#include <string>

namespace crossover {

std::int64_t peak_memory_bytes() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (!line.starts_with("VmHWM:")) continue;
        const auto digits = line.find_first_of("0123456789");
        std::int64_t kibibytes = 0;
        if (digits != std::string::npos) {
            std::from_chars(line.data() + digits, line.data() + line.size(), kibibytes);
        }
        return kibibytes * 1024;
    }
    return 0;
}

}  // namespace crossover
