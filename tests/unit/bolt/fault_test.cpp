#include <gtest/gtest.h>

#include "unit/bolt/fake_server.h"

/// The connection is lost at each read, write and connect of a whole dialogue in turn.
namespace crossover::bolt::test {
namespace {

void dialogue(Driver& driver) {
    Session session = driver.session({.fetch_size = 2});
    if (session.run("RETURN 1").collect().size() != 3) throw std::logic_error("rows are missing");
    Transaction transaction = session.begin();
    transaction.run("CREATE (n)").consume();
    Result rows = transaction.run("RETURN 1");
    rows.next();
    transaction.commit();
    session.begin().rollback();
    Session reader = driver.session({.access = AccessMode::read, .fetch_size = -1});
    reader.run("RETURN 1").next();
}

class FaultTest : public testing::TestWithParam<const char*> {};

TEST_P(FaultTest, ALossAtAnyStepIsAnErrorThatPasses) {
    int steps = 0;
    {
        FakeServer server;
        server.read_limit = 16;
        Driver driver = make_driver(server, {}, GetParam());
        dialogue(driver);
        steps = server.io;
    }
    ASSERT_GT(steps, 20);
    int errors = 0;
    for (int step = 1; step <= steps; ++step) {
        FakeServer server;
        server.read_limit = 16;
        server.lost_at = step;
        Driver driver = make_driver(server, {}, GetParam());
        const auto error = error_of([&] { dialogue(driver); });
        if (error) {
            ++errors;
            EXPECT_EQ(error->kind(), ErrorKind::unreachable) << step << ": " << error->what();
        }
        ASSERT_NO_THROW(dialogue(driver)) << step;
        EXPECT_LE(server.connections, 3) << step;
    }
    // Only what nobody waits for may be lost unnoticed: abandoning, rolling back, GOODBYE.
    EXPECT_GT(errors, steps / 2);
}

TEST_P(FaultTest, RepeatedTransactionsRideOutALossAtAnyStepButCommit) {
    const auto work = [](Transaction& transaction) { return transaction.run("CREATE (n)").collect().size(); };
    int steps = 0;
    {
        FakeServer server;
        Driver driver = make_driver(server, {}, GetParam());
        driver.session().execute_write(work);
        steps = server.io;
    }
    int unknown = 0;
    for (int step = 1; step <= steps; ++step) {
        FakeServer server;
        server.lost_at = step;
        Driver driver = make_driver(server, {}, GetParam());
        const auto error = error_of([&] { EXPECT_EQ(driver.session().execute_write(work), 3u); });
        if (!error) continue;
        ++unknown;
        EXPECT_NE(std::string(error->what()).find("it is unknown whether"), std::string::npos)
            << error->what();
    }
    EXPECT_EQ(unknown, 2);  // Writing COMMIT and reading its answer.
}

INSTANTIATE_TEST_SUITE_P(Schemes, FaultTest, testing::Values("bolt://fake", "neo4j://fake"),
                         [](const auto& info) { return info.index == 0 ? "bolt" : "neo4j"; });

}  // namespace
}  // namespace crossover::bolt::test
