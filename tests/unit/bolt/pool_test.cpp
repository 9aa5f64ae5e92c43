#include "bolt/pool.h"

#include <gmock/gmock.h>

#include <future>

#include "unit/bolt/fake_server.h"

namespace crossover::bolt::test {
namespace {

using namespace std::chrono_literals;

struct PoolTest : testing::Test {
    FakeServer server;
    Deadline::Clock::time_point now{};
    const Address address{"fake", 7687};

    std::shared_ptr<Pool> pool(std::size_t most = 2) {
        return Pool::create(PoolConfig{most, 30s, 1h, [this] { return now; }},
                            [this](const Address& to, Deadline deadline) {
                                return Connection::open(server.connector()(to, deadline), to,
                                                        {"test/1", AuthToken::none(), {}}, deadline);
                            });
    }
    static Deadline soon() { return Deadline::after(10s); }
};

TEST_F(PoolTest, ReusesWhatWasGivenBack) {
    const auto pool = this->pool();
    { const auto lease = pool->acquire(address, soon()); }
    EXPECT_EQ(pool->idle(address), 1u);
    { const auto lease = pool->acquire(address, soon()); }
    EXPECT_EQ(server.connections, 1);
    EXPECT_EQ(server.count(kReset), 0);
}

TEST_F(PoolTest, ChecksWhatWasIdleForLong) {
    const auto pool = this->pool();
    { const auto lease = pool->acquire(address, soon()); }
    now += 30s;
    { const auto lease = pool->acquire(address, soon()); }
    EXPECT_EQ(server.count(kReset), 1);
    EXPECT_EQ(server.connections, 1);
    now += 30s;
    server.lost_on[kReset] = 1;
    { const auto lease = pool->acquire(address, soon()); }
    EXPECT_EQ(server.connections, 2);
    EXPECT_EQ(pool->idle(address), 1u);
}

TEST_F(PoolTest, ReplacesWhatIsTooOld) {
    const auto pool = this->pool();
    { const auto lease = pool->acquire(address, soon()); }
    now += 1h;
    { const auto lease = pool->acquire(address, soon()); }
    EXPECT_EQ(server.connections, 2);
    EXPECT_EQ(server.count(kGoodbye), 1);
}

TEST_F(PoolTest, NeverReturnsAPoisonedConnection) {
    const auto pool = this->pool();
    {
        const auto lease = pool->acquire(address, soon());
        lease->protocol().run("RETURN 1", {}, nullptr);  // Its answer is owed.
        lease->flush(soon());
    }
    EXPECT_EQ(pool->idle(address), 0u);
    {
        const auto lease = pool->acquire(address, soon());
        server.lost_on[kReset] = 1;
        EXPECT_THROW(lease->reset(soon()), Error);
    }
    EXPECT_EQ(pool->idle(address), 0u);
    EXPECT_EQ(pool->in_use(address), 0u);
}

TEST_F(PoolTest, WaitsForAFreePlaceUntilTheDeadline) {
    const auto pool = this->pool(1);
    auto lease = pool->acquire(address, soon());
    const auto error = error_of([&] { pool->acquire(address, Deadline::after(20ms)); });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->kind(), ErrorKind::overloaded);
    auto waiting = std::async(std::launch::async, [&] { return bool(pool->acquire(address, soon())); });
    lease.give_back();
    EXPECT_TRUE(waiting.get());
    EXPECT_EQ(server.connections, 1);
}

TEST_F(PoolTest, AFailedConnectFreesItsPlace) {
    const auto pool = this->pool(1);
    server.refused = 1;
    EXPECT_EQ(error_of([&] { pool->acquire(address, soon()); })->kind(), ErrorKind::unreachable);
    EXPECT_TRUE(pool->acquire(address, soon()));
}

TEST_F(PoolTest, RenewingLetsNoOldConnectionBack) {
    const auto pool = this->pool();
    { const auto lease = pool->acquire(address, soon()); }
    auto lease = pool->acquire(address, soon());
    pool->renew_all();
    lease.give_back();
    EXPECT_EQ(pool->idle(address), 0u);
    EXPECT_TRUE(pool->acquire(address, soon()));
    EXPECT_EQ(server.connections, 2);
}

TEST_F(PoolTest, CloseEndsEverything) {
    const auto pool = this->pool(1);
    auto lease = pool->acquire(address, soon());
    auto waiting = std::async(std::launch::async,
                              [&] { return error_of([&] { pool->acquire(address, soon()); })->kind(); });
    pool->close();
    EXPECT_EQ(waiting.get(), ErrorKind::cancelled);
    EXPECT_THROW(lease->reset(soon()), Error);
    lease.give_back();
    EXPECT_EQ(pool->idle(address), 0u);
    EXPECT_EQ(error_of([&] { pool->acquire(address, soon()); })->kind(), ErrorKind::cancelled);
}

}  // namespace
}  // namespace crossover::bolt::test
