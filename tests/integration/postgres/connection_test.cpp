#include "postgres/connection.h"

#include <thread>
#include <vector>

#include "support/postgres_fixture.h"

namespace crossover::postgres::test {
namespace {

TEST_F(PostgresTest, ParametersAndResults) {
    const std::string bytes("\0\xFF'\\", 4);
    auto result = connection_.exec("SELECT $1::bytea, $2::text, $3::int IS NULL",
                                   {Parameter::binary(bytes), "'; --", nullptr}, soon(), Format::binary);
    EXPECT_EQ(result.value(0, 0), bytes);
    EXPECT_EQ(result.value(0, 1), "'; --");
    connection_.prepare("twice", "SELECT $1::bigint * 2", soon());
    EXPECT_EQ(connection_.exec_prepared("twice", {"21"}, soon()).integer(0, 0), 42);
    EXPECT_EQ(connection_.exec("CREATE TABLE t (x int); INSERT INTO t VALUES (1), (2)", soon()).affected(),
              2);
    std::string seen;
    connection_.stream("SELECT chr(64 + x) FROM t ORDER BY x", {}, soon(),
                       [&](const Result& row) { seen += row.value(0, 0); });
    EXPECT_EQ(seen, "AB");
    EXPECT_EQ(text("SELECT 'usable'"), "usable");
}

TEST_F(PostgresTest, AConnectionThatFailsSaysWhoseFaultItIs) {
    const auto kind_of = [](const std::string& url) {
        return error_of([&] { Connection(url, soon()); }).kind();
    };
    EXPECT_EQ(kind_of("postgresql://127.0.0.1:1/x"), ErrorKind::unreachable);
    EXPECT_EQ(kind_of("postgresql://127.0.0.1:1/x?sslmode=requird"), ErrorKind::usage);
    EXPECT_EQ(kind_of("postgresql://nobody.invalid/x"), ErrorKind::unreachable);
    auto unknown = database_url();
    unknown.replace(unknown.rfind('/'), std::string::npos, "/no_such_database");
    EXPECT_EQ(kind_of(unknown), ErrorKind::not_found);
}

TEST_F(PostgresTest, ErrorsLeaveTheSessionUsable) {
    const auto error = error_of([&] { connection_.exec("SELECT 1; SELECT 1/0", soon()); });
    EXPECT_EQ(error.kind(), ErrorKind::rejected);
    EXPECT_EQ(error.native_code(), "22012");
    EXPECT_EQ(std::string(error.what()), connection_.name() + " refused: division by zero.");
    EXPECT_EQ(text("SELECT 1"), "1");
    connection_.exec("CREATE TABLE t (x int PRIMARY KEY)", soon());
    connection_.begin_copy("COPY t FROM STDIN", soon());
    connection_.copy_data("1\n1\n", soon());
    EXPECT_EQ(error_of([&] { connection_.end_copy(soon()); }).native_code(), "23505");
    connection_.begin_copy("COPY t FROM STDIN", soon());
    for (int i = 0; i < 100'000; ++i) connection_.copy_data(std::to_string(i) + "\n", soon());
    EXPECT_EQ(connection_.end_copy(soon()), 100'000);
    // An error while rows are still being sent.
    connection_.begin_copy("COPY t FROM STDIN", soon());
    connection_.copy_data("no number\n" + std::string(20'000'000, '1'), soon());
    EXPECT_EQ(error_of([&] { connection_.end_copy(soon()); }).native_code(), "22P02");
    EXPECT_EQ(text("SELECT 1"), "1");
    const auto denied = error_of(
        [&] { Connection("postgresql://nobody:secret-word@" + connection_.name().substr(13), soon()); });
    EXPECT_EQ(denied.native_code(), "28P01");
    EXPECT_EQ(denied.kind(), ErrorKind::authentication);
    EXPECT_EQ(std::string(denied.what()).find("secret-word"), std::string::npos);
}

TEST_F(PostgresTest, DeadlinesAndKilledSessions) {
    const auto late = error_of(
        [&] { connection_.exec("SELECT pg_sleep(30)", Deadline::after(std::chrono::milliseconds(100))); });
    EXPECT_EQ(late.kind(), ErrorKind::timeout);
    EXPECT_FALSE(connection_.usable());
    EXPECT_EQ(error_of([&] { connection_.exec("SELECT 1", soon()); }).kind(), ErrorKind::unreachable);
    Connection other(url_, soon()), killer(url_, soon());
    const auto pid = std::string(other.exec("SELECT pg_backend_pid()", soon()).value(0, 0));
    killer.exec("SELECT pg_terminate_backend($1::int)", {pid}, soon());
    EXPECT_EQ(error_of([&] {
                  for (int i = 0; i < 1000; ++i) other.exec("SELECT pg_sleep(0.01)", soon());
              }).kind(),
              ErrorKind::unreachable);
    EXPECT_FALSE(other.usable());
}

TEST_F(PostgresTest, TheUsersTimeOutsAreMeantForOthers) {
    Connection held(url_, soon()), hurried(url_ + "%20-cstatement_timeout%3D50%20-clock_timeout%3D1", soon());
    EXPECT_EQ(hurried.exec("SELECT pg_sleep(0.1), 'in time'", soon()).value(0, 1), "in time");
    EXPECT_EQ(hurried.exec("SELECT pg_sleep($1::float8), 'in time'", {"0.1"}, soon()).value(0, 1), "in time");
    hurried.prepare("wait", "SELECT pg_sleep($1::float8), 'in time'", soon());
    EXPECT_EQ(hurried.exec_prepared("wait", {"0.1"}, soon()).value(0, 1), "in time");
    // A lock that is held for longer than the user may wait.
    connection_.exec("CREATE TABLE t (x int); INSERT INTO t VALUES (1)", soon());
    Transaction transaction(held, soon());
    held.exec("UPDATE t SET x = 2", soon());
    std::jthread end([&] {
        while (text("SELECT count(*) FROM pg_locks WHERE NOT granted AND pid IN (SELECT pid FROM "
                    "pg_stat_activity WHERE query_start < now() - interval '100 ms')") == "0") {
            std::this_thread::yield();
        }
        transaction.commit(soon());
    });
    EXPECT_EQ(hurried.exec("UPDATE t SET x = x + 1", soon()).affected(), 1);
    end.join();
    EXPECT_EQ(text("SELECT x FROM t"), "3");
}

TEST_F(PostgresTest, TransactionsRollBackUnlessCommitted) {
    connection_.exec("CREATE TABLE t (x int)", soon());
    {
        Transaction transaction(connection_, soon());
        connection_.exec("INSERT INTO t VALUES (1)", soon());
    }
    EXPECT_FALSE(connection_.in_transaction());
    EXPECT_EQ(text("SELECT count(*) FROM t"), "0");
    {
        Transaction transaction(connection_, soon());
        connection_.exec("INSERT INTO t VALUES (1)", soon());
        transaction.commit(soon());
    }
    EXPECT_EQ(text("SELECT count(*) FROM t"), "1");
}

}  // namespace
}  // namespace crossover::postgres::test
