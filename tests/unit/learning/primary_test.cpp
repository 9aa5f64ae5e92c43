#include <gtest/gtest.h>

#include "learning/handover/handover.h"

namespace crossover::learning {
namespace {

using Control = RedisStore::Control;
using State = PostgresStore::State;

struct Case {
    std::optional<std::string> redis;
    Primary postgres;
    Primary believed;
    bool unfinished;
};

/// Every line of the protocol, and the ways in which Redis may have lost something.
TEST(Primary, IsTakenFromBothStores) {
    const std::vector<Case> cases = {
        {std::nullopt, Primary::redis, Primary::redis, false},
        {"redis", Primary::redis, Primary::redis, false},
        {"moving", Primary::redis, Primary::moving, true},
        {"moving", Primary::postgres, Primary::postgres, true},
        {"postgres:3", Primary::postgres, Primary::postgres, false},
        {"postgres:3", Primary::moving, Primary::moving, true},
        {"redis", Primary::moving, Primary::redis, true},
        {std::nullopt, Primary::postgres, Primary::postgres, true},
        {std::nullopt, Primary::moving, Primary::moving, true},
        {"redis", Primary::postgres, Primary::postgres, true},
        {"postgres:2", Primary::postgres, Primary::postgres, true},
        {"postgres:3", Primary::redis, Primary::moving, true},
    };
    for (const auto& one : cases) {
        const Control control{one.redis, 0, false};
        const State state{one.postgres, 3, std::nullopt};
        const auto name = one.redis.value_or("absent") + ", " + std::string(to_string(one.postgres));
        EXPECT_EQ(primary_of(control, state, Primary::redis), one.believed) << name;
        EXPECT_EQ(unfinished(control, state), one.unfinished) << name;
    }
}

TEST(Primary, OneStoreIsBelievedWhileTheOtherIsAway) {
    EXPECT_EQ(primary_of(std::nullopt, State{Primary::postgres, 1, {}}, Primary::redis), Primary::postgres);
    EXPECT_EQ(primary_of(Control{"postgres:1", 0, false}, std::nullopt, Primary::redis), Primary::postgres);
    EXPECT_EQ(primary_of(Control{"moving", 0, false}, std::nullopt, Primary::redis), Primary::moving);
    EXPECT_EQ(primary_of(std::nullopt, std::nullopt, Primary::postgres), Primary::postgres);
    EXPECT_FALSE(unfinished(std::nullopt, State{Primary::moving, 1, {}}));
}

TEST(Mode, FollowsThePrimary) {
    EXPECT_EQ(in_effect(Mode::redis, Primary::redis), Mode::redis);
    EXPECT_EQ(in_effect(Mode::dual, Primary::redis), Mode::dual);
    EXPECT_EQ(in_effect(Mode::postgres, Primary::redis), Mode::dual);
    for (const auto wanted : {Mode::redis, Mode::dual, Mode::postgres}) {
        EXPECT_EQ(in_effect(wanted, Primary::postgres), Mode::postgres);
        EXPECT_EQ(parse_mode(to_string(wanted)), wanted);
    }
    EXPECT_EQ(parse_mode("postgresql"), std::nullopt);
}

}  // namespace
}  // namespace crossover::learning
