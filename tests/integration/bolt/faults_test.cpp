#include <gmock/gmock.h>

#include "integration/bolt/server.h"
#include "support/tcp_proxy.h"

namespace crossover::bolt::test {
namespace {

using namespace std::chrono_literals;
using crossover::test::TcpProxy;
using testing::HasSubstr;

struct FaultsTest : testing::Test {
    TcpProxy proxy{parse_uri(environment("NEO4J_URI")).address.port};
    Driver driver{parse_uri(with_scheme("bolt", {"127.0.0.1", proxy.port()})), credentials()};
};

TEST_F(FaultsTest, AConnectionCutAmongTheRows) {
    Session session = driver.session({.access = AccessMode::read, .fetch_size = -1});
    Result result = session.run("UNWIND range(1, 10000000) AS n RETURN n, 'padding padding padding'");
    EXPECT_TRUE(result.next());
    proxy.cut();
    const auto error = error_of([&] {
        while (result.next()) {
        }
    });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->kind(), ErrorKind::unreachable);
    EXPECT_EQ(session.run("RETURN 1 AS n").single().at(0), Value(1));
}

TEST_F(FaultsTest, AConnectionCutWhileIdleIsReplacedUnnoticed) {
    Session session = driver.session();
    session.run("RETURN 1").consume();
    proxy.cut();
    // The proxy's own ends close a moment later; either way a repeated transaction must not notice.
    EXPECT_EQ(session.execute_read([](Transaction& transaction) {
        return transaction.run("RETURN 2 AS n").single().get<std::int64_t>("n");
    }),
              2);
}

TEST_F(FaultsTest, ATransactionCutBeforeCommitIsRepeated) {
    Session session = driver.session();
    int calls = 0;
    session.execute_write([&](Transaction& transaction) {
        transaction.run("CREATE (:BoltCut)").consume();
        if (++calls == 1) proxy.cut();
        transaction.run("RETURN 1").consume();
    });
    EXPECT_EQ(calls, 2);
    EXPECT_EQ(
        session.run("MATCH (n:BoltCut) WITH n, 1 AS one DELETE n RETURN count(one) AS n").single().at(0),
        Value(1));
}

TEST_F(FaultsTest, ARefusedConnectionSaysWhere) {
    std::uint16_t free_port = 0;
    { free_port = TcpProxy(1).port(); }
    Driver nobody(parse_uri(with_scheme("bolt", {"127.0.0.1", free_port})), credentials());
    const auto error = error_of([&] { nobody.verify_connectivity("", Deadline::after(10s)); });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->kind(), ErrorKind::unreachable);
    EXPECT_THAT(error->what(), HasSubstr("127.0.0.1:" + std::to_string(free_port)));
}

TEST_F(FaultsTest, TlsWithASelfSignedCertificate) {
    Driver trusting(parse_uri(with_scheme("bolt+ssc", {"127.0.0.1", proxy.port()})), credentials());
    EXPECT_EQ(trusting.session().run("RETURN 1 AS n").single().at(0), Value(1));
    Driver strict(parse_uri(with_scheme("bolt+s", {"127.0.0.1", proxy.port()})), credentials());
    const auto error = error_of([&] { strict.verify_connectivity("", Deadline::after(10s)); });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->kind(), ErrorKind::authentication);
    EXPECT_THAT(error->what(), HasSubstr("certificate"));
}

}  // namespace
}  // namespace crossover::bolt::test
