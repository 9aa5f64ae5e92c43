#include "learning/store/decision.h"

#include <gtest/gtest.h>

namespace crossover::learning {
namespace {

TEST(State, IsByViewings) {
    EXPECT_EQ(state_of(-1), std::nullopt);
    EXPECT_EQ(state_of(0), std::nullopt);
    EXPECT_EQ(state_of(1), 0);
    EXPECT_EQ(state_of(4), 0);
    EXPECT_EQ(state_of(5), 1);
    EXPECT_EQ(state_of(19), 1);
    EXPECT_EQ(state_of(20), 2);
    EXPECT_EQ(usual_action(0), Action::vector);
    EXPECT_EQ(usual_action(1), Action::hybrid);
    EXPECT_EQ(usual_action(2), Action::hybrid);
    for (const auto state : kStates) EXPECT_TRUE(is_state_name(state));
}

TEST(Decision, IsReadAsWritten) {
    for (const auto state : kStates) {
        for (const auto action : {Action::vector, Action::graph, Action::hybrid}) {
            const Decision decision{std::string(state), action};
            EXPECT_EQ(parse_decision(to_string(decision)), decision);
        }
    }
    EXPECT_EQ(to_string(Decision{"viewings=5-19", Action::hybrid}), "viewings=5-19/hybrid");
}

TEST(Decision, AnythingElseIsNone) {
    for (const char* text : {"", "/", "/hybrid", "viewings=5-19", "viewings=5-19/", "viewings=5-19/best",
                             "viewings=5-19/hybrid ", "a:b/hybrid", "a b/hybrid", "a/b/hybrid", "ä/hybrid"}) {
        EXPECT_EQ(parse_decision(text), std::nullopt) << text;
    }
    EXPECT_EQ(parse_decision(std::string(65, 'a') + "/graph"), std::nullopt);
    EXPECT_TRUE(parse_decision(std::string(64, 'a') + "/graph"));
}

}  // namespace
}  // namespace crossover::learning
