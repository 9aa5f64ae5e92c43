#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "integration/bolt/server.h"

namespace crossover::bolt::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

struct SessionsTest : testing::Test {
    Driver driver = connect();
    Session session = driver.session({.database = "neo4j"});

    void SetUp() override { clear(); }
    void TearDown() override { clear(); }
    void clear() { session.run("MATCH (n:BoltTest) DETACH DELETE n").consume(); }
    std::int64_t count(Session& reader) {
        return reader.run("MATCH (n:BoltTest) RETURN count(n) AS n").single().get<std::int64_t>("n");
    }
};

TEST_F(SessionsTest, ConnectivityNamesTheServer) {
    const ServerInfo info = driver.verify_connectivity("neo4j", Deadline::after(30s));
    EXPECT_THAT(info.agent, StartsWith("Neo4j/"));
    EXPECT_GE(info.bolt, (Version{5, 0}));
    RecordProperty("bolt", to_string(info.bolt));
}

TEST_F(SessionsTest, CommitKeepsAndRollbackDrops) {
    Transaction kept = session.begin();
    const Summary summary = kept.run("CREATE (:BoltTest {n: $n})", {{"n", 1}}).consume();
    EXPECT_EQ(summary.counter("nodes-created"), 1);
    EXPECT_EQ(summary.counter("properties-set"), 1);
    EXPECT_EQ(summary.query_type, "w");
    EXPECT_EQ(summary.database, "neo4j");
    kept.commit();
    Transaction dropped = session.begin();
    dropped.run("CREATE (:BoltTest)").consume();
    dropped.rollback();
    {
        Transaction abandoned = session.begin();
        Result open = abandoned.run("UNWIND range(1, 5000) AS i CREATE (n:BoltTest) RETURN n");
        EXPECT_TRUE(open.next());
    }
    EXPECT_EQ(count(session), 1);
}

TEST_F(SessionsTest, AutoCommitStatementsCommitWhenTheirResultEnds) {
    session.run("CREATE (:BoltTest)").consume();
    { Result open = session.run("UNWIND range(1, 3000) AS i CREATE (n:BoltTest) RETURN n"); }
    EXPECT_EQ(count(session), 3001);
}

TEST_F(SessionsTest, BookmarksLetOthersSeeWhatWasWritten) {
    session.run("CREATE (:BoltTest)").consume();
    const auto bookmarks = session.last_bookmarks();
    ASSERT_EQ(bookmarks.size(), 1u);
    Session reader =
        driver.session({.database = "neo4j", .access = AccessMode::read, .bookmarks = bookmarks});
    EXPECT_EQ(count(reader), 1);
    session.execute_write([](Transaction& transaction) { transaction.run("CREATE (:BoltTest)").consume(); });
    EXPECT_NE(session.last_bookmarks(), bookmarks);
}

TEST_F(SessionsTest, AWrongPasswordIsNamed) {
    Driver wrong(driver.uri(), AuthToken::basic("neo4j", "not-the-password"));
    const auto error = error_of([&] { wrong.verify_connectivity("", Deadline::after(30s)); });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->kind(), ErrorKind::authentication);
    EXPECT_EQ(error->native_code(), "Neo.ClientError.Security.Unauthorized");
    EXPECT_THAT(error->what(), HasSubstr("refused the password for user 'neo4j'"));
    EXPECT_THAT(error->what(), Not(HasSubstr("not-the-password")));
}

TEST_F(SessionsTest, AnUnknownDatabaseIsNamed) {
    const auto error = error_of([&] { driver.verify_connectivity("nowhere", Deadline::after(30s)); });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->kind(), ErrorKind::not_found);
    EXPECT_THAT(error->what(), HasSubstr("'nowhere'"));
}

TEST_F(SessionsTest, ASyntaxErrorDoesNotSpoilTheSession) {
    const auto error = error_of([&] { (void)session.run("RETRUN 1"); });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->kind(), ErrorKind::rejected);
    EXPECT_EQ(error->native_code(), "Neo.ClientError.Statement.SyntaxError");
    EXPECT_EQ(session.run("RETURN 1 AS n").single().get<std::int64_t>("n"), 1);
}

TEST_F(SessionsTest, AFailureBehindRowsIsThrown) {
    Result result = session.run("UNWIND [1, 0] AS i RETURN 1 / i AS n");
    const auto error = error_of([&] { result.collect(); });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->native_code(), "Neo.ClientError.Statement.ArithmeticError");
    EXPECT_EQ(session.run("RETURN 1 AS n").single().at(0), Value(1));
}

TEST_F(SessionsTest, ManyRowsWithEachFetchSize) {
    constexpr std::int64_t kRows = 100'000;
    for (const std::int64_t fetch_size : {100, 1000, 7777, -1}) {
        Session reader = driver.session({.access = AccessMode::read, .fetch_size = fetch_size});
        Result result = reader.run("UNWIND range(1, $rows) AS n RETURN n", {{"rows", kRows}});
        std::int64_t expected = 0;
        EXPECT_TRUE(result.for_each_raw([&](Decoder& fields, std::size_t) {
            std::int64_t number = 0;
            return fields.read_int(number) && number == ++expected;
        }));
        EXPECT_EQ(expected, kRows) << fetch_size;
    }
}

TEST_F(SessionsTest, StoppingEarlyLeavesTheConnectionUsable) {
    Driver one = connect({.max_connections = 1});
    for (const std::int64_t fetch_size : {10, -1}) {
        Session reader = one.session({.access = AccessMode::read, .fetch_size = fetch_size});
        {
            Result result = reader.run("UNWIND range(1, 1000000) AS n RETURN n");
            for (int i = 0; i < 5; ++i) EXPECT_TRUE(result.next());
        }
        EXPECT_EQ(reader.run("RETURN 1 AS n").single().at(0), Value(1));
    }
}

TEST_F(SessionsTest, RoutingOnASingleServer) {
    Driver routed(parse_uri(with_scheme("neo4j", driver.uri().address)), credentials());
    EXPECT_THAT(routed.verify_connectivity("neo4j", Deadline::after(30s)).agent, StartsWith("Neo4j/"));
    Session writer = routed.session({.database = "neo4j"});
    writer.execute_write([](Transaction& transaction) { transaction.run("CREATE (:BoltTest)").consume(); });
    const auto found = writer.execute_read([](Transaction& transaction) {
        return transaction.run("MATCH (n:BoltTest) RETURN count(n) AS n").single().get<std::int64_t>("n");
    });
    EXPECT_EQ(found, 1);
    EXPECT_EQ(error_of([&] { (void)routed.session({.database = "nowhere"}).run("RETURN 1"); })->kind(),
              ErrorKind::not_found);
}

TEST_F(SessionsTest, ConcurrentSessionsShareThePool) {
    Driver small = connect({.max_connections = 3});
    session.run("CREATE (:BoltTest {n: 0})").consume();
    std::atomic<int> failures = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 10; ++i) {
                const auto error = error_of([&] {
                    small.session().execute_write([](Transaction& transaction) {
                        transaction.run("MATCH (n:BoltTest) SET n.n = n.n + 1").consume();
                    });
                });
                if (error) ++failures;
            }
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(failures, 0);
    EXPECT_EQ(session.run("MATCH (n:BoltTest) RETURN n.n AS n").single().get<std::int64_t>("n"), 80);
}

TEST_F(SessionsTest, TheServerEndsWhatTakesTooLong) {
    const auto error = error_of([&] {
        session
            .run("UNWIND range(1, 1000000000) AS i WITH i WHERE i < 0 RETURN count(i)", {},
                 {.deadline = Deadline::after(200ms)})
            .consume();
    });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->kind(), ErrorKind::timeout);
    EXPECT_EQ(session.run("RETURN 1 AS n").single().at(0), Value(1));
}

}  // namespace
}  // namespace crossover::bolt::test
