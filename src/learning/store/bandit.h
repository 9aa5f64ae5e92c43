#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "learning/store/decision.h"

/// The policy by which users' strategies are chosen and learnt: an epsilon-greedy bandit for each user and
/// state. docs/operations/learning.md says why.
namespace crossover::learning {

/// What has been learnt of one action in one state: the Q value, and how many rewards are in it.
struct Arm {
    double value = 0;
    std::int64_t visits = 0;

    bool operator==(const Arm&) const = default;
};
using Arms = std::array<Arm, kActions>;

inline constexpr double kLeastReward = -1, kGreatestReward = 1;
/// The newest reward never counts for less, so that a taste that changes is followed.
inline constexpr double kLeastStep = 0.1;
inline constexpr double kLeastEpsilon = 0.05;

/// The arm after one more reward: a mean of all for the first ten, then one that forgets. Both stores
/// compute the same, to the bit: value + step * (reward - value), step = max(1 / (visits + 1), kLeastStep).
Arm learn(Arm arm, double reward);

/// The share of choices that explore, after so many rewards in a state: max(1 / sqrt(1 + n), kLeastEpsilon).
double epsilon(std::int64_t rewards);

struct Choice {
    Action action = Action::vector;
    bool explored = false;  ///< not what seems best, to learn more of another

    bool operator==(const Choice&) const = default;
};

/// Pure: the draw is a hash of the seed, the user, the state and the number of rewards so far, so that all
/// replicas choose alike, and a question is answered the same until something is learnt.
class Bandit {
  public:
    explicit Bandit(std::uint64_t seed = 0x63726f73736f7665) : seed_(seed) {}

    /// Without any reward the usual action; else, with probability epsilon, one of the other two, or the one
    /// with the greatest value: among equals the usual one, then the first.
    Choice choose(std::string_view user, std::string_view state, const Arms& arms, Action usual) const;

  private:
    std::uint64_t seed_;
};

}  // namespace crossover::learning
