#include "base/unique_name.h"

#include <fmt/format.h>

#include <random>

namespace crossover {

std::string unique_name() {
    thread_local std::mt19937_64 random = [] {
        std::random_device device;
        std::seed_seq seed{device(), device(), device(), device(), device(), device(), device(), device()};
        return std::mt19937_64(seed);
    }();
    return fmt::format("{:016x}{:016x}", random(), random());
}

}  // namespace crossover
