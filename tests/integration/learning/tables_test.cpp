#include "learning/store/tables.h"

#include <thread>

#include "learning/store/lease.h"
#include "learning/store/schema.h"
#include "support/postgres_fixture.h"

namespace crossover::learning {
namespace {

using postgres::test::soon;

class TablesTest : public postgres::test::PostgresTest {
  protected:
    TablesTest() : session_(std::make_unique<postgres::Connection>(url_, soon())) {
        migrate_schema(*session_, soon());
        EXPECT_TRUE(take_lease(*session_, LeaseName::copy, holder_, soon()));
    }

    static Row experience(const std::string& key, double reward, std::int64_t version = 0) {
        Row row;
        row.clear(Kind::experience);
        row.key = key;
        row.agent_id = "a";
        row.state = row.action = "1";
        row.number = reward;
        row.version = version;
        row.content_hash = static_cast<std::int64_t>(reward * 8);
        return row;
    }
    static Row q(const std::string& key, const std::string& action, double value) {
        Row row;
        row.clear(Kind::q_value);
        row.key = key;
        row.agent_id = "a";
        row.state_hash = "s";
        row.action = action;
        row.number = value;
        row.content_hash = static_cast<std::int64_t>(value * 8);
        return row;
    }
    std::int64_t write(std::initializer_list<Row> rows, bool upsert = false) {
        EncodedRows encoded;
        encoded.clear(rows.begin()->kind);
        for (const auto& row : rows) encoded.add(row);
        refused_.clear();
        return write_rows(*session_, holder_, encoded, upsert, [&](std::size_t i, const std::string& reason) {
            refused_ += encoded.keys[i] + ": " + reason + "\n";
        });
    }
    std::string rewards() {
        return text(
            "SELECT coalesce(string_agg(convert_from(redis_key, 'UTF8') || '=' || reward || '/' || version, "
            "' ' ORDER BY "
            "redis_key), '') FROM rl_experiences");
    }

    const std::string holder_ = "this copy";
    std::unique_ptr<postgres::Connection> session_;
    std::string refused_;
};

TEST_F(TablesTest, NewerWins) {
    EXPECT_EQ(write({experience("a", 1), experience("b", 1, 5)}), 2);
    EXPECT_EQ(write({experience("a", 1), experience("b", 2, 5), experience("c", 1)}),
              1);  // one was there: upsert
    EXPECT_EQ(rewards(), "a=1/0 b=1/5 c=1/0");
    EXPECT_EQ(write({experience("a", 2), experience("b", 3, 4)}, true), 1);
    EXPECT_EQ(rewards(), "a=2/0 b=1/5 c=1/0");
    EXPECT_EQ(write({experience("a", 3, 1), experience("b", 4, 6)}, true), 2);
    EXPECT_EQ(write({experience("a", 9)}, true), 0);
    EXPECT_EQ(rewards(), "a=3/1 b=4/6 c=1/0");
    auto expiring = experience("b", 4, 6);
    expiring.expires_at_us = 1'000'000;
    EXPECT_EQ(write({expiring}, true), 1);
    EXPECT_EQ(delete_expired(*session_, holder_, Kind::experience, 999), 0);
    EXPECT_EQ(delete_expired(*session_, holder_, Kind::experience, 1000), 1);
}

TEST_F(TablesTest, OneBadRowDoesNotKeepTheOthersBack) {
    auto bad = experience("bad", 1);
    bad.state = "[1e999999]";
    EXPECT_EQ(write({experience("a", 1), bad, experience("b", 1), experience("c", 1)}), 3);
    EXPECT_EQ(refused_, "bad: PostgreSQL refuses it: value overflows numeric format.\n");
    EXPECT_EQ(count_rows(*session_, Kind::experience), 3);
}

TEST_F(TablesTest, WhatWouldBeRefusedIsToldAndNothingIsWritten) {
    auto bad = experience("bad", 1);
    bad.state = "[1e999999]";
    EncodedRows rows;
    rows.clear(Kind::experience);
    for (const auto& row : {experience("a", 1), bad, experience("b", 1)}) rows.add(row);
    const auto refusals = refusals_of(*session_, rows);
    ASSERT_EQ(refusals.size(), 1U);
    EXPECT_EQ(refusals[0].row, 1U);
    EXPECT_EQ(refusals[0].reason, "PostgreSQL refuses it: value overflows numeric format.");
    // Two rows of one identity speak against neither; what is there does not count.
    write({q("k0", "y", 3)});
    rows.clear(Kind::q_value);
    for (const auto& row : {q("k1", "x", 1), q("k2", "x", 2), q("k0", "y", 4)}) rows.add(row);
    EXPECT_EQ(refusals_of(*session_, rows).size(), 0U);
    EXPECT_EQ(count_rows(*session_, Kind::experience), 0);
    EXPECT_EQ(text("SELECT string_agg(convert_from(redis_key, 'UTF8') || value, ' ') FROM q_values"), "k03");
    EXPECT_EQ(text("SELECT count(*) FROM pg_class WHERE relpersistence = 't' AND relname = 'q_values'"), "0");
    EXPECT_FALSE(session_->in_transaction());
}

TEST_F(TablesTest, AQValueHasTwoIdentities) {
    EXPECT_EQ(write({q("k1", "x", 1), q("k2", "x", 2), q("k3", "y", 3)}), 2);
    EXPECT_EQ(refused_, "k2: another key has the same agent_id, state_hash and action\n");
    EXPECT_EQ(write({q("k1", "z", 4), q("k2", "x", 5)}, true), 2);  // k1 moved away, and made room
    EXPECT_EQ(text("SELECT string_agg(convert_from(redis_key, 'UTF8') || action || value, ' ' ORDER BY "
                   "redis_key) FROM q_values"),
              "k1z4 k2x5 k3y3");
}

TEST_F(TablesTest, DeletesOnlyWhatWasSeen) {
    write({experience("a", 1), experience("b", 1), experience("c", 1)});
    const auto page = page_of_keys(*session_, Kind::experience, std::nullopt, 2);
    ASSERT_EQ(page.size(), 2U);
    EXPECT_EQ(page_of_keys(*session_, Kind::experience, page.back().key, 2).size(), 1U);
    write({experience("a", 2)}, true);
    EXPECT_EQ(delete_unchanged(*session_, holder_, Kind::experience, page), 1);
    EXPECT_EQ(rewards(), "a=2/0 c=1/0");
}

TEST_F(TablesTest, RefusesOncePostgresIsPrimary) {
    session_->exec("UPDATE agentdb_state SET primary_store = 'postgres'", soon());
    const auto error = error_of([&] { write({experience("a", 1)}); });
    EXPECT_EQ(error.kind(), ErrorKind::not_ready);
    EXPECT_NE(std::string(error.what()).find("--reverse"), std::string::npos);
    EXPECT_FALSE(session_->in_transaction());
    EXPECT_EQ(count_rows(*session_, Kind::experience), 0);
}

TEST_F(TablesTest, RowsComeBackAsTheyWere) {
    auto row = experience(std::string("\0\xFF", 2), 0.1, 7);
    row.has_next_state = true;
    row.next_state = "null";
    row.done = true;
    row.occurred_at_us = 1'700'000'000'123'456;
    row.extra = "{\"more\": [0.10, 12345678901234567890]}";
    row.expires_at_us = 4'000'000'000'123'000;
    write({row});
    const std::string_view key = row.key;
    const auto rows = read_rows(*session_, Kind::experience, std::span(&key, 1));
    ASSERT_EQ(rows.size(), 1U);
    EXPECT_EQ(difference(row, rows[0]), "");
    EXPECT_EQ(rows[0].extra, row.extra);
    EXPECT_EQ(rows[0].content_hash, row.content_hash);
    int streamed = 0;
    stream_rows(*session_, Kind::experience, std::nullopt, 10, [&](Row&& one) {
        ++streamed;
        EXPECT_EQ(difference(row, one), "");
    });
    EXPECT_EQ(streamed, 1);
}

TEST_F(TablesTest, WhoLostTheLeaseWritesNothingAndATakerWaitsForWhatIsUnderWay) {
    EXPECT_EQ(write({experience("a", 1)}), 1);
    EXPECT_FALSE(take_lease(connection_, LeaseName::copy, "other", soon()));
    EXPECT_TRUE(renew_lease(connection_, LeaseName::copy, holder_, soon()));
    connection_.exec("UPDATE agentdb_lease SET held_until = now() - interval '1 second'", soon());
    EXPECT_EQ(write({experience("b", 1)}), 1) << "time alone takes nothing away";
    {
        // A batch that has looked: it does not make a renewal wait, but a taker.
        postgres::Transaction batch(*session_, soon());
        EXPECT_EQ(session_->exec(lease_condition(LeaseName::copy, holder_), soon()).rows(), 1U);
        EXPECT_TRUE(
            renew_lease(connection_, LeaseName::copy, holder_, Deadline::after(std::chrono::seconds(5))));
        connection_.exec("UPDATE agentdb_lease SET held_until = now() - interval '1 second'", soon());
        bool taken = false;
        std::jthread taker([&] {
            postgres::Connection own(url_, soon());
            taken = take_lease(own, LeaseName::copy, "other", soon());
        });
        while (text("SELECT count(*) FROM pg_locks WHERE NOT granted") == "0") std::this_thread::yield();
        batch.commit(soon());
        taker.join();
        EXPECT_TRUE(taken);
    }
    EXPECT_EQ(error_of([&] { write({experience("c", 1)}); }).kind(), ErrorKind::conflict);
    EXPECT_EQ(error_of([&] { delete_expired(*session_, holder_, Kind::experience, 0); }).kind(),
              ErrorKind::conflict);
    EXPECT_EQ(rewards(), "a=1/0 b=1/0");
    EXPECT_FALSE(renew_lease(connection_, LeaseName::copy, holder_, soon()));
    release_lease(connection_, LeaseName::copy, holder_, soon());
    EXPECT_TRUE(renew_lease(connection_, LeaseName::copy, "other", soon()));
    // Nobody holds it: killed between lock and look leaves nothing.
    release_lease(connection_, LeaseName::copy, "other", soon());
    {
        postgres::Connection killed(url_, soon());
        killed.exec("BEGIN; SELECT FROM agentdb_lease WHERE name = 'copy' FOR UPDATE", soon());
    }
    EXPECT_TRUE(take_lease(connection_, LeaseName::copy, "third", soon()));
}

TEST_F(TablesTest, SettingsEndWithTheTransaction) {
    const auto settings =
        "SELECT concat_ws(' ', current_setting('synchronous_commit'), current_setting('enable_seqscan'), "
        "current_setting('jit'), current_setting('statement_timeout'))";
    const auto before = std::string(session_->exec(settings, soon()).value(0, 0));
    EXPECT_EQ(write({experience("a", 1)}), 1);
    EXPECT_EQ(write({experience("a", 2)}, true), 1);
    EXPECT_EQ(session_->exec(settings, soon()).value(0, 0), before);
    EXPECT_EQ(session_->exec("SELECT to_regclass('stage_rl_experiences')", soon()).is_null(0, 0), true);
    EXPECT_FALSE(session_->pooled());
    EXPECT_FALSE(session_->read_only());
}

}  // namespace
}  // namespace crossover::learning
