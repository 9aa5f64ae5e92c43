#include "neo4j/media_store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <random>

#include "integration/bolt/server.h"
#include "support/tcp_proxy.h"

namespace crossover::neo4j {
namespace {

using bolt::test::environment;
using sync::Presence;
using sync::RejectionReason;
using sync::ScannedBatch;

constexpr std::uint32_t kDimension = 4;

/// NEO4J_URI speaks Bolt 5.8, BOLT6_URI Bolt 6.0, by which embeddings come as float32 vectors.
struct Server {
    const char* prefix;
    bolt::Version version;
};
constexpr Server kServers[] = {{"NEO4J", {5, 8}}, {"BOLT6", {6, 0}}};

bolt::AuthToken credentials(const Server& server) {
    const std::string prefix = server.prefix;
    return bolt::AuthToken::basic(environment((prefix + "_USER").c_str()),
                                  environment((prefix + "_PASSWORD").c_str()));
}

bolt::Uri uri(const Server& server) {
    return bolt::parse_uri(environment((std::string(server.prefix) + "_URI").c_str()));
}

std::string unique_label() {
    std::random_device random;
    return "Media" + std::to_string(random()) + std::to_string(random());
}

class MediaStoreTest : public ::testing::TestWithParam<Server> {
  protected:
    MediaStoreTest() : driver(uri(GetParam()), credentials(GetParam())) {
        mapping.label = unique_label();
        mapping.dimension = kDimension;
        mapping.properties = {{"title", sync::PropertyType::text}};
    }
    ~MediaStoreTest() override { cypher("MATCH (m:" + mapping.label + ") DELETE m"); }

    void cypher(const std::string& query, const bolt::Parameters& parameters = {}) {
        auto session = driver.session({.database = "neo4j"});
        session.run(query, parameters).consume();
    }
    void make_index() {
        cypher("CREATE INDEX FOR (m:" + mapping.label + ") ON (m.id)");
        cypher("CALL db.awaitIndexes(60)");
    }
    void create(bolt::Value id, bolt::Value embedding, std::int64_t version = 1) {
        cypher("CREATE (m:" + mapping.label +
                   " {id: $id, embedding: $embedding, embedding_version: $version, title: 't'})",
               {{"id", std::move(id)}, {"embedding", std::move(embedding)}, {"version", version}});
    }
    MediaStore store(bool ordered) { return MediaStore(driver, "neo4j", mapping, ordered); }

    struct Scanned {
        std::map<ItemId, std::vector<float>> vectors;
        std::map<ItemId, std::int64_t> versions;
        std::multimap<std::string, RejectionReason> rejected;
        std::vector<sync::KeyRange> keys;
        std::size_t read = 0;
    };
    static Scanned scan(MediaStore& store, std::size_t batch_rows, const sync::KeyRange& keys = {}) {
        Scanned all;
        const auto reject = [&](const sync::Rejected& rejected) {
            const auto* text = std::get_if<std::string>(&rejected.id);
            all.rejected.emplace(text != nullptr ? *text : "", rejected.reason);
        };
        bool last = false;
        store.scan(keys, batch_rows, [&](ScannedBatch&& batch) {
            EXPECT_FALSE(last);
            last = batch.last;
            all.keys.push_back(batch.keys);
            all.read += batch.read();
            EXPECT_TRUE(batch.to_resync.empty());
            for (std::size_t row = 0; row < batch.items.rows(); ++row) {
                const auto first =
                    batch.items.vectors.begin() + static_cast<std::ptrdiff_t>(row * kDimension);
                EXPECT_TRUE(
                    all.vectors.emplace(batch.items.ids[row], std::vector(first, first + kDimension)).second);
                all.versions.emplace(batch.items.ids[row], batch.items.versions[row]);
            }
            for (const auto& rejected : batch.rejected) reject(rejected);
            return true;
        });
        EXPECT_TRUE(last);
        if (store.ordered()) {
            store.scan_foreign_ids([&](const sync::Rejected& rejected) {
                ++all.read;
                reject(rejected);
            });
        }
        return all;
    }

    bolt::Driver driver;
    sync::MediaMapping mapping;
};

INSTANTIATE_TEST_SUITE_P(Servers, MediaStoreTest, ::testing::ValuesIn(kServers), [](const auto& info) {
    return std::string("Bolt") + std::to_string(info.param.version.major);
});

bolt::List floats(std::vector<double> values) {
    return {values.begin(), values.end()};
}

TEST_P(MediaStoreTest, SpeaksTheVersionThatTheServerHas) {
    auto session = driver.session({.database = "neo4j"});
    auto transaction = session.begin();
    EXPECT_EQ(transaction.version(), GetParam().version);
    transaction.commit();
    EXPECT_THROW(transaction.version(), Error);
}

/// Good and bad items mixed, the bad ones at every place relative to the batches.
TEST_P(MediaStoreTest, ReadsWhatIsGoodExactlyAndNamesWhatIsNot) {
    constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    std::map<ItemId, std::vector<float>> good;
    const auto add = [&](const std::string& id, const std::vector<double>& values) {
        create(id, floats(values));
        good[id] = std::vector<float>(values.begin(), values.end());
    };
    add("a", {0.1, -0.2, 1e-46, 1.8e19});
    add("b", {1.0 / 3, 2.0 / 3, 1e10, -1e-40});
    // Floats, each of them, but of no length that a float can hold.
    create("ba", floats({0.1, -0.2, 1e-46, 3.4028234663852886e38}));
    create("bb", floats({1e-30, 1e-30, 1e-30, 1e-30}));
    create("c", floats({1, kNan, 0, 0}));
    add("d", {1, 2, 3, 4});
    create("e", bolt::List{std::int64_t{1}, std::int64_t{2}, std::int64_t{3}, std::int64_t{16777217}});
    good["e"] = {1, 2, 3, 16777216};
    create("f", floats({1, 2, 3}));
    create("g", bolt::List{"x", "y", "z", "w"});
    create("h", "no list");
    create("i", floats({0, 0, 0, 0}));
    create("j", floats({1, 2, 3, 4}));  // twice, and the second one not even finite
    create("j", floats({kInfinity, 2, 3, 4}));
    add("k", {5, 6, 7, 8});
    create("l", floats({1e39, 0, 0, 0}));
    create("m", bolt::List{});
    for (char id = 'n'; id <= 'z'; ++id) add(std::string(1, id), {double(id), -double(id), 0, 1});
    create(bolt::Value(), floats({1, 2, 3, 4}));
    create(7, floats({1, 2, 3, 4}));
    make_index();

    const std::multimap<std::string, RejectionReason> bad{
        {"", RejectionReason::id_missing},       {"", RejectionReason::id_wrong_type},
        {"ba", RejectionReason::zero_vector},    {"bb", RejectionReason::zero_vector},
        {"c", RejectionReason::not_finite},      {"f", RejectionReason::wrong_dimension},
        {"g", RejectionReason::not_numeric},     {"h", RejectionReason::not_a_list},
        {"i", RejectionReason::zero_vector},     {"j", RejectionReason::id_duplicate},
        {"j", RejectionReason::id_duplicate},    {"l", RejectionReason::not_finite},
        {"m", RejectionReason::wrong_dimension},
    };
    for (const bool ordered : {true, false}) {
        for (const std::size_t batch_rows : {1U, 2U, 3U, 7U, 1000U}) {
            SCOPED_TRACE(std::string(ordered ? "ordered" : "unordered") + ", batches of " +
                         std::to_string(batch_rows));
            auto media = store(ordered);
            auto all = scan(media, batch_rows);
            EXPECT_EQ(all.vectors, good);
            EXPECT_EQ(all.read, good.size() + bad.size());
            // Those of one id come in no order.
            std::vector<std::pair<std::string, RejectionReason>> found(all.rejected.begin(),
                                                                       all.rejected.end());
            std::vector<std::pair<std::string, RejectionReason>> wanted(bad.begin(), bad.end());
            std::sort(found.begin(), found.end());
            std::sort(wanted.begin(), wanted.end());
            EXPECT_EQ(found, wanted);
            if (!ordered) continue;
            for (std::size_t i = 0; i + 1 < all.keys.size(); ++i) {
                EXPECT_EQ(all.keys[i].through, all.keys[i + 1].after);
            }
        }
    }
}

TEST_P(MediaStoreTest, ReadsARangeOfIds) {
    for (int i = 0; i < 9; ++i) create("id" + std::to_string(i), floats({1, 2, 3, double(i)}), i);
    make_index();
    auto media = store(true);
    const auto some = scan(media, 2, {ItemId("id2"), ItemId("id6")});
    EXPECT_EQ(some.versions,
              (std::map<ItemId, std::int64_t>{
                  {ItemId("id3"), 3}, {ItemId("id4"), 4}, {ItemId("id5"), 5}, {ItemId("id6"), 6}}));
    EXPECT_TRUE(scan(media, 2, {ItemId("id8"), std::nullopt}).vectors.empty());
}

TEST_P(MediaStoreTest, StopsAScanEarlyAndGoesOnReading) {
    for (int i = 0; i < 30; ++i) create("id" + std::to_string(100 + i), floats({1, 2, 3, 4}));
    make_index();
    for (const bool ordered : {true, false}) {
        auto media = store(ordered);
        int batches = 0;
        media.scan({}, 4, [&](ScannedBatch&&) { return ++batches < 3; });
        EXPECT_EQ(batches, 3);
        EXPECT_EQ(scan(media, 4).vectors.size(), 30u);
    }
}

TEST_P(MediaStoreTest, TellsPresentAbsentAndAmbiguousByIdAndByScan) {
    create("one", floats({1, 2, 3, 4}), 17);
    create("two", floats({1, 2, 3, 4}));
    create("two", floats({4, 3, 2, 1}));
    cypher("CREATE (:" + mapping.label + " {id: 'without'})");
    make_index();
    const std::vector<ItemId> ids{ItemId("two"), ItemId("nobody"), ItemId("without"), ItemId("one")};
    const Presence one{Presence::State::present, 17}, two{Presence::State::ambiguous, 0};
    for (const bool ordered : {true, false}) {
        auto media = store(ordered);
        const auto soon = Deadline::after(std::chrono::seconds(30));
        EXPECT_EQ(media.read_versions(ids, soon).presences, (std::vector<Presence>{two, {}, {}, one}));

        auto valid = sync::make_batch(mapping);
        std::vector<sync::Rejected> rejected;
        const sync::Versions given{{two, {}, {}, {Presence::State::present, 16}}, {}};
        media.read_items(ids, given, valid, rejected, soon);
        EXPECT_EQ(valid.ids, std::vector<ItemId>{ItemId("one")});
        EXPECT_EQ(valid.versions, std::vector<std::int64_t>{16});  // as it was given
        EXPECT_EQ(valid.vectors, (std::vector<float>{1, 2, 3, 4}));
        EXPECT_EQ(rejected.size(), 2u);
        EXPECT_EQ(media.count_with_embedding(), 3);
        EXPECT_EQ(media.count_without_embedding(), 1);
    }
    std::vector<std::pair<ItemId, Presence>> seen;
    store(true).scan_versions({}, [&](const ItemId& id, Presence presence) {
        seen.emplace_back(id, presence);
        return true;
    });
    EXPECT_EQ(seen, (std::vector<std::pair<ItemId, Presence>>{{ItemId("one"), one}, {ItemId("two"), two}}));
}

TEST_P(MediaStoreTest, DividesIdsIntoRanges) {
    make_index();
    for (int i = 0; i < 10; ++i) {
        EXPECT_TRUE(static_cast<int>(store(true).range_boundaries(2).size()) <= 1) << i;
        create("id" + std::to_string(i), floats({1, 2, 3, 4}));
    }
    EXPECT_EQ(store(true).range_boundaries(2), std::vector<ItemId>{ItemId("id6")});
    EXPECT_EQ(store(true).range_boundaries(1), std::vector<ItemId>{});
}

TEST_P(MediaStoreTest, DividesIntegerIdsIntoRangesByTheirValue) {
    make_index();
    mapping.id_kind = sync::IdKind::integer;
    for (int i = 0; i < 10; ++i) create((i - 5) * 1000, floats({1, 2, 3, 4}));
    create("a string", floats({1, 2, 3, 4}));
    EXPECT_EQ(store(true).range_boundaries(2), std::vector<ItemId>{ItemId(std::int64_t{1000})});
    EXPECT_EQ(store(true).range_boundaries(4),
              (std::vector<ItemId>{ItemId(std::int64_t{-2000}), ItemId(std::int64_t{1000}),
                                   ItemId(std::int64_t{4000})}));
}

/// What Bolt 6 is for: fewer bytes on the wire, the same floats.
TEST(Vectors, TakeLessThanHalfTheBytesOverBolt6) {
    std::map<int, std::uint64_t> received;
    for (const Server& server : kServers) {
        crossover::test::TcpProxy proxy(uri(server).address.port);
        bolt::Driver driver(bolt::parse_uri("bolt://127.0.0.1:" + std::to_string(proxy.port())),
                            credentials(server));
        sync::MediaMapping mapping;
        mapping.label = unique_label();
        mapping.dimension = 768;
        auto session = driver.session({.database = "neo4j"});
        session.run("CREATE INDEX FOR (m:" + mapping.label + ") ON (m.id)").consume();
        session
            .run("UNWIND range(1, 500) AS n CREATE (:" + mapping.label +
                 " {id: toString(n), embedding: [i IN range(1, 768) | rand()]})")
            .consume();
        session.run("CALL db.awaitIndexes(60)").consume();
        MediaStore media(driver, "neo4j", mapping, true);
        const auto before = proxy.received();
        std::size_t rows = 0;
        media.scan({}, 100, [&](ScannedBatch&& batch) { return rows += batch.items.rows(), true; });
        EXPECT_EQ(rows, 500u);
        received[server.version.major] = proxy.received() - before;
        session.run("MATCH (m:" + mapping.label + ") DELETE m").consume();
    }
    EXPECT_GT(received[5], 500u * 768 * 9);
    EXPECT_LT(2 * received[6], received[5]);
}

}  // namespace
}  // namespace crossover::neo4j
