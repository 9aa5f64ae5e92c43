#include "redis/cluster.h"

#include <gmock/gmock.h>

#include "redis/key_scan.h"

namespace crossover::redis {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

TEST(KeySlot, AsRedisCountsThem) {
    // CLUSTER KEYSLOT of Redis 7.0.15.
    EXPECT_EQ(key_slot("123456789"), 0x31C3u);
    EXPECT_EQ(key_slot("foo"), 12182u);
    EXPECT_EQ(key_slot(""), 0u);
}

TEST(KeySlot, AHashTagSpeaksForItsKey) {
    EXPECT_EQ(key_slot("{user1000}.following"), key_slot("user1000"));
    EXPECT_EQ(key_slot("rl:agent:{a}"), key_slot("a"));
    EXPECT_EQ(key_slot("foo{{bar}}zap"), key_slot("{bar"));
    EXPECT_EQ(key_slot("foo{bar}{zap}"), key_slot("bar"));
    EXPECT_NE(key_slot("foo{}{bar}"), key_slot("bar")) << "an empty tag is none";
    EXPECT_NE(key_slot("foo{bar"), key_slot("bar"));
}

TEST(ClusterNodes, AreRead) {
    const auto nodes = parse_cluster_nodes(
        "aa 127.0.0.1:7001@17001,host.one myself,master - 0 0 12 connected 0-5460 9000 [93->-bb] [77-<-bb]\n"
        "bb ::1:7002@17002 master,fail - 1 2 0 disconnected\n"
        "cc :7003@17003,,shard-id=x slave,noaddr aa 1 2 3 connected\r\n");
    ASSERT_TRUE(nodes);
    ASSERT_EQ(nodes->size(), 3u);
    const auto& one = nodes->at(0);
    EXPECT_EQ(one.id, "aa");
    EXPECT_EQ(one.ip, "127.0.0.1");
    EXPECT_EQ(one.hostname, "host.one");
    EXPECT_EQ(one.port, 7001);
    EXPECT_TRUE(one.master && one.myself && !one.failed);
    EXPECT_EQ(one.config_epoch, 12u);
    EXPECT_THAT(one.slots, ElementsAre(Pair(0, 5460), Pair(9000, 9000)));
    EXPECT_THAT(one.migrating, ElementsAre(93));
    EXPECT_THAT(one.importing, ElementsAre(77));
    EXPECT_EQ(nodes->at(1).ip, "::1");
    EXPECT_TRUE(nodes->at(1).master && nodes->at(1).failed);
    EXPECT_THAT(nodes->at(1).slots, IsEmpty());
    EXPECT_EQ(nodes->at(2).ip, "");
    EXPECT_EQ(nodes->at(2).hostname, "");
    EXPECT_TRUE(!nodes->at(2).master && nodes->at(2).failed);
}

TEST(ClusterNodes, GarbageIsRefused) {
    for (const char* text :
         {"x", "aa 127.0.0.1 master - 0 0 1 connected", "aa h:1@2 master - 0 0 x connected",
          "aa h:1@2 master - 0 0 1 connected 0-16384", "aa h:1@2 master - 0 0 1 connected 5-4",
          "aa h:1@2 master - 0 0 1 connected [99999->-bb]", "aa h:1@2 master - 0 0 1 connected [1-", " \n"}) {
        EXPECT_FALSE(parse_cluster_nodes(text)) << text;
    }
    EXPECT_THAT(parse_cluster_nodes("").value(), IsEmpty());
}

Reply refusal(const char* text) {
    Reply reply;
    reply.kind = Reply::Kind::error;
    reply.text = text;
    return reply;
}

TEST(Redirection, IsRead) {
    const auto moved = parse_redirection(refusal("MOVED 3999 127.0.0.1:6381"));
    ASSERT_TRUE(moved);
    EXPECT_FALSE(moved->ask);
    EXPECT_EQ(moved->slot, 3999u);
    EXPECT_EQ(moved->host, "127.0.0.1");
    EXPECT_EQ(moved->port, 6381);
    const auto ask = parse_redirection(refusal("ASK 1 ::1:7"));
    ASSERT_TRUE(ask);
    EXPECT_TRUE(ask->ask);
    EXPECT_EQ(ask->host, "::1");
    EXPECT_EQ(parse_redirection(refusal("MOVED 1 :7"))->host, "");
    for (const char* text : {"MOVED", "MOVED x h:1", "MOVED 16384 h:1", "MOVED 1 h", "MOVED 1 h:0",
                             "MOVED 1 h:65536", "ERR MOVED 1 h:1"})
        EXPECT_FALSE(parse_redirection(refusal(text))) << text;
}

TEST(GlobOfPrefix, EscapesWhatAGlobWouldMean) {
    EXPECT_EQ(glob_of_prefix("rl:agent:"), "rl:agent:*");
    EXPECT_EQ(glob_of_prefix("a*?[b]\\^-"), "a\\*\\?\\[b\\]\\\\^-*");
    EXPECT_EQ(glob_of_prefix(std::string_view("\0\n\xff", 3)), std::string("\0\n\xff*", 4));
    EXPECT_EQ(glob_of_prefix(""), "*");
}

}  // namespace
}  // namespace crossover::redis
