#include "learning/handover/handover.h"

#include "../redis/servers.h"
#include "support/postgres_fixture.h"

namespace crossover::learning {
namespace {

using postgres::test::soon;
using namespace std::chrono_literals;

class HandoverTest : public postgres::test::PostgresTest {
  protected:
    HandoverTest() : redis_(server_.address()), postgres_(url_), raw_(server_.address(), 10s) {
        postgres_.state(soon());  // makes the tables
    }

    void begin_at(Primary primary) {
        mover_.reset();
        connection_.exec("UPDATE agentdb_lease SET holder = NULL", soon());
        raw_.call({"DEL", "rl:control:uncaptured", "rl:control:mover"});
        raw_.call({"SET", "rl:control:primary", primary == Primary::redis ? "redis" : "postgres:1"});
        connection_.exec(
            primary == Primary::redis
                ? "UPDATE agentdb_state SET primary_store = 'redis', epoch = 0, reverse_through = NULL"
                : "UPDATE agentdb_state SET primary_store = 'postgres', epoch = 1, reverse_through = 1",
            soon());
    }
    /// As five seconds later: whoever has the lease is silent.
    void lapse() {
        connection_.exec("UPDATE agentdb_lease SET held_until = now() - interval '1 second'", soon());
    }
    std::string both() {
        return raw_.call({"GET", "rl:control:primary"}).text.value_or("") + " " +
               text("SELECT primary_store || epoch FROM agentdb_state");
    }
    const std::string& name() const { return mover_->name(); }

    redis::test::Server server_;
    RedisStore redis_;
    PostgresStore postgres_;
    redis::Connection raw_;
    std::unique_ptr<PostgresStore::Mover> mover_;  ///< the attempt that dies, or is frozen
};

TEST_F(HandoverTest, ForwardFromWhereverAnotherDiedWhoseStepsAreRefusedFromThenOn) {
    const std::vector<std::function<void()>> steps = {
        [&] { mover_ = postgres_.try_move(soon()); },
        [&] { redis_.claim_steps(name(), soon()); },
        [&] { EXPECT_EQ(redis_.begin_handover(name(), soon()), RedisStore::Begun::yes); },
        [&] { EXPECT_TRUE(mover_->become_primary(0, soon())); },
        [&] { EXPECT_TRUE(redis_.finish_handover(name(), 1, soon())); },
    };
    const std::vector<std::string> stands = {"redis redis0",  "redis redis0",     "redis redis0",
                                             "moving redis0", "moving postgres1", "postgres:1 postgres1"};
    for (std::size_t done = 1; done <= steps.size(); ++done) {
        begin_at(Primary::redis);
        for (std::size_t i = 0; i < done; ++i) steps[i]();
        EXPECT_EQ(both(), stands[done]) << done;
        EXPECT_EQ(Handover(redis_, postgres_).advance(Primary::postgres), std::nullopt);
        EXPECT_EQ(both(), stands[done]) << done << ": its lease still holds";
        lapse();
        EXPECT_EQ(Handover(redis_, postgres_).advance(Primary::postgres), std::nullopt) << done;
        EXPECT_EQ(both(), "postgres:1 postgres1") << done;
        EXPECT_EQ(redis_.begin_handover(name(), soon()), RedisStore::Begun::elsewhere);
        EXPECT_FALSE(redis_.abandon_handover(name(), soon()));
        EXPECT_FALSE(mover_->become_primary(1, soon()));
        EXPECT_FALSE(redis_.take_back(name(), 1, soon()));
        EXPECT_FALSE(redis_.restore(name(), 9, soon()));
        EXPECT_THROW(mover_->renew(soon()), Error);
        EXPECT_EQ(both(), "postgres:1 postgres1") << done;
    }
}

TEST_F(HandoverTest, BackFromWhereverAnotherDiedWhoseStepsAreRefusedFromThenOn) {
    const std::vector<std::function<void()>> steps = {
        [&] { mover_ = postgres_.try_move(soon()); },
        [&] { redis_.claim_steps(name(), soon()); },
        [&] { EXPECT_TRUE(mover_->begin_return(1, soon())); },
        [&] { EXPECT_TRUE(redis_.take_back(name(), 1, soon())); },
        [&] { EXPECT_TRUE(mover_->finish_return(1, soon())); },
    };
    const std::vector<std::string> stands = {"",
                                             "postgres:1 postgres1",
                                             "postgres:1 postgres1",
                                             "postgres:1 moving1",
                                             "redis moving1",
                                             "redis redis2"};
    for (std::size_t done = 1; done <= steps.size(); ++done) {
        begin_at(Primary::postgres);
        for (std::size_t i = 0; i < done; ++i) steps[i]();
        EXPECT_EQ(both(), stands[done]) << done;
        lapse();
        EXPECT_EQ(Handover(redis_, postgres_).advance(Primary::redis), std::nullopt) << done;
        EXPECT_EQ(both(), "redis redis2") << done;
        EXPECT_FALSE(mover_->begin_return(1, soon()));
        EXPECT_FALSE(mover_->abandon_return(1, false, soon()));
        EXPECT_FALSE(mover_->finish_return(1, soon()));
        EXPECT_EQ(redis_.begin_handover(name(), soon()), RedisStore::Begun::elsewhere);
        EXPECT_EQ(both(), "redis redis2") << done;
    }
}

TEST_F(HandoverTest, AStepThatComesAfterAnotherHasGivenTheReturnUpIsRefused) {
    begin_at(Primary::postgres);
    mover_ = postgres_.try_move(soon());
    redis_.claim_steps(name(), soon());
    ASSERT_TRUE(mover_->begin_return(1, soon()));
    lapse();
    auto other = postgres_.try_move(soon());
    ASSERT_TRUE(other);
    redis_.claim_steps(other->name(), soon());
    ASSERT_TRUE(other->abandon_return(1, false, soon()));
    EXPECT_FALSE(redis_.take_back(name(), 1, soon()));  // else both would take writes
    EXPECT_EQ(both(), "postgres:1 postgres1");
    // It gives back only its own.
    mover_.reset();
    other->renew(soon());
    other.reset();
    EXPECT_TRUE(postgres_.try_move(soon()));
}

}  // namespace
}  // namespace crossover::learning
