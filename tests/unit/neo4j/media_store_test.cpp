#include "neo4j/media_store.h"

#include <gtest/gtest.h>

#include "support/error_of.h"
#include "unit/bolt/fake_server.h"

namespace crossover::neo4j {
namespace {

using namespace std::chrono_literals;
using bolt::List;
using bolt::test::FakeServer;
using sync::Presence;

class MediaStoreTest : public testing::Test {
  protected:
    MediaStoreTest() {
        mapping.dimension = 2;
        mapping.id_kind = sync::IdKind::integer;
    }
    MediaStore store(bool ordered) { return {driver, "neo4j", mapping, ordered}; }

    FakeServer server;
    bolt::Driver driver{bolt::test::make_driver(server)};
    sync::MediaMapping mapping;
};

TEST_F(MediaStoreTest, AnIdThatChangedBetweenTheSeekAndTheReturnIsNotReturned) {
    // 1 became 7, 3 lost its id, and 4 became a text; 2 and 5 are as they were.
    server.results.push_back({List{7, List{1.0, 0.0}}, List{2, List{2.0, 0.0}}, List{nullptr, List{3.0, 0.0}},
                              List{"x", List{4.0, 0.0}}, List{5, List{5.0}}});
    const std::vector<ItemId> ids = {1, 2, 3, 4, 5};
    sync::Versions seen;
    for (std::int64_t version = 11; version <= 15; ++version) {
        seen.presences.push_back({Presence::State::present, version});
    }
    sync::ItemBatch valid;
    std::vector<sync::Rejected> rejected;
    store(true).read_items(ids, seen, valid, rejected, Deadline::after(30s));
    EXPECT_EQ(valid.ids, std::vector<ItemId>{2});
    EXPECT_EQ(valid.versions, std::vector<std::int64_t>{12});
    EXPECT_EQ(valid.vectors, (std::vector<float>{2, 0}));
    ASSERT_EQ(rejected.size(), 1U);
    EXPECT_EQ(std::get<std::int64_t>(rejected[0].id), 5);
}

TEST_F(MediaStoreTest, AScanWaitsForMoreThanTwoKeepAlives) {
    server.silent_on = bolt::test::kPull;
    for (const std::int64_t hint : {120, 0}) {
        server.keep_alive_seconds = hint;
        bolt::Driver fresh(bolt::test::make_driver(server));
        MediaStore media(fresh, "neo4j", mapping, true);
        server.waits.clear();
        EXPECT_EQ(error_of([&] { media.count_with_embedding(); }).kind(), ErrorKind::timeout);
        ASSERT_FALSE(server.waits.empty());
        const auto wanted = hint > 0 ? 120s : 300s;
        EXPECT_GT(server.waits.front(), wanted - 20s);
        EXPECT_LE(server.waits.front(), wanted);
    }
}

TEST_F(MediaStoreTest, AScanThatIsSilentEachTimeIsNotScannedForEver) {
    server.silent_on = bolt::test::kPull;
    auto media = store(true);
    const auto scan = [&] { media.scan_foreign_ids([](const sync::Rejected&) {}); };
    EXPECT_TRUE(error_of(scan).retryable());
    EXPECT_TRUE(error_of(scan).retryable());
    const auto last = error_of(scan);
    EXPECT_EQ(last.kind(), ErrorKind::not_ready);
    EXPECT_NE(std::string(last.what()).find("server.bolt.connection_keep_alive"), std::string::npos);
    // It begins anew, and one that comes to its end is a new beginning as well.
    EXPECT_TRUE(error_of(scan).retryable());
    EXPECT_TRUE(error_of(scan).retryable());
    server.silent_on = 0;
    server.rows = 0;
    scan();
    server.silent_on = bolt::test::kPull;
    EXPECT_TRUE(error_of(scan).retryable());
}

TEST_F(MediaStoreTest, AServerThatIsAwayIsWaitedForWithoutEnd) {
    server.silent_on = bolt::test::kHello;
    auto media = store(true);
    for (int attempt = 0; attempt < 10; ++attempt) {
        EXPECT_TRUE(error_of([&] { media.count_with_embedding(); }).retryable()) << attempt;
    }
}

}  // namespace
}  // namespace crossover::neo4j
