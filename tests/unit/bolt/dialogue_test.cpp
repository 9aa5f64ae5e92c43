#include <gmock/gmock.h>

#include "unit/bolt/fake_server.h"

/// What goes over the wire, byte by byte, in each version.
namespace crossover::bolt::test {
namespace {

using testing::ElementsAre;
using testing::StartsWith;

std::string hex_of(std::uint8_t tag, Map map) {
    const Value value(std::move(map));
    return to_hex(message(tag, &value));
}

const Map kAuth{{"scheme", "basic"}, {"principal", "neo4j"}, {"credentials", "s3cret"}};
const Map kAgent{{"product", "crossover-bolt/0.1.0"}, {"language", "C++/20"}};

class DialogueTest : public testing::TestWithParam<std::pair<Version, bool>> {};

TEST_P(DialogueTest, IsWhatTheVersionDemands) {
    FakeServer server;
    std::tie(server.version, server.manifest) = GetParam();
    {
        Driver driver = make_driver(server);
        Session session = driver.session({.database = "neo4j", .access = AccessMode::read, .fetch_size = 2});
        Result result = session.run("RETURN 1");
        std::vector<std::int64_t> seen;
        while (const auto row = result.next()) seen.push_back(row->get<std::int64_t>("n"));
        EXPECT_THAT(seen, ElementsAre(0, 1, 2));
        EXPECT_THAT(session.last_bookmarks(), ElementsAre("auto"));
    }
    Map hello{{"user_agent", "crossover/0.1.0"}};
    std::vector<std::string> expected;
    if (server.version >= Version{5, 3}) hello.append("bolt_agent", kAgent);
    if (server.version < Version{5, 1}) {
        for (const auto& [key, value] : kAuth) hello.append(key, value);
    }
    expected.push_back(hex_of(kHello, hello));
    if (server.version >= Version{5, 1}) expected.push_back(hex_of(kLogon, kAuth));
    // RUN "RETURN 1" {} {"db": "neo4j", "mode": "r", "tx_timeout": 604800000}
    expected.push_back(
        "B3 10 88 52 45 54 55 52 4E 20 31 A0 A3 82 64 62 85 6E 65 6F 34 6A 84 6D 6F 64 65 81 72 8A 74 78 5F "
        "74 "
        "69 6D 65 6F 75 74 CA 24 0C 84 00");
    expected.push_back("B1 3F A1 81 6E 02");  // PULL 2, at once
    expected.push_back("B1 3F A1 81 6E 02");  // PULL 2, once the first two were taken
    expected.push_back("B0 02");
    EXPECT_EQ(server.log, expected);
}

INSTANTIATE_TEST_SUITE_P(Versions, DialogueTest,
                         testing::Values(std::pair{Version{5, 0}, false}, std::pair{Version{5, 1}, false},
                                         std::pair{Version{5, 3}, false}, std::pair{Version{5, 4}, false},
                                         std::pair{Version{5, 7}, true}, std::pair{Version{5, 8}, true},
                                         std::pair{Version{6, 0}, true}),
                         [](const auto& info) {
                             return "v" + std::to_string(info.param.first.major) + "_" +
                                    std::to_string(info.param.first.minor);
                         });

TEST(DialogueTest, SurvivesAnyFragmentation) {
    for (std::size_t limit = 1; limit < 40; ++limit) {
        FakeServer server;
        server.read_limit = limit;
        Driver driver = make_driver(server);
        EXPECT_EQ(driver.session().run("RETURN 1").collect().size(), 3u) << limit;
    }
}

TEST(DialogueTest, ANegotiatedVersionIsReported) {
    FakeServer server;
    server.version = {6, 0};
    Driver driver = make_driver(server);
    const ServerInfo info = driver.verify_connectivity("movies", Deadline::after(std::chrono::seconds(5)));
    EXPECT_EQ(info.agent, "Neo4j/5.26.0");
    EXPECT_EQ(info.bolt, (Version{6, 0}));
    EXPECT_EQ(info.address, "fake:7687");
    EXPECT_EQ(server.count(kBegin), 1);
}

TEST(DialogueTest, TransactionsBeginCommitAndChainBookmarks) {
    FakeServer server;
    Driver driver = make_driver(server, {.longest_transaction = std::chrono::milliseconds(1500)});
    Session session = driver.session({.bookmarks = {"given"}});
    EXPECT_THAT(session.last_bookmarks(), ElementsAre("given"));
    Transaction transaction = session.begin();
    transaction.run("CREATE (n)").consume();
    transaction.commit();
    EXPECT_FALSE(transaction.open());
    EXPECT_THAT(session.last_bookmarks(), ElementsAre("committed"));
    session.begin().rollback();
    server.log.erase(server.log.begin(), server.log.begin() + 2);
    EXPECT_THAT(
        server.log,
        ElementsAre(hex_of(kBegin, {{"bookmarks", List{"given"}}, {"tx_timeout", 1500}}), StartsWith("B3 10"),
                    StartsWith("B1 3F"), "B0 12",
                    hex_of(kBegin, {{"bookmarks", List{"committed"}}, {"tx_timeout", 1500}}), "B0 13"));
}

TEST(DialogueTest, RoutingUrisSendTheirContext) {
    FakeServer server;
    Driver driver = make_driver(server, {}, "neo4j://fake:7687?policy=eu");
    driver.session({.database = "movies"}).run("RETURN 1").consume();
    const Map context{{"address", "fake:7687"}, {"policy", "eu"}};
    EXPECT_EQ(
        server.log[0],
        hex_of(kHello, {{"user_agent", "crossover/0.1.0"}, {"bolt_agent", kAgent}, {"routing", context}}));
    Bytes route;
    encode_route(route, context, {}, "movies");
    EXPECT_EQ(server.log[2], to_hex(route));
}

TEST(DialogueTest, BearerAndNoAuthentication) {
    for (const auto& [token, fields] :
         {std::pair{AuthToken::bearer("t0ken"), Map{{"scheme", "bearer"}, {"credentials", "t0ken"}}},
          std::pair{AuthToken::none(), Map{{"scheme", "none"}}},
          std::pair{AuthToken::basic("u", "p", "r"),
                    Map{{"scheme", "basic"}, {"principal", "u"}, {"credentials", "p"}, {"realm", "r"}}}}) {
        FakeServer server;
        Driver driver(parse_uri("bolt://fake"), token, {}, server.connector());
        driver.session().run("RETURN 1").consume();
        EXPECT_EQ(server.log[1], hex_of(kLogon, fields));
    }
}

}  // namespace
}  // namespace crossover::bolt::test
