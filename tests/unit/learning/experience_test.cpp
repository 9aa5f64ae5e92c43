#include "learning/store/experience.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace crossover::learning {
namespace {

Experience sample() {
    return {
        "rl:experience:1", "Zoë \"x\"\n",        {"viewings=1-4", Action::graph}, 0.1, "viewings=5-19", true,
        std::int64_t{7},   1'700'000'000'000'042};
}

TEST(Experience, IsWrittenWithItsSpecialCharacters) {
    EXPECT_EQ(open_json(sample()),
              R"({"agent_id":"Zoë \"x\"\n","state":"viewings=1-4","action":"graph","reward":0.1,)"
              R"("done":true,"timestamp":1700000000.000042,"next_state":"viewings=5-19","media_id":7)");
    EXPECT_EQ(open_qvalue_json(sample()),
              R"({"agent_id":"Zoë \"x\"\n","state_hash":"viewings=1-4","action":"graph")");
    EXPECT_EQ(extra_json(sample()), R"({"media_id":7})");
}

TEST(Experience, WhatIsLeftOutIsLeftOut) {
    auto experience = sample();
    experience.media = {};
    experience.next_state.reset();
    const auto json = nlohmann::json::parse(open_json(experience) + "}");
    EXPECT_FALSE(json.contains("next_state"));
    EXPECT_FALSE(json.contains("media_id"));
    EXPECT_EQ(extra_json(experience), std::nullopt);
}

TEST(Experience, KeysAreOneUsersOwn) {
    EXPECT_EQ(experience_key("a", "1"), "rl:experience:feedback:a:1");
    EXPECT_NE(experience_key("a", ""), experience_key("a", ""));
    EXPECT_EQ(qvalue_key("a:b", "viewings=1-4", Action::vector), "rl:qvalue:a:b:viewings=1-4:vector");
    EXPECT_EQ(policy_key("a"), "rl:policy:a");
}

}  // namespace
}  // namespace crossover::learning
