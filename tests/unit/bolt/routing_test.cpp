#include "bolt/routing.h"

#include <gmock/gmock.h>

#include "unit/bolt/fake_server.h"

namespace crossover::bolt::test {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

const Address kSeed{"seed", 1};
const Address kA{"a", 1};
const Address kB{"b", 1};
const Address kC{"c", 1};

struct RouterTest : testing::Test {
    Deadline::Clock::time_point now{};
    std::map<Address, std::size_t> load;
    std::map<Address, RoutingTable> tables{{kSeed, {"home", {kA, kB}, {kA, kB}, {kC}, 300s}}};
    std::map<Address, std::string> failures;  ///< codes that routers answer with
    std::vector<Address> asked;
    Router router{
        kSeed,
        [this](const Address& address, const std::string&, const std::vector<std::string>&, Deadline) {
            asked.push_back(address);
            if (const auto code = failures.find(address); code != failures.end())
                throw failure_to_error({{"code", code->second}, {"message", "m"}}, "h:1", "u", "d");
            const auto found = tables.find(address);
            if (found == tables.end()) throw Error(System::neo4j, ErrorKind::unreachable, "gone");
            return found->second;
        },
        [this](const Address& address) { return load[address]; }, [this] { return now; }};

    Address choose(AccessMode access, const std::string& database = "d") {
        return router.choose(database, access, {}, Deadline::after(10s)).address;
    }
};

TEST_F(RouterTest, ChoosesByRoleAndTakesTurns) {
    EXPECT_EQ(choose(AccessMode::write), kC);
    const Address first = choose(AccessMode::read);
    const Address second = choose(AccessMode::read);
    EXPECT_NE(first, second);
    EXPECT_EQ(asked.size(), 1u);
}

TEST_F(RouterTest, PrefersTheLeastUsed) {
    load[kA] = 3;
    load[kB] = 1;
    for (int i = 0; i < 4; ++i) EXPECT_EQ(choose(AccessMode::read), kB);
}

TEST_F(RouterTest, KeepsATableForEachDatabaseUntilItIsOld) {
    choose(AccessMode::read, "d");
    choose(AccessMode::read, "e");
    EXPECT_EQ(asked.size(), 2u);
    now += 299s;
    choose(AccessMode::read, "d");
    EXPECT_EQ(asked.size(), 2u);
    now += 1s;
    tables[kA] = tables[kSeed];
    choose(AccessMode::read, "d");
    EXPECT_THAT(asked, ElementsAre(kSeed, kSeed, kA));
}

TEST_F(RouterTest, FallsBackToTheSeed) {
    choose(AccessMode::read);
    router.expire("d");
    choose(AccessMode::read);
    EXPECT_THAT(asked, ElementsAre(kSeed, kA, kB, kSeed));
}

TEST_F(RouterTest, GoesOnFromARouterThatFailsAndForgetsIt) {
    for (const char* code :
         {"Neo.DatabaseError.General.UnknownError", "Neo.TransientError.General.OutOfMemoryError",
          "Neo.ClientError.Security.AuthorizationExpired", "Neo.ClientError.Procedure.ProcedureNotFound"}) {
        choose(AccessMode::read);
        router.expire("d");
        asked.clear();
        failures = {{kA, code}};
        tables[kB] = {"", {kC}, {kB}, {kC}, 300s};
        EXPECT_EQ(choose(AccessMode::read), kB) << code;
        EXPECT_THAT(asked, ElementsAre(kA, kB)) << code;
        // Neither kB nor the seed is asked before the router of the newest table.
        router.expire("d");
        asked.clear();
        failures = {{kC, code}};
        EXPECT_EQ(choose(AccessMode::write), kC) << code;
        EXPECT_THAT(asked, ElementsAre(kC, kSeed)) << code;
        failures.clear();
    }
}

TEST_F(RouterTest, StopsAtAFailureThatEveryRouterWouldGive) {
    for (const char* code :
         {"Neo.ClientError.Database.DatabaseNotFound", "Neo.ClientError.Transaction.InvalidBookmark",
          "Neo.ClientError.Transaction.InvalidBookmarkMixture", "Neo.ClientError.Statement.TypeError",
          "Neo.ClientError.Statement.ArgumentError", "Neo.ClientError.Request.Invalid",
          "Neo.ClientError.Security.Unauthorized", "Neo.ClientError.Security.Forbidden"}) {
        failures.clear();
        choose(AccessMode::read);
        router.expire("d");
        asked.clear();
        failures = {{kA, code}};
        EXPECT_EQ(error_of([&] { choose(AccessMode::read); })->native_code(), code);
        EXPECT_THAT(asked, ElementsAre(kA)) << code;
    }
}

TEST_F(RouterTest, ASilentRouterLeavesTimeForTheOthers) {
    std::vector<std::chrono::milliseconds> given;
    Router patient{kSeed,
                   [&](const Address&, const std::string&, const std::vector<std::string>&,
                       Deadline deadline) -> RoutingTable {
                       given.push_back(deadline.remaining());
                       if (given.size() == 1) return tables[kSeed];
                       throw Error(System::neo4j, ErrorKind::timeout, "silent");
                   },
                   [](const Address&) { return 0; }, [this] { return now; }};
    patient.choose("d", AccessMode::read, {}, Deadline::after(30s));
    patient.expire("d");
    EXPECT_TRUE(error_of([&] { patient.choose("d", AccessMode::read, {}, Deadline::after(30s)); }));
    ASSERT_EQ(given.size(), 4u);
    EXPECT_TRUE(given[1] > 5s && given[1] <= 10s) << given[1].count();
    EXPECT_TRUE(given[2] > 10s && given[2] <= 15s) << given[2].count();
    EXPECT_TRUE(given[3] > 20s && given[3] <= 30s) << given[3].count();
}

TEST_F(RouterTest, KnowsTheHomeDatabaseByItsName) {
    EXPECT_EQ(router.choose("", AccessMode::read, {}, Deadline::after(10s)).database, "home");
    EXPECT_EQ(router.choose("home", AccessMode::read, {}, Deadline::after(10s)).database, "home");
    EXPECT_EQ(asked.size(), 1u);
    router.expire("home");
    EXPECT_EQ(router.choose("", AccessMode::write, {}, Deadline::after(10s)).database, "home");
    EXPECT_THAT(asked, ElementsAre(kSeed, kA, kB, kSeed));
}

TEST_F(RouterTest, FetchesAnewWhenItsWriterIsForgotten) {
    choose(AccessMode::write);
    router.forget(kC);
    tables[kA] = {"", {kA}, {kA}, {kB}, 300s};
    EXPECT_EQ(choose(AccessMode::write), kB);
}

TEST_F(RouterTest, SaysWhenNobodyWrites) {
    tables[kSeed] = {"", {kA}, {kA}, {}, 300s};
    EXPECT_EQ(choose(AccessMode::read), kA);
    const auto error = error_of([&] { choose(AccessMode::write); });
    EXPECT_EQ(error->kind(), ErrorKind::unavailable);
}

TEST_F(RouterTest, SaysWhenNoRouterAnswers) {
    tables.clear();
    EXPECT_EQ(error_of([&] { choose(AccessMode::read); })->kind(), ErrorKind::unreachable);
}

TEST(RoutingTableTest, IsReadFromItsMap) {
    const auto table = parse_routing_table(
        {{"rt", Map{{"ttl", 9},
                    {"servers", List{Map{{"role", "READ"}, {"addresses", List{"a:1"}}},
                                     Map{{"role", "NEW"}, {"addresses", List{"b:1"}}}}}}}});
    ASSERT_TRUE(table);
    EXPECT_THAT(table->readers, ElementsAre(kA));
    EXPECT_TRUE(table->writers.empty());
    EXPECT_EQ(table->time_to_live, 9s);
    EXPECT_FALSE(parse_routing_table({}));
    EXPECT_FALSE(parse_routing_table({{"rt", Map{{"ttl", 9}, {"servers", List{1}}}}}));
}

TEST(RoutingDriverTest, GoesToAnotherMemberWhenOneIsGone) {
    FakeServer server;
    server.members = {kA, kB};
    Driver driver = make_driver(server, {}, "neo4j://seed:1");
    Session session = driver.session({.access = AccessMode::read});
    server.lost_on[kRun] = 1;
    EXPECT_TRUE(error_of([&] { (void)session.run("RETURN 1"); }));
    EXPECT_EQ(session.run("RETURN 1").collect().size(), 3u);
    std::vector<Address> ran;
    for (const auto& [address, tag] : server.tags) {
        if (tag == kRun) ran.push_back(address);
    }
    ASSERT_EQ(ran.size(), 2u);
    EXPECT_NE(ran[0], ran[1]);
}

TEST(RoutingDriverTest, AsksAgainWhenTheLeaderHasMoved) {
    FakeServer server;
    server.members = {kA};
    Driver driver = make_driver(server, {}, "neo4j://seed:1");
    server.instead[kRun].push_back(failure("Neo.ClientError.Cluster.NotALeader"));
    driver.session().execute_write([](Transaction& transaction) { transaction.run("CREATE (n)").consume(); });
    EXPECT_EQ(server.count(kRoute), 2);
}

TEST(RoutingDriverTest, SessionsStayInTheHomeDatabaseTheyBeganWith) {
    FakeServer server;
    server.home = "movies";
    Driver driver = make_driver(server, {}, "neo4j://seed:1");
    Session session = driver.session();
    session.run("RETURN 1").consume();
    session.begin().rollback();
    ASSERT_EQ(server.transactions.size(), 2u);
    for (const Map& said : server.transactions) EXPECT_EQ(*said.get_if<std::string>("db"), "movies");
    EXPECT_EQ(server.count(kRoute), 1);
}

TEST(RoutingDriverTest, AnAuthorizationThatExpiresWhileRoutingIsRenewed) {
    FakeServer server;
    Driver driver = make_driver(server, {}, "neo4j://seed:1");
    driver.session({.database = "d"}).run("RETURN 1").consume();
    server.instead[kRoute].push_back(failure("Neo.ClientError.Security.AuthorizationExpired"));
    driver.session({.database = "e"}).execute_read([](Transaction& transaction) {
        transaction.run("RETURN 1").consume();
    });
    EXPECT_EQ(server.connections, 2);
    EXPECT_EQ(server.count(kRoute), 3);
}

TEST(RoutingDriverTest, BoltUrisAskForNoTable) {
    FakeServer server;
    Driver driver = make_driver(server);
    driver.session().run("RETURN 1").consume();
    EXPECT_EQ(server.count(kRoute), 0);
}

}  // namespace
}  // namespace crossover::bolt::test
