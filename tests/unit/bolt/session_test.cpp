#include <gmock/gmock.h>

#include <thread>

#include "unit/bolt/fake_server.h"

namespace crossover::bolt::test {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kSyntax = "Neo.ClientError.Statement.SyntaxError";
constexpr const char* kDeadlock = "Neo.TransientError.Transaction.DeadlockDetected";

struct SessionTest : testing::Test {
    FakeServer server;
    Driver driver = make_driver(server);
    Session session = driver.session({.fetch_size = 2});
};

TEST_F(SessionTest, RawRowsComeWithoutValues) {
    server.rows = 5;
    Result result = session.run("RETURN 1");
    std::int64_t sum = 0;
    EXPECT_TRUE(result.for_each_raw([&](Decoder& fields, std::size_t size) {
        EXPECT_EQ(size, 1u);
        std::int64_t number = 0;
        fields.read_int(number);
        sum += number;
        return true;
    }));
    EXPECT_EQ(sum, 10);
    const Summary summary = result.consume();
    EXPECT_EQ(summary.query_type, "r");
    EXPECT_EQ(summary.database, "neo4j");
    EXPECT_EQ(summary.bookmark, "auto");
    EXPECT_EQ(summary.available_after, 1ms);
    EXPECT_EQ(summary.consumed_after, 2ms);
}

TEST_F(SessionTest, RowsOfTheWrongTypeAreAnError) {
    Result result = session.run("RETURN 1");
    const auto error = error_of([&] {
        result.for_each_raw([](Decoder& fields, std::size_t) {
            std::string_view text;
            return fields.read_string(text);
        });
    });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->kind(), ErrorKind::protocol);
    EXPECT_EQ(session.run("RETURN 1").collect().size(), 3u);
    EXPECT_EQ(server.connections, 1);
}

TEST_F(SessionTest, TheNextBatchIsAskedForOnlyWhenTheFormerWasTaken) {
    server.rows = 4;
    Result result = session.run("RETURN 1");
    EXPECT_TRUE(result.next());
    EXPECT_TRUE(result.next());
    EXPECT_EQ(server.count(kPull), 1);
    EXPECT_TRUE(result.next());
    EXPECT_EQ(server.count(kPull), 2);
}

TEST_F(SessionTest, StoppingEarlyUnderReadAccessResets) {
    server.rows = 1000;
    Session reader = driver.session({.access = AccessMode::read, .fetch_size = -1});
    {
        Result result = reader.run("RETURN 1");
        EXPECT_TRUE(result.next());
    }
    EXPECT_EQ(server.count(kReset), 1);
    EXPECT_EQ(reader.run("RETURN 1").collect().size(), 1000u);
    EXPECT_EQ(server.connections, 1);
}

TEST_F(SessionTest, StoppingEarlyUnderWriteAccessLetsTheStatementEnd) {
    server.rows = 5;
    {
        Result result = session.run("CREATE (n)");
        EXPECT_TRUE(result.next());
    }
    EXPECT_EQ(server.count(kReset), 0);
    EXPECT_EQ(server.count(kDiscard), 1);
    EXPECT_THAT(session.last_bookmarks(), ElementsAre("auto"));
}

TEST_F(SessionTest, AnotherStatementEndsTheFormerResult) {
    Result first = session.run("RETURN 1");
    Result second = session.run("RETURN 2");
    EXPECT_THAT(error_of([&] { first.next(); })->what(), HasSubstr("another statement"));
    EXPECT_EQ(second.collect().size(), 3u);
}

TEST_F(SessionTest, SingleDemandsOneRow) {
    server.rows = 1;
    EXPECT_EQ(session.run("RETURN 1").single().at(0), Value(0));
    server.rows = 0;
    EXPECT_EQ(error_of([&] { session.run("RETURN 1").single(); })->kind(), ErrorKind::rejected);
    server.rows = 5;
    EXPECT_EQ(error_of([&] { session.run("RETURN 1").single(); })->kind(), ErrorKind::rejected);
    EXPECT_EQ(server.connections, 1);
}

TEST_F(SessionTest, AFailedStatementLeavesTheSessionUsable) {
    server.instead[kRun].push_back(failure(kSyntax, "Invalid input"));
    const auto error = error_of([&] { (void)session.run("RETRUN 1"); });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->native_code(), kSyntax);
    EXPECT_THAT(error->what(), HasSubstr("fake:7687"));
    EXPECT_EQ(server.count(kReset), 1);
    EXPECT_EQ(session.run("RETURN 1").collect().size(), 3u);
    EXPECT_EQ(server.connections, 1);
}

TEST_F(SessionTest, AFailureAmongTheRowsIsThrownOnceReached) {
    server.instead[kPull].push_back(failure("Neo.ClientError.Statement.ArithmeticError"));
    Result result = session.run("RETURN 1/0");
    EXPECT_EQ(error_of([&] { result.next(); })->native_code(), "Neo.ClientError.Statement.ArithmeticError");
    EXPECT_EQ(error_of([&] { result.next(); })->native_code(), "Neo.ClientError.Statement.ArithmeticError");
    EXPECT_EQ(session.run("RETURN 1").collect().size(), 3u);
}

TEST_F(SessionTest, AFailureEndsTheTransaction) {
    Transaction transaction = session.begin();
    server.instead[kRun].push_back(failure(kSyntax));
    EXPECT_TRUE(error_of([&] { (void)transaction.run("RETRUN 1"); }));
    EXPECT_FALSE(transaction.open());
    EXPECT_EQ(error_of([&] { transaction.commit(); })->kind(), ErrorKind::rejected);
    EXPECT_NO_THROW(transaction.rollback());
    EXPECT_EQ(server.count(kCommit), 0);
}

TEST_F(SessionTest, AnAbandonedTransactionIsRolledBack) {
    { Transaction transaction = session.begin(); }
    EXPECT_EQ(server.count(kRollback), 1);
    {
        Transaction transaction = session.begin();
        Result result = transaction.run("RETURN 1");
    }
    EXPECT_EQ(server.count(kCommit), 0);
    EXPECT_EQ(server.connections, 1);
}

TEST_F(SessionTest, PassingFailuresAreRepeated) {
    server.instead[kRun].push_back(failure(kDeadlock));
    server.instead[kCommit].push_back(failure(kDeadlock));
    server.lost_on[kRun] = 1;
    int calls = 0;
    const std::int64_t rows = session.execute_write([&](Transaction& transaction) {
        ++calls;
        return static_cast<std::int64_t>(transaction.run("CREATE (n)").collect().size());
    });
    EXPECT_EQ(rows, 3);
    EXPECT_EQ(calls, 4);
    EXPECT_EQ(server.connections, 2);
    EXPECT_THAT(session.last_bookmarks(), ElementsAre("committed"));
}

TEST_F(SessionTest, LastingFailuresAreNotRepeated) {
    for (const char* code : {kSyntax, "Neo.TransientError.Transaction.Terminated",
                             "Neo.TransientError.Transaction.LockClientStopped",
                             "Neo.ClientError.Schema.ConstraintValidationFailed"}) {
        server.instead[kRun].push_back(failure(code));
        int calls = 0;
        const auto error = error_of([&] {
            session.execute_write([&](Transaction& transaction) {
                ++calls;
                transaction.run("CREATE (n)").consume();
            });
        });
        EXPECT_EQ(error->native_code(), code);
        EXPECT_EQ(calls, 1) << code;
    }
}

TEST_F(SessionTest, ALostCommitIsNeverRepeated) {
    server.lost_on[kCommit] = 1;
    int calls = 0;
    const auto error = error_of([&] {
        session.execute_write([&](Transaction& transaction) {
            ++calls;
            transaction.run("CREATE (n)").consume();
        });
    });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->kind(), ErrorKind::unreachable);
    EXPECT_TRUE(error->outcome_unknown());
    EXPECT_THAT(error->what(), HasSubstr("it is unknown whether the transaction was applied"));
    EXPECT_EQ(calls, 1);

    server.silent_on = kCommit;
    const auto timeout = error_of([&] { session.execute_write([](Transaction&) {}); });
    EXPECT_EQ(timeout->kind(), ErrorKind::timeout);
    EXPECT_THAT(timeout->what(), HasSubstr("it is unknown whether"));
}

TEST_F(SessionTest, RetryingEndsWithItsTime) {
    Driver impatient = make_driver(server, {.max_retry_time = 1s});
    for (int i = 0; i < 100; ++i) server.instead[kRun].push_back(failure(kDeadlock));
    int calls = 0;
    const auto error = error_of([&] {
        impatient.session().execute_read([&](Transaction& transaction) {
            ++calls;
            transaction.run("RETURN 1").consume();
        });
    });
    EXPECT_EQ(error->native_code(), kDeadlock);
    EXPECT_GE(calls, 2);
    EXPECT_LT(calls, 20);
}

TEST_F(SessionTest, ExpiredAuthorizationRenewsConnections) {
    session.run("RETURN 1").consume();
    server.instead[kRun].push_back(failure("Neo.ClientError.Security.AuthorizationExpired"));
    session.execute_read([](Transaction& transaction) { transaction.run("RETURN 1").consume(); });
    EXPECT_EQ(server.connections, 2);
    server.instead[kRun].push_back(failure("Neo.ClientError.Security.AuthorizationExpired"));
    const auto error = error_of([&] { (void)session.run("RETURN 1"); });
    EXPECT_TRUE(error->retryable());
    session.run("RETURN 1").consume();
    EXPECT_EQ(server.connections, 3);
}

TEST_F(SessionTest, ASilentServerIsAskedAgainByNewConnections) {
    {
        Session other = driver.session();
        const Result open = other.run("RETURN 1");
        session.run("RETURN 1").consume();
    }
    ASSERT_EQ(server.connections, 2);
    server.silent_on = kRun;
    int calls = 0;
    session.execute_write([&](Transaction& transaction) {
        if (++calls == 2) server.silent_on = 0;
        transaction.run("CREATE (n)").consume();
    });
    EXPECT_EQ(calls, 2);
    EXPECT_EQ(server.connections, 3);  // not the second of the idle ones
    EXPECT_EQ(server.count(kCommit), 1);
}

TEST_F(SessionTest, WhatTookTheTimeElsewhereSaysNothingOfTheServer) {
    server.rows = 5;
    Session late = driver.session({.fetch_size = -1, .deadline = Deadline::after(50ms)});
    {
        Session other = driver.session();
        const Result open = other.run("RETURN 1");
        Transaction transaction = late.begin();
        std::this_thread::sleep_until(Deadline::after(60ms).point());
        const auto error = error_of([&] { transaction.run("RETURN 1").consume(); });
        ASSERT_TRUE(error);
        EXPECT_EQ(error->kind(), ErrorKind::timeout);
        EXPECT_THAT(error->what(), HasSubstr("was not asked"));
    }
    EXPECT_EQ(server.count(kRun), 1);
    EXPECT_EQ(server.connections, 2);
    session.run("RETURN 1").consume();
    EXPECT_EQ(server.connections, 2);
}

TEST_F(SessionTest, NothingIsSentWhenItIsTooLate) {
    for (const auto left : {-5s, 0s}) {
        const auto error =
            error_of([&] { (void)driver.session({.deadline = Deadline::after(left)}).run("RETURN 1"); });
        ASSERT_TRUE(error);
        EXPECT_EQ(error->kind(), ErrorKind::timeout);
    }
    EXPECT_EQ(server.connections, 0);
}

TEST_F(SessionTest, TheServerIsToldHowLongATransactionMayLast) {
    const auto told = [&] { return *server.transactions.back().get_if<std::int64_t>("tx_timeout"); };
    session.run("RETURN 1").consume();
    EXPECT_EQ(told(), 7 * 24 * 3600 * 1000);
    session.begin().rollback();
    EXPECT_EQ(told(), 7 * 24 * 3600 * 1000);
    Session hurried = driver.session({.deadline = Deadline::after(40s)});
    hurried.run("RETURN 1").consume();
    EXPECT_TRUE(told() > 20'000 && told() <= 40'000) << told();
    hurried.begin().rollback();
    EXPECT_TRUE(told() > 20'000 && told() <= 40'000) << told();
    session.run("RETURN 1", {}, {.deadline = Deadline::after(10s)}).consume();
    EXPECT_TRUE(told() > 1'000 && told() <= 10'000) << told();
    EXPECT_EQ(server.transactions.size(), 5u);
}

TEST_F(SessionTest, ASessionsDeadlineIsForAllThatIsDoneInIt) {
    server.keep_alive_seconds = 0;
    const auto waited = [&](const auto& action) {
        EXPECT_EQ(error_of(action)->kind(), ErrorKind::timeout);
        return server.waits.back();
    };
    const SessionConfig config{.fetch_size = 1, .deadline = Deadline::after(40s), .timeout = 90s};
    for (const auto step : {kHello, kBegin, kRun, kPull, kCommit, kRollback}) {
        FakeServer silent;
        silent.keep_alive_seconds = 0;
        Driver other = make_driver(silent);
        silent.silent_on = step;
        const auto error = error_of([&] {
            Session limited = other.session(config);
            Transaction transaction = limited.begin();
            transaction.run("RETURN 1").consume();
            if (step == kRollback) return transaction.rollback();
            transaction.commit();
        });
        ASSERT_TRUE(error) << step;
        EXPECT_EQ(error->kind(), ErrorKind::timeout) << step;
        ASSERT_FALSE(silent.waits.empty()) << step;
        // Connecting has a limit of its own.
        const auto least = step == kHello ? 5s : 20s;
        EXPECT_TRUE(silent.waits.front() > least && silent.waits.front() <= 40s) << step;
    }
    server.silent_on = kRun;
    const auto whole = waited([&] { (void)driver.session(config).run("RETURN 1"); });
    EXPECT_TRUE(whole > 20s && whole <= 40s) << whole.count();
}

TEST_F(SessionTest, WhatIsCommittedCannotBeRolledBack) {
    Transaction transaction = session.begin();
    transaction.commit();
    const auto error = error_of([&] { transaction.rollback(); });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->kind(), ErrorKind::rejected);
    EXPECT_THAT(error->what(), HasSubstr("was committed"));
    Transaction other = session.begin();
    other.rollback();
    EXPECT_NO_THROW(other.rollback());
    EXPECT_EQ(error_of([&] { other.commit(); })->kind(), ErrorKind::rejected);
}

TEST_F(SessionTest, AnEndedTransactionLeavesTheNextOneAlone) {
    std::optional<Transaction> first(session.begin());
    first->commit();
    Transaction second = session.begin();
    EXPECT_FALSE(first->open());
    EXPECT_EQ(error_of([&] { (void)first->run("RETURN 1"); })->kind(), ErrorKind::rejected);
    EXPECT_EQ(error_of([&] { first->commit(); })->kind(), ErrorKind::rejected);
    EXPECT_EQ(error_of([&] { first->rollback(); })->kind(), ErrorKind::rejected);
    first.reset();
    EXPECT_TRUE(second.open());
    second.commit();
    EXPECT_EQ(server.count(kCommit), 2);
    EXPECT_EQ(server.count(kRollback), 0);
}

TEST_F(SessionTest, AConsumedResultHasNoRowsToAskFor) {
    for (const bool read_before : {false, true}) {
        Result result = session.run("RETURN 1");
        if (read_before) {
            EXPECT_EQ(result.collect().size(), 3u);
            EXPECT_FALSE(result.next());
        }
        EXPECT_EQ(result.consume().query_type, "r");
        const auto error = error_of([&] { result.next(); });
        ASSERT_TRUE(error);
        EXPECT_EQ(error->kind(), ErrorKind::rejected);
        EXPECT_EQ(result.consume().query_type, "r");
    }
}

TEST_F(SessionTest, EveryWaitHasALimit) {
    const auto waited = [&](const auto& action) {
        EXPECT_EQ(error_of(action)->kind(), ErrorKind::timeout);
        return server.waits.back();
    };
    server.silent_on = kRun;
    const auto whole = waited([&] { (void)session.run("RETURN 1", {}, {.deadline = Deadline::after(40s)}); });
    EXPECT_TRUE(whole > 20s && whole <= 40s) << whole.count();
    const auto each = waited([&] { (void)driver.session({.timeout = 90s}).run("RETURN 1"); });
    EXPECT_TRUE(each > 70s && each <= 90s) << each.count();
    server.keep_alive_seconds = 10;
    const auto silence = waited([&] { (void)driver.session().run("RETURN 1"); });
    EXPECT_TRUE(silence > 1s && silence <= 10s) << silence.count();
}

TEST_F(SessionTest, AnErrorThatNobodyReadStillFailsTheTransaction) {
    server.instead[kPull].push_back(failure(kDeadlock));
    int calls = 0;
    session.execute_write([&](Transaction& transaction) {
        ++calls;
        Result unread = transaction.run("CREATE (n)");
    });
    EXPECT_EQ(calls, 2);
    server.instead[kPull].push_back(failure(kSyntax));
    const auto error = error_of([&] {
        session.execute_write(
            [](Transaction& transaction) { Result unread = transaction.run("CREATE (n)"); });
    });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->native_code(), kSyntax);
    EXPECT_EQ(server.count(kCommit), 1);
}

TEST_F(SessionTest, TheWrongPasswordIsNamedButNotShown) {
    server.instead[kLogon].push_back(failure("Neo.ClientError.Security.Unauthorized", "no", false));
    const auto error = error_of([&] { (void)session.run("RETURN 1"); });
    EXPECT_EQ(error->kind(), ErrorKind::authentication);
    EXPECT_THAT(error->what(), HasSubstr("password for user 'neo4j'"));
    EXPECT_THAT(error->what(), Not(HasSubstr("s3cret")));
}

TEST_F(SessionTest, SessionsOfAClosedDriverFail) {
    session.run("RETURN 1").consume();
    Result open = session.run("RETURN 1");
    driver.close();
    EXPECT_EQ(error_of([&] {
                  while (open.next()) {
                  }
              })->kind(),
              ErrorKind::cancelled);
    EXPECT_EQ(error_of([&] { (void)session.run("RETURN 1"); })->kind(), ErrorKind::cancelled);
}

TEST_F(SessionTest, WhatThrowsInAWriterLeavesTheConnectionClean) {
    Parameters parameters;
    parameters.add("ids", [](Encoder&) { throw std::runtime_error("from the caller"); });
    EXPECT_THROW((void)session.run("RETURN 1", parameters), std::runtime_error);
    EXPECT_EQ(session.run("RETURN 1").collect().size(), 3u);
    EXPECT_EQ(server.connections, 1);
}

TEST_F(SessionTest, AnswersThatBoltForbidsAreErrors) {
    for (const Bytes& answer : {record({1}), ignored(), hex("B1 70 01"), hex("C0")}) {
        FakeServer strange;
        strange.instead[kRun].push_back(answer);
        Driver other = make_driver(strange);
        const auto error = error_of([&] { (void)other.session().run("RETURN 1"); });
        ASSERT_TRUE(error) << to_hex(answer);
        EXPECT_EQ(error->kind(), ErrorKind::protocol) << to_hex(answer);
        EXPECT_EQ(other.session().run("RETURN 1").collect().size(), 3u);
        EXPECT_EQ(strange.connections, 2);
    }
}

TEST_F(SessionTest, ARowThatIsTooLargeIsRefused) {
    Driver small = make_driver(server, {.max_message_bytes = 200});
    server.instead[kPull].push_back(record({std::string(300, 'x')}));
    Session strict = small.session();
    Result result = strict.run("RETURN 1");
    EXPECT_EQ(error_of([&] { result.next(); })->kind(), ErrorKind::too_large);
}

}  // namespace
}  // namespace crossover::bolt::test
