#include "redis/keyspace.h"

#include <gmock/gmock.h>

#include <set>

#include "integration/redis/servers.h"
#include "redis/key_scan.h"

namespace crossover::redis::test {
namespace {

using testing::ElementsAre;

std::set<std::string> fill(Keyspace& keyspace, const std::string& prefix, int count) {
    std::set<std::string> keys;
    Pipeline pipeline;
    for (int i = 0; i < count; ++i) {
        const auto key = prefix + std::to_string(i);
        pipeline.add({"SET", key, "v" + std::to_string(i)});
        keys.insert(key);
    }
    for (const auto& reply : keyspace.run(pipeline, soon())) EXPECT_EQ(reply.text, "OK");
    return keys;
}

std::set<std::string> walk(KeyScan& scan) {
    std::set<std::string> found;
    std::vector<std::string> keys;
    while (scan.next(keys, soon())) found.insert(keys.begin(), keys.end());
    return found;
}

TEST(Keyspace, AnswersComeInTheOrderOfTheCommands) {
    const Server server;
    Keyspace keyspace(server.address());
    EXPECT_FALSE(keyspace.is_cluster());
    EXPECT_EQ(keyspace.version().substr(0, 2), "7.");
    const std::string odd("k\0 \r\n{\xff", 7);
    Pipeline pipeline;
    pipeline.add({"SET", odd, std::string_view("\0\xff", 2)});
    pipeline.add({"GET", odd});
    pipeline.add({"HGETALL", odd});
    pipeline.add({"GET", "absent"});
    const auto replies = keyspace.run(pipeline, soon());
    ASSERT_EQ(replies.size(), 4u);
    EXPECT_EQ(replies[0].text, "OK");
    EXPECT_EQ(replies[1].text, std::string("\0\xff", 2));
    EXPECT_EQ(replies[2].error_code(), "WRONGTYPE");
    EXPECT_TRUE(replies[3].is_nil());
}

TEST(Keyspace, WalksOverAPrefixOfAnyBytes) {
    const Server server;
    Keyspace keyspace(server.address());
    const std::string prefix = "a*[x]\\?:\xff";
    const auto keys = fill(keyspace, prefix, 2'500);
    fill(keyspace, "a", 500);
    fill(keyspace, "ax:", 500);
    KeyScan scan(keyspace, glob_of_prefix(prefix), 100);
    EXPECT_EQ(walk(scan), keys);
    std::vector<std::string> more;
    EXPECT_FALSE(scan.next(more, soon()));
    KeyScan none(keyspace, "nothing:*");
    EXPECT_THAT(walk(none), testing::IsEmpty());
}

TEST(Keyspace, AWalkBeginsAnewBehindALostConnection) {
    Server server({"appendonly yes", "appendfsync always"});
    Keyspace keyspace(server.address());
    const auto keys = fill(keyspace, "k:", 20'000);
    KeyScan scan(keyspace, "k:*", 100);
    std::set<std::string> found;
    std::vector<std::string> page;
    while (found.size() < 10'000 && scan.next(page, soon())) found.insert(page.begin(), page.end());
    // Another process, with another hash seed: the former cursor would lead past about half of what is left.
    server.kill();
    EXPECT_TRUE(error_of([&] { scan.next(page, soon()); }).retryable());
    server.start();
    ASSERT_TRUE(eventually([&] {
        return !keyspace
                    .run(
                        [] {
                            Pipeline ping;
                            ping.add({"PING"});
                            return ping;
                        }(),
                        soon())
                    .at(0)
                    .is_error();
    }));
    const auto rest = walk(scan);
    found.insert(rest.begin(), rest.end());
    EXPECT_EQ(found, keys);
}

TEST(Keyspace, AConnectionThatAnotherCallLostAlsoBeginsAWalkAnew) {
    const Server server;
    Keyspace keyspace(server.address());
    const auto keys = fill(keyspace, "k:", 5'000);
    KeyScan scan(keyspace, "k:*", 100);
    std::vector<std::string> page;
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(scan.next(page, soon()));
    server.connect()->call({"CLIENT", "KILL", "TYPE", "normal"});
    const std::vector<std::string> one{"k:1"};
    EXPECT_TRUE(error_of([&] { texts_of(keyspace, one); }).retryable());
    EXPECT_EQ(texts_of(keyspace, one).at(0), "v1");
    EXPECT_EQ(walk(scan), keys);
}

TEST(Keyspace, LoadsAScriptAgainWhereItWasLost) {
    const Server server;
    Keyspace keyspace(server.address());
    const auto digest = keyspace.load_script("return redis.call('SET', KEYS[1], ARGV[1])", soon());
    Pipeline pipeline;
    for (const char* key : {"a", "b"}) pipeline.add({"EVALSHA", digest, "1", key, "1"}, 3);
    server.connect()->call({"SCRIPT", "FLUSH"});
    for (const auto& reply : keyspace.run(pipeline, soon())) EXPECT_EQ(reply.text, "OK");
    Pipeline unknown;
    unknown.add({"EVALSHA", std::string(40, 'a'), "1", "k"}, 3);
    EXPECT_EQ(keyspace.run(unknown, soon()).at(0).error_code(), "NOSCRIPT");
}

TEST(Keyspace, RefusalsAreValuesOfTheirCommands) {
    const Server server;
    Keyspace keyspace(server.address());
    Pipeline pipeline;
    pipeline.add({"SET", "k", "1"});
    pipeline.add({"HSET", "k", "f", "v"});
    pipeline.add({"GET", "k"});
    const auto replies = keyspace.run(pipeline, soon());
    EXPECT_EQ(replies[0].text, "OK");
    EXPECT_EQ(replies[1].error_code(), "WRONGTYPE");
    EXPECT_EQ(replies[2].text, "1");
}

}  // namespace
}  // namespace crossover::redis::test
