#include "learning/store/schema.h"

#include <thread>
#include <vector>

#include "support/postgres_fixture.h"

namespace crossover::learning {
namespace {

using postgres::test::soon;
using SchemaTest = postgres::test::PostgresTest;

TEST_F(SchemaTest, IsMadeOnceByManyAtOnce) {
    EXPECT_EQ(error_of([&] { require_schema(connection_, soon()); }).kind(), ErrorKind::not_ready);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            postgres::Connection own(url_, soon());
            migrate_schema(own, soon());
        });
    }
    for (auto& thread : threads) thread.join();
    migrate_schema(connection_, soon());
    require_schema(connection_, soon());
    EXPECT_EQ(text("SELECT string_agg(version::text, ',') FROM agentdb_schema"), "1,2");
    EXPECT_EQ(text("SELECT primary_store || epoch FROM agentdb_state"), "redis0");
    drop_secondary_indexes(connection_, soon());
    EXPECT_EQ(text("SELECT count(*) FROM pg_indexes WHERE tablename = 'rl_experiences' AND schemaname = '" +
                   schema_ + "'"),
              "1");
    migrate_schema(connection_, soon());
    EXPECT_EQ(text("SELECT count(*) FROM pg_indexes WHERE tablename = 'rl_experiences' AND schemaname = '" +
                   schema_ + "'"),
              "3");
    connection_.exec("INSERT INTO agentdb_schema (version) VALUES (3)", soon());
    EXPECT_EQ(error_of([&] { migrate_schema(connection_, soon()); }).kind(), ErrorKind::not_ready);
    EXPECT_EQ(error_of([&] { require_schema(connection_, soon()); }).kind(), ErrorKind::not_ready);
}

}  // namespace
}  // namespace crossover::learning
