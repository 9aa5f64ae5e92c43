#include "learning/store/bandit.h"

#include <gtest/gtest.h>

#include <string>

namespace crossover::learning {
namespace {

TEST(Learn, IsTheMeanOfTheFirstTenRewards) {
    Arm arm;
    double sum = 0;
    for (int n = 1; n <= 10; ++n) {
        const double reward = n % 2 == 0 ? 1 : -0.5;
        arm = learn(arm, reward);
        sum += reward;
        EXPECT_DOUBLE_EQ(arm.value, sum / n);
        EXPECT_EQ(arm.visits, n);
    }
}

TEST(Learn, ForgetsAfterTheFirstTen) {
    const Arm arm = learn({0.5, 10}, 1);
    EXPECT_EQ(arm.visits, 11);
    EXPECT_EQ(arm.value, 0.5 + 0.1 * 0.5);
    EXPECT_EQ(learn({0.5, 1'000'000}, -1).value, 0.5 + 0.1 * -1.5);
}

TEST(Epsilon, FallsToItsLeast) {
    EXPECT_EQ(epsilon(0), 1);
    EXPECT_EQ(epsilon(3), 0.5);
    EXPECT_EQ(epsilon(99), 0.1);
    EXPECT_EQ(epsilon(399), 0.05);
    EXPECT_EQ(epsilon(1'000'000'000), 0.05);
}

TEST(Bandit, DoesWhatIsUsualUntilSomethingIsLearnt) {
    const Bandit bandit;
    for (int user = 0; user < 100; ++user) {
        EXPECT_EQ(bandit.choose(std::to_string(user), "viewings=5-19", {}, Action::hybrid),
                  (Choice{Action::hybrid, false}));
    }
}

/// Of many users, all in the same state.
struct Shares {
    int best = 0, first = 0, second = 0;
};
Shares shares(const Bandit& bandit, const Arms& arms, Action best, int users = 10'000) {
    Shares found;
    for (int user = 0; user < users; ++user) {
        const auto choice =
            bandit.choose("user-" + std::to_string(user), "viewings=5-19", arms, Action::hybrid);
        EXPECT_EQ(choice.explored, choice.action != best);
        if (choice.action == best) {
            ++found.best;
        } else if (static_cast<int>(choice.action) == (static_cast<int>(best) + 1) % 3) {
            ++found.first;
        } else {
            ++found.second;
        }
    }
    return found;
}

TEST(Bandit, TakesTheBestAndExploresTheOthersAlike) {
    // 99 rewards: epsilon is 0.1. Four standard deviations either way.
    const auto found = shares(Bandit(), {Arm{0.2, 50}, Arm{0.7, 30}, Arm{0.3, 19}}, Action::graph);
    EXPECT_NEAR(found.best, 9'000, 120);
    EXPECT_NEAR(found.first, 500, 90);
    EXPECT_NEAR(found.second, 500, 90);
}

TEST(Bandit, WhatWasNeverTriedCountsAsZero) {
    // One bad reward: the best is now what was not tried, the first of equals where neither is usual.
    const auto found = shares(Bandit(), {Arm{}, Arm{}, Arm{-1, 9999}}, Action::vector);
    EXPECT_NEAR(found.best, 9'500, 90);
}

TEST(Bandit, ChoosesAlikeWhereverAndAsOftenAsItIsAsked) {
    const Arms arms = {Arm{0.5, 1}, Arm{0.1, 1}, Arm{0.2, 1}};
    int differently_seeded = 0;
    for (int user = 0; user < 100; ++user) {
        const auto name = std::to_string(user);
        const auto choice = Bandit(7).choose(name, "viewings=1-4", arms, Action::vector);
        EXPECT_EQ(Bandit(7).choose(name, "viewings=1-4", arms, Action::vector), choice);
        differently_seeded += Bandit(8).choose(name, "viewings=1-4", arms, Action::vector) != choice;
    }
    EXPECT_GT(differently_seeded, 20);
}

TEST(Bandit, DrawsAnewWithEachReward) {
    int explored = 0;
    for (int rewards = 1; rewards <= 1000; ++rewards) {
        explored += Bandit().choose("somebody", "viewings=1-4", {Arm{1, rewards}}, Action::vector).explored;
    }
    // The sum of all epsilons is 2 * sqrt(400) until 399, then 0.05 each: about 70.
    EXPECT_NEAR(explored, 70, 30);
}

/// The policy against users who each have one strategy that serves them better: what is learnt must be seen.
TEST(Bandit, EarnsMoreThanTheUsualAction) {
    const Bandit bandit;
    double learnt = 0, usual = 0, last_learnt = 0, last_usual = 0;
    constexpr int kUsers = 200, kRounds = 200, kLast = 50;
    for (int user = 0; user < kUsers; ++user) {
        Arms arms;
        const auto favourite = static_cast<std::size_t>(user % 3);
        const auto mean = [&](std::size_t action) { return action == favourite ? 0.8 : 0.2; };
        for (int round = 0; round < kRounds; ++round) {
            const auto name = "user-" + std::to_string(user);
            const auto choice = bandit.choose(name, "viewings=5-19", arms, Action::hybrid);
            const auto action = static_cast<std::size_t>(choice.action);
            arms[action] = learn(arms[action], mean(action));
            learnt += mean(action);
            usual += mean(static_cast<std::size_t>(Action::hybrid));
            if (round >= kRounds - kLast) {
                last_learnt += mean(action);
                last_usual += mean(static_cast<std::size_t>(Action::hybrid));
            }
        }
    }
    EXPECT_GT(learnt, 1.5 * usual);
    EXPECT_GT(last_learnt, 1.8 * last_usual);
}

}  // namespace
}  // namespace crossover::learning
