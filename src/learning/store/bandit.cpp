#include "learning/store/bandit.h"

#include <algorithm>
#include <cmath>

namespace crossover::learning {

namespace {

/// FNV-1a, then splitmix64's finish: the same on every machine and in every version.
class Hash {
  public:
    explicit Hash(std::uint64_t seed) { add(seed); }
    void add(std::uint64_t number) {
        for (int shift = 0; shift < 64; shift += 8) step(static_cast<unsigned char>(number >> shift));
    }
    void add(std::string_view text) {
        add(text.size());
        for (const char c : text) step(static_cast<unsigned char>(c));
    }
    std::uint64_t finish() const {
        std::uint64_t z = state_ + 0x9e3779b97f4a7c15;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }

  private:
    void step(unsigned char byte) { state_ = (state_ ^ byte) * 0x100000001b3; }
    std::uint64_t state_ = 0xcbf29ce484222325;
};

Action best_of(const Arms& arms, Action usual) {
    auto best = static_cast<std::size_t>(usual);
    for (std::size_t i = 0; i < arms.size(); ++i) {
        if (arms[i].value > arms[best].value) best = i;
    }
    return static_cast<Action>(best);
}

}  // namespace

Arm learn(Arm arm, double reward) {
    const double step = std::max(1.0 / static_cast<double>(arm.visits + 1), kLeastStep);
    return {arm.value + step * (reward - arm.value), arm.visits + 1};
}

double epsilon(std::int64_t rewards) {
    return std::max(1 / std::sqrt(1 + static_cast<double>(rewards)), kLeastEpsilon);
}

Choice Bandit::choose(std::string_view user, std::string_view state, const Arms& arms, Action usual) const {
    std::int64_t rewards = 0;
    for (const auto& arm : arms) rewards += arm.visits;
    if (rewards == 0) return {usual, false};
    Hash hash(seed_);
    hash.add(user);
    hash.add(state);
    hash.add(static_cast<std::uint64_t>(rewards));
    const std::uint64_t drawn = hash.finish();
    const Action best = best_of(arms, usual);
    // The upper bits say whether, the lowest which.
    if (static_cast<double>(drawn >> 11) * 0x1p-53 >= epsilon(rewards)) return {best, false};
    const auto other = (static_cast<std::size_t>(best) + 1 + (drawn & 1)) % kActions;
    return {static_cast<Action>(other), true};
}

}  // namespace crossover::learning
