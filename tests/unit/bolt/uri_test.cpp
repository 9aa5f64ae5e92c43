#include "bolt/uri.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "unit/bolt/fake_server.h"

namespace crossover::bolt::test {
namespace {

TEST(UriTest, ReadsEachScheme) {
    struct Case {
        const char* text;
        bool routing;
        Encryption encryption;
    };
    for (const Case& each :
         {Case{"bolt://h", false, Encryption::none}, Case{"bolt+s://h", false, Encryption::verified},
          Case{"bolt+ssc://h", false, Encryption::any_certificate}, Case{"neo4j://h", true, Encryption::none},
          Case{"neo4j+s://h", true, Encryption::verified},
          Case{"neo4j+ssc://h", true, Encryption::any_certificate}}) {
        const Uri uri = parse_uri(each.text);
        EXPECT_EQ(uri.routing, each.routing) << each.text;
        EXPECT_EQ(uri.encryption, each.encryption) << each.text;
        EXPECT_EQ(uri.address, (Address{"h", 7687})) << each.text;
    }
}

TEST(UriTest, ReadsHostsAndPorts) {
    EXPECT_EQ(parse_uri("bolt://db.example.org:17687").address, (Address{"db.example.org", 17687}));
    EXPECT_EQ(parse_uri("bolt://127.0.0.1/").address, (Address{"127.0.0.1", 7687}));
    const Uri ipv6 = parse_uri("bolt://[::1]:7688");
    EXPECT_EQ(ipv6.address, (Address{"::1", 7688}));
    EXPECT_EQ(to_string(ipv6.address), "[::1]:7688");
}

TEST(UriTest, TakesTheRoutingContextFromTheQuery) {
    const Uri uri = parse_uri("neo4j://h:1?policy=eu&region=a%20b");
    EXPECT_EQ(uri.routing_context, (Map{{"address", "h:1"}, {"policy", "eu"}, {"region", "a b"}}));
    EXPECT_EQ(parse_uri("neo4j://h?flag&empty=&sum=a=b&&%20=+").routing_context,
              (Map{{"address", "h:7687"}, {"flag", ""}, {"empty", ""}, {"sum", "a=b"}, {" ", "+"}}));
    EXPECT_TRUE(parse_uri("bolt://h").routing_context.empty());
}

TEST(UriTest, SaysWhatIsWrong) {
    const std::pair<const char*, const char*> cases[] = {
        {"http://h:7474", "http://h:7474 is no Neo4j URI: its scheme is not bolt"},
        {"localhost:7687", "is no Neo4j URI"},
        {"bolt://", "no host"},
        {"bolt://h:0", "port"},
        {"bolt://h:99999", "port"},
        {"bolt://h/movies", "NEO4J_DATABASE"},
        {"bolt://h?policy=eu", "neo4j://"},
        {"", "is no Neo4j URI"},
    };
    for (const auto& [text, part] : cases) {
        const auto error = error_of([&] { parse_uri(text); });
        ASSERT_TRUE(error) << text;
        EXPECT_EQ(error->kind(), ErrorKind::usage) << text;
        EXPECT_THAT(error->what(), testing::HasSubstr(part)) << text;
    }
}

TEST(UriTest, NeverRepeatsAPassword) {
    for (const char* text : {"bolt://neo4j:s3cret@h", "http://neo4j:s3cret@h", "bolt://neo4j:s3cret@h:x"}) {
        const auto error = error_of([&] { parse_uri(text); });
        ASSERT_TRUE(error) << text;
        EXPECT_THAT(error->what(), testing::Not(testing::HasSubstr("s3cret")));
    }
}

TEST(UriTest, ReadsAddressesOfRoutingTables) {
    EXPECT_EQ(parse_address("core-1:7690"), (Address{"core-1", 7690}));
    EXPECT_EQ(parse_address("[fd00::2]:7690"), (Address{"fd00::2", 7690}));
    EXPECT_EQ(parse_address("core-1"), (Address{"core-1", 7687}));
    EXPECT_EQ(error_of([] { parse_address("core-1:70000"); })->kind(), ErrorKind::protocol);
    EXPECT_EQ(error_of([] { parse_address(":1"); })->kind(), ErrorKind::protocol);
}

}  // namespace
}  // namespace crossover::bolt::test
