#include "learning/copy/stores.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "integration/redis/servers.h"

namespace crossover::learning {
namespace {

TEST(Stores, AValueIsReadOnceThoughTheConnectionIsLostMidway) {
    redis::test::Server server;
    redis::Keyspace admin(server.address());
    std::vector<std::string> keys;
    redis::Pipeline pipeline;
    for (int n = 0; n < 2'000; ++n) {
        keys.push_back("rl:policy:" + std::to_string(n));
        pipeline.add({"SET", keys.back(), "x"});
    }
    admin.run(pipeline, call_deadline());

    CopyOptions options;
    options.redis = server.address();
    std::vector<std::string> states;
    ProgressReport progress([&](const CopyProgress& now) { states.push_back(now.state); });
    progress.begin("reading");
    Stores stores(options, {}, progress);
    std::vector<std::string> read;
    stores.read(keys, [&](Source&& source) {
        read.push_back(source.key);
        if (read.size() != 700) return;
        redis::Pipeline kill;
        kill.add({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
        ASSERT_EQ(admin.run(kill, call_deadline()).front().integer, 1);
    });
    EXPECT_EQ(progress.errors(), 1);
    ASSERT_EQ(states.size(), 3u);
    EXPECT_TRUE(states[1].starts_with("waiting for Redis: ")) << states[1];
    EXPECT_EQ(states[2], "reading") << "the wait is over";
    std::sort(keys.begin(), keys.end());
    std::sort(read.begin(), read.end());
    EXPECT_EQ(read, keys);
}

TEST(Stores, WhatTheSinkThrowsEndsTheReadThoughItWouldPassElsewhere) {
    redis::test::Server server;
    CopyOptions options;
    options.redis = server.address();
    ProgressReport progress({});
    Stores stores(options, {}, progress);
    const std::vector<std::string> keys = {"rl:policy:1", "rl:policy:2"};
    int called = 0;
    EXPECT_THROW(stores.read(keys,
                             [&](Source&&) {
                                 if (++called == 1)
                                     throw Error(System::postgres, ErrorKind::unreachable, "away");
                             }),
                 Error);
    EXPECT_EQ(called, 1);
    EXPECT_EQ(progress.errors(), 0);
}

TEST(Stores, WhatDoesNotPassIsThrownAtOnce) {
    redis::test::Server server;
    CopyOptions options;
    options.redis = server.address();
    options.postgres_url = std::getenv("DATABASE_URL");
    ProgressReport progress({});
    Stores stores(options, {}, progress);
    EXPECT_THROW(stores.postgres(
                     [](postgres::Connection&) { throw Error(System::postgres, ErrorKind::conflict, "no"); }),
                 Error);
    EXPECT_EQ(stores.postgres([](postgres::Connection& session) {
        return std::string(session.exec("SELECT 1", call_deadline()).value(0, 0));
    }),
              "1");
    EXPECT_EQ(progress.errors(), 0);
}

}  // namespace
}  // namespace crossover::learning
