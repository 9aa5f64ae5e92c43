#include <gtest/gtest.h>

#include <random>
#include <set>
#include <thread>

#include "base/error.h"
#include "integration/bolt/server.h"
#include "neo4j/change_log.h"
#include "neo4j/lease.h"
#include "neo4j/media_store.h"
#include "neo4j/media_writer.h"
#include "neo4j/replicas.h"

namespace crossover::neo4j {
namespace {

using bolt::test::environment;
using namespace std::chrono_literals;

Deadline soon() {
    return Deadline::after(30s);
}

std::string unique(const std::string& prefix) {
    std::random_device random;
    return prefix + std::to_string(random()) + std::to_string(random());
}

sync::MediaMapping new_mapping() {
    sync::MediaMapping mapping;
    mapping.label = unique("Captured");
    mapping.collection = unique("captured_");
    mapping.dimension = 2;
    mapping.properties = {{"title", sync::PropertyType::text}, {"year", sync::PropertyType::int64}};
    return mapping;
}

class CaptureTest : public testing::Test {
  protected:
    CaptureTest()
        : driver(bolt::parse_uri(environment("NEO4J_URI")),
                 bolt::AuthToken::basic(environment("NEO4J_USER"), environment("NEO4J_PASSWORD"))) {
        cypher("CREATE CONSTRAINT FOR (m:" + mapping.label + ") REQUIRE m.id IS UNIQUE");
        log.prepare();
        prepare_epochs(driver, "neo4j");
    }
    ~CaptureTest() override {
        cypher("MATCH (m:" + mapping.label + ") DETACH DELETE m");
        cypher("MATCH (n {collection: $collection}) DELETE n", {{"collection", mapping.collection}});
    }

    std::vector<bolt::Record> cypher(const std::string& query, const bolt::Parameters& parameters = {}) {
        return driver.session({.database = "neo4j"}).run(query, parameters).collect();
    }
    std::int64_t number(const std::string& query, const bolt::Parameters& parameters = {}) {
        return *cypher(query, parameters).at(0)[0].get_if<std::int64_t>();
    }
    bolt::Map properties_of(const std::string& id) {
        const auto rows =
            cypher("MATCH (m:" + mapping.label + " {id: $id}) RETURN properties(m)", {{"id", id}});
        return *rows.at(0)[0].get_if<bolt::Map>();
    }
    std::int64_t entries() {
        return number("MATCH (c:EmbeddingChange {collection: $collection}) RETURN count(c)",
                      {{"collection", mapping.collection}});
    }
    /// As if the lease had ended.
    void expire(const ChangeEntry& entry) {
        cypher("MATCH (c:EmbeddingChange {key: $key}) SET c.lease = 1", {{"key", entry.key}});
    }
    MediaItem item(const std::string& id) const {
        return {id, std::vector<double>{1, 0.1}, {"Title", 1999}, 0};
    }
    std::vector<sync::Presence> versions(const std::vector<ItemId>& ids) {
        return MediaStore(driver, "neo4j", mapping, true).read_versions(ids, soon()).presences;
    }

    bolt::Driver driver;
    const sync::MediaMapping mapping = new_mapping();
    const std::string owner = unique("owner-");
    MediaWriter writer{driver, "neo4j", mapping, owner};
    ChangeLog log{driver, "neo4j", mapping};
};

TEST_F(CaptureTest, APutStoresTheItemAndItsEntryInOne) {
    const auto written = writer.put(item("a"), Capture::on, soon());
    EXPECT_TRUE(written.created);
    ASSERT_TRUE(written.entry);
    EXPECT_EQ(properties_of("a"), (bolt::Map{{"id", "a"},
                                             {"title", "Title"},
                                             {"year", 1999},
                                             {"embedding", bolt::List{1.0, 0.1}},
                                             {"embedding_version", written.version}}));
    const auto rows = cypher(
        "MATCH (c:EmbeddingChange {key: $key}) RETURN c.media_id, c.version, c.op, c.owner, "
        "c.lease - c.created_at",
        {{"key", written.entry->key}});
    ASSERT_EQ(rows.size(), 1U);
    EXPECT_EQ(rows[0].values(), (bolt::List{"a", written.version, "put", owner, 20'000}));

    const auto again = writer.put(item("a"), Capture::on, soon());
    EXPECT_FALSE(again.created);
    EXPECT_GT(again.version, written.version);
    EXPECT_EQ(entries(), 2);
}

TEST_F(CaptureTest, WithoutCaptureThereIsNoEntryButAFreshVersion) {
    const auto first = writer.put(item("a"), Capture::off, soon());
    const auto second = writer.put(item("a"), Capture::off, soon());
    EXPECT_FALSE(second.entry);
    EXPECT_GT(second.version, first.version);
    EXPECT_FALSE(writer.erase(std::string("a"), Capture::off, soon())->entry);
    EXPECT_EQ(entries(), 0);
}

TEST_F(CaptureTest, AVersionFromAFasterClockIsFollowedByTheNext) {
    writer.put(item("a"), Capture::on, soon());
    const std::int64_t future = 4'000'000'000'000'000'000;
    cypher("MATCH (m:" + mapping.label + ") SET m.embedding_version = $future", {{"future", future}});
    EXPECT_EQ(writer.put(item("a"), Capture::on, soon()).version, future + 1);
    EXPECT_EQ(writer.erase(std::string("a"), Capture::on, soon())->version, future + 2);
}

TEST_F(CaptureTest, APutWithoutEmbeddingKeepsItAndWhatTheMappingDoesNotName) {
    writer.put(item("a"), Capture::on, soon());
    cypher("MATCH (m:" + mapping.label + ") SET m.director = 'Lang'");
    writer.put({std::string("a"), std::nullopt, {bolt::Null(), 2000}, 0}, Capture::on, soon());
    const auto stored = properties_of("a");
    EXPECT_EQ(*stored.find("embedding"), (bolt::List{1.0, 0.1}));
    EXPECT_EQ(*stored.find("director"), "Lang");
    EXPECT_EQ(*stored.find("year"), 2000);
    EXPECT_EQ(stored.find("title"), nullptr);
    EXPECT_EQ(stored.find("crossover_touched"), nullptr);
}

TEST_F(CaptureTest, ADeleteRemovesNodeAndRelationshipsAndLeavesAnEntry) {
    writer.put(item("a"), Capture::on, soon());
    cypher("MATCH (m:" + mapping.label + ") CREATE (:CaptureTestUser)-[:VIEWED]->(m)");
    const auto erased = writer.erase(std::string("a"), Capture::on, soon());
    ASSERT_TRUE(erased && erased->entry);
    EXPECT_EQ(number("MATCH (c:EmbeddingChange {key: $key}) WHERE c.op = 'delete' RETURN c.version",
                     {{"key", erased->entry->key}}),
              erased->version);
    EXPECT_EQ(number("MATCH (m:" + mapping.label + ") RETURN count(m)"), 0);
    EXPECT_FALSE(writer.erase(std::string("a"), Capture::on, soon()));
    EXPECT_EQ(entries(), 2);
    cypher("MATCH (u:CaptureTestUser) DELETE u");
}

TEST_F(CaptureTest, ReadShowsWhatIsThere) {
    const auto written = writer.put(item("a"), Capture::on, soon());
    const auto found = writer.read(std::string("a"), soon());
    ASSERT_TRUE(found);
    EXPECT_EQ(found->version, written.version);
    EXPECT_EQ(*found->embedding, (std::vector<double>{1, 0.1}));
    EXPECT_EQ(found->properties, (std::vector<bolt::Value>{"Title", 1999}));
    EXPECT_FALSE(writer.read(std::string("b"), soon()));
}

TEST_F(CaptureTest, VersionsOfOneIdNeverRepeatUnderContention) {
    MediaWriter other(driver, "neo4j", mapping, owner);
    std::mutex mutex;
    std::multiset<std::int64_t> seen;
    std::vector<std::jthread> threads;
    for (int n = 0; n < 8; ++n) {
        threads.emplace_back([&, n] {
            for (int i = 0; i < 15; ++i) {
                auto& mine = n % 2 == 0 ? writer : other;
                std::optional<Written> written;
                if (i % 5 == 4) {
                    written = mine.erase(std::string("hot"), Capture::on, soon());
                } else {
                    written = mine.put(item("hot"), Capture::on, soon());
                }
                if (!written) continue;
                std::lock_guard lock(mutex);
                seen.insert(written->version);
            }
        });
    }
    threads.clear();
    EXPECT_EQ(std::set<std::int64_t>(seen.begin(), seen.end()).size(), seen.size());
    EXPECT_EQ(entries(), static_cast<std::int64_t>(seen.size()));
}

TEST_F(CaptureTest, AVersionCheckRetiresTheEntriesOfWhatIsUnchanged) {
    const std::vector<ItemId> ids = {std::string("a"), std::string("b")};
    std::vector<ChangeEntry> mine = {*writer.put(item("a"), Capture::on, soon()).entry,
                                     *writer.put(item("a"), Capture::on, soon()).entry,
                                     *writer.put(item("b"), Capture::on, soon()).entry};
    const auto before = versions(ids);
    const auto later = writer.put(item("a"), Capture::on, soon());
    EXPECT_EQ(log.version_check(mine)->changed(ids, before, {}, soon()), (std::vector<std::size_t>{0}));
    EXPECT_EQ(entries(), 3) << "b's is retired; a has changed, and one more";

    EXPECT_TRUE(log.version_check(mine)->changed(ids, versions(ids), {}, soon()).empty());
    const auto left = cypher("MATCH (c:EmbeddingChange {owner: $owner}) RETURN c.key", {{"owner", owner}});
    ASSERT_EQ(left.size(), 1U);
    EXPECT_EQ(left[0][0], later.entry->key) << "an entry that was not named stays";
}

/// What a version check finds invalid or refused it records, of just that version, and of a row it forgets
/// it.
TEST_F(CaptureTest, AVersionCheckRecordsWhatIsNoRow) {
    const std::string longest(8000, 'x');
    const std::vector<ItemId> ids = {std::string("a"), std::string("b"), std::string("gone"), longest};
    for (const auto& id : ids) writer.put(item(std::get<std::string>(id)), Capture::on, soon());
    MediaStore store(driver, "neo4j", mapping, true);
    const auto known = [&] { return store.quarantined(ids, versions(ids), soon()); };
    const auto reject = [](const std::string& id) {
        return sync::Rejected{id, {}, sync::RejectionReason::refused_by_server, "Milvus's words"};
    };
    const std::vector<ChangeEntry> none;
    const std::vector<sync::Rejected> rejected = {reject("a"),
                                                  reject("gone"),
                                                  reject(longest),
                                                  reject("a"),
                                                  {{}, "4:x:1", sync::RejectionReason::id_missing, {}}};
    EXPECT_EQ(known(), (std::vector<bool>{false, false, false, false}));
    EXPECT_TRUE(log.version_check(none)->changed(ids, versions(ids), rejected, soon()).empty());
    EXPECT_EQ(known(), (std::vector<bool>{true, false, true, true}));
    const auto records = cypher(
        "MATCH (r:RefusedItem) WHERE r.collection = $collection AND size(r.media_id) < 9 "
        "RETURN r.media_id, r.version, r.reason ORDER BY r.media_id",
        {{"collection", mapping.collection}});
    ASSERT_EQ(records.size(), 2U);
    EXPECT_EQ(records[0][0], bolt::Value("a"));
    EXPECT_EQ(records[0][1], bolt::Value(versions(ids)[0].version));
    EXPECT_EQ(records[0][2], bolt::Value("refused_by_server"));

    // Another collection's mapping sees and removes none of them.
    auto others_mapping = mapping;
    others_mapping.collection += "2";
    MediaStore others(driver, "neo4j", others_mapping, true);
    EXPECT_EQ(others.quarantined(ids, versions(ids), soon()), std::vector<bool>(4));
    EXPECT_TRUE(ChangeLog(driver, "neo4j", others_mapping)
                    .version_check(none)
                    ->changed(ids, versions(ids), {}, soon())
                    .empty());
    EXPECT_EQ(known(), (std::vector<bool>{true, false, true, true}));

    // A later version says nothing of the record's; a version check that finds the id changed leaves it as it
    // was.
    const auto before = versions(ids);
    writer.put(item("a"), Capture::on, soon());
    EXPECT_EQ(log.version_check(none)->changed(ids, before, {}, soon()), (std::vector<std::size_t>{0}));
    EXPECT_EQ(known(), std::vector<bool>(4)) << "the others are rows by now, as the version check was told";
    EXPECT_EQ(number("MATCH (r:RefusedItem {collection: $of, media_id: 'a'}) RETURN count(r)",
                     {{"of", mapping.collection}}),
              1);
    writer.erase(std::string("a"), Capture::on, soon());
    EXPECT_TRUE(log.version_check(none)->changed(ids, versions(ids), {}, soon()).empty());
    EXPECT_EQ(number("MATCH (r:RefusedItem {collection: $of}) RETURN count(r)", {{"of", mapping.collection}}),
              0)
        << "gone with the item";
}

TEST_F(CaptureTest, ADeposedOwnerRetiresNothing) {
    const std::vector<ItemId> ids = {std::string("a")};
    const std::vector<ChangeEntry> mine = {*writer.put(item("a"), Capture::on, soon()).entry};
    const auto before = versions(ids);
    expire(mine[0]);
    const auto claimed = log.claim(100).entries;
    ASSERT_EQ(claimed.size(), 1U);
    EXPECT_EQ(claimed[0].key, mine[0].key);
    EXPECT_NE(claimed[0].owner, mine[0].owner);
    EXPECT_TRUE(log.version_check(mine)->changed(ids, before, {}, soon()).empty());
    EXPECT_EQ(entries(), 1) << "the same process, but not the same claim";
    EXPECT_TRUE(log.version_check(claimed)->changed(ids, before, {}, soon()).empty());
    EXPECT_EQ(entries(), 0);
}

TEST_F(CaptureTest, AnOwnerThatIsDeposedJustThenRetiresNothing) {
    const std::vector<ItemId> ids = {std::string("a")};
    const std::vector<ChangeEntry> mine = {*writer.put(item("a"), Capture::on, soon()).entry};
    const auto before = versions(ids);
    auto session = driver.session({.database = "neo4j"});
    auto claim = session.begin();
    claim.run("MATCH (c:EmbeddingChange {key: $key}) SET c.owner = 'another'", {{"key", mine[0].key}})
        .consume();
    std::jthread settling(
        [&] { EXPECT_TRUE(log.version_check(mine)->changed(ids, before, {}, soon()).empty()); });
    while (number("SHOW TRANSACTIONS YIELD status, currentQuery WHERE status STARTS WITH 'Blocked' AND "
                  "currentQuery CONTAINS 'EmbeddingChange' RETURN count(*)") == 0) {
        std::this_thread::yield();
    }
    claim.commit();
    settling.join();
    EXPECT_EQ(entries(), 1);
}

TEST_F(CaptureTest, WhatIsOwedCanBeClaimedAtOnce) {
    const std::vector<ItemId> ids = {std::string("a"), std::string("b")};
    const auto fresh = writer.put(item("a"), Capture::on, soon());
    log.owe(ids);
    log.owe(std::vector<ItemId>{std::string("a")});
    std::multiset<ItemId> claimed;
    for (const auto& entry : log.claim(100).entries) {
        EXPECT_NE(entry.key, fresh.entry->key);
        claimed.insert(entry.id);
    }
    EXPECT_EQ(claimed, (std::multiset<ItemId>{ids[0], ids[0], ids[1]}));
}

TEST_F(CaptureTest, OnlyEntriesWhoseLeaseHasEndedAreClaimed) {
    const auto first = *writer.put(item("a"), Capture::on, soon()).entry;
    const auto second = *writer.put(item("b"), Capture::on, soon()).entry;
    EXPECT_TRUE(log.claim(100).entries.empty());
    expire(second);
    const auto claimed = log.claim(100).entries;
    ASSERT_EQ(claimed.size(), 1U);
    EXPECT_EQ(claimed[0].key, second.key);
    EXPECT_TRUE(log.claim(100).entries.empty()) << "it has a lease again";
    EXPECT_EQ(log.depth(soon()).entries, 2);
    (void)first;
}

TEST_F(CaptureTest, NoEntryIsClaimedTwice) {
    for (int n = 0; n < 60; ++n) expire(*writer.put(item("a"), Capture::on, soon()).entry);
    std::mutex mutex;
    std::multiset<std::string> claimed;
    std::vector<std::jthread> threads;
    for (int n = 0; n < 6; ++n) {
        threads.emplace_back([&] {
            for (auto found = log.claim(7); !found.entries.empty(); found = log.claim(7)) {
                std::lock_guard lock(mutex);
                for (const auto& entry : found.entries) claimed.insert(entry.key);
            }
        });
    }
    threads.clear();
    EXPECT_EQ(claimed.size(), 60U);
    EXPECT_EQ(std::set<std::string>(claimed.begin(), claimed.end()).size(), 60U);
}

TEST_F(CaptureTest, EntriesOfAnotherCollectionAreNotSeen) {
    auto others = mapping;
    others.label = unique("Others");
    others.collection = unique("others_");
    MediaWriter other_writer(driver, "neo4j", others, owner);
    ChangeLog other_log(driver, "neo4j", others);
    const auto mine = *writer.put(item("a"), Capture::on, soon()).entry;
    expire(mine);
    log.owe(std::vector<ItemId>{std::string("b")});
    const auto theirs = *other_writer.put(item("a"), Capture::on, soon()).entry;

    EXPECT_TRUE(other_log.claim(100).entries.empty()) << "a's lease has ended, but it is another's";
    EXPECT_EQ(other_log.depth(soon()).entries, 1);
    EXPECT_EQ(log.depth(soon()).entries, 2);
    expire(theirs);
    const auto claimed = log.claim(100).entries;
    ASSERT_EQ(claimed.size(), 2U);
    EXPECT_NE(claimed[0].key, theirs.key);
    EXPECT_NE(claimed[1].key, theirs.key);
    ASSERT_EQ(other_log.claim(100).entries.size(), 1U);
    cypher("MATCH (n:EmbeddingChange {collection: $collection}) DELETE n",
           {{"collection", others.collection}});
    cypher("MATCH (m:" + others.label + ") DELETE m");
}

TEST_F(CaptureTest, EntriesOfNoCollectionAreTakenIn) {
    while (log.take_in_unowned() > 0) {
    }
    cypher("UNWIND range(1, 3) AS n CREATE (:EmbeddingChange {key: $key + n, media_id: 'a', lease: n})",
           {{"key", owner}});
    EXPECT_TRUE(log.claim(100).entries.empty());
    EXPECT_EQ(log.take_in_unowned(), 3);
    EXPECT_EQ(log.claim(100).entries.size(), 3U);
    EXPECT_EQ(log.take_in_unowned(), 0);
}

TEST_F(CaptureTest, AnEntryWhoseIdNoRowCanHaveIsDiscarded) {
    cypher(
        "UNWIND range(0, 5) AS i WITH i, [1, 1.5, true, null, ['a'], 'a'][i] AS id CREATE "
        "(c:EmbeddingChange {collection: $collection, key: $key + i, lease: 1}) SET c.media_id = id",
        {{"collection", mapping.collection}, {"key", owner}});
    const auto claim = log.claim(100);
    EXPECT_EQ(claim.discarded, 5);
    ASSERT_EQ(claim.entries.size(), 1U);
    EXPECT_EQ(claim.entries[0].id, ItemId("a"));
    EXPECT_EQ(entries(), 1);
}

class BarrierTest : public CaptureTest {
  protected:
    Barrier look() { return look_of(mapping.collection); }
    Barrier look_of(const std::string& collection) {
        return driver.session({.database = "neo4j"}).execute_write([&](bolt::Transaction& transaction) {
            return look_at_barrier(transaction, collection);
        });
    }
    /// What an earlier release, or its test, has left.
    std::int64_t unowned_epochs() {
        return number("MATCH (e:CaptureEpoch) WHERE e.collection IS NULL RETURN sum(e.number)");
    }
    std::string mode_of(const std::string& id) {
        for (const auto& replica : look().living) {
            if (replica.id == id) return replica.mode;
        }
        return "absent";
    }
    Heartbeat heartbeat{driver, "neo4j", mapping.collection, owner};
};

TEST_F(BarrierTest, AHeartbeatMakesAReplicaLivingUntilItWithdraws) {
    EXPECT_EQ(mode_of(owner), "absent");
    EXPECT_TRUE(heartbeat.limit().passed());
    heartbeat.beat("dual_write", soon());
    EXPECT_EQ(mode_of(owner), "dual_write");
    EXPECT_GT(heartbeat.limit().remaining(), 20s);
    heartbeat.beat("hybrid", soon());
    EXPECT_EQ(mode_of(owner), "hybrid");
    heartbeat.withdraw(soon());
    EXPECT_EQ(mode_of(owner), "absent");
}

TEST_F(BarrierTest, EnteringAndLeavingNeo4jOnlyBeginsAnEpoch) {
    const auto epoch = look().epoch;
    const auto epochs_after = [&](const char* mode) {
        heartbeat.beat(mode, soon());
        return look().epoch - epoch;
    };
    EXPECT_EQ(epochs_after("dual_write"), 0);
    EXPECT_EQ(epochs_after("hybrid"), 0);
    EXPECT_EQ(epochs_after("neo4j_only"), 1);
    EXPECT_EQ(epochs_after("neo4j_only"), 1) << "it only goes on";
    EXPECT_EQ(epochs_after("dual_write"), 2);
    heartbeat.withdraw(soon());
    EXPECT_EQ(look().epoch - epoch, 2);
    EXPECT_EQ(epochs_after("neo4j_only"), 3) << "at its start";
    heartbeat.withdraw(soon());
    EXPECT_EQ(look().epoch - epoch, 4);
}

TEST_F(BarrierTest, ADeadReplicaThatDidNotCaptureEndsTheEpoch) {
    const auto died_in = [&](const char* mode) {
        cypher(
            "CREATE (:EngineReplica {collection: $collection, id: $id, mode: $mode, seen_at: timestamp() - "
            "31000})",
            {{"collection", mapping.collection}, {"id", owner + "-dead"}, {"mode", mode}});
        return look().epoch;
    };
    const auto epoch = look().epoch;
    EXPECT_EQ(died_in("dual_write"), epoch);
    EXPECT_EQ(died_in("neo4j_only"), epoch + 1);
    EXPECT_EQ(number("MATCH (r:EngineReplica {id: $id}) RETURN count(r)", {{"id", owner + "-dead"}}), 0);
    EXPECT_EQ(look().epoch, epoch + 1);
}

TEST_F(BarrierTest, AReplicaOfAnotherCollectionIsNobody) {
    const std::string other = unique("other_");
    Heartbeat theirs(driver, "neo4j", other, owner + "-other");
    heartbeat.beat("dual_write", soon());
    const auto epoch = look().epoch;
    const auto their_epoch = look_of(other).epoch;
    theirs.beat("neo4j_only", soon());
    EXPECT_EQ(mode_of(owner + "-other"), "absent");
    EXPECT_EQ(look().epoch, epoch);
    EXPECT_EQ(look_of(other).epoch, their_epoch + 1);
    EXPECT_EQ(look_of(other).living.size(), 1U);
    theirs.withdraw(soon());
    EXPECT_EQ(look().epoch, epoch);
    heartbeat.withdraw(soon());
    cypher("MATCH (n:CaptureEpoch {collection: $collection}) DELETE n", {{"collection", other}});
}

TEST_F(BarrierTest, AReplicaOfAnEarlierReleaseCountsForEveryCollection) {
    const std::string other = unique("other_");
    const auto epoch = look().epoch;
    const auto their_epoch = look_of(other).epoch;
    cypher("CREATE (:EngineReplica {id: $id, mode: 'neo4j_only', seen_at: timestamp()})", {{"id", owner}});
    EXPECT_EQ(mode_of(owner), "neo4j_only");
    EXPECT_EQ(look().epoch, epoch);
    cypher("MATCH (r:EngineReplica {id: $id}) SET r.seen_at = 1", {{"id", owner}});
    EXPECT_EQ(mode_of(owner), "absent");
    EXPECT_EQ(look().epoch, epoch + 1);
    EXPECT_EQ(look_of(other).epoch, their_epoch + 1)
        << "it was buried by the first, and was not captured here";
    cypher("MATCH (n:CaptureEpoch {collection: $collection}) DELETE n", {{"collection", other}});
}

TEST_F(BarrierTest, FirstEnginesThatComeTogetherMakeOneEpoch) {
    std::vector<std::jthread> threads;
    for (int n = 0; n < 8; ++n) {
        threads.emplace_back([&, n] {
            Heartbeat one(driver, "neo4j", mapping.collection, owner + std::to_string(n));
            one.beat("neo4j_only", soon());
        });
    }
    threads.clear();
    EXPECT_EQ(number("MATCH (e:CaptureEpoch {collection: $collection}) RETURN count(e)",
                     {{"collection", mapping.collection}}),
              1);
    EXPECT_EQ(look().epoch, 8 + unowned_epochs());
    EXPECT_EQ(look().living.size(), 8U);
}

class LeaseTest : public CaptureTest {
  protected:
    std::unique_ptr<Lease> take() {
        return Lease::acquire(driver, "neo4j", {"test", mapping.collection}, 10s, [](const std::string&) {},
                              {});
    }
};

TEST_F(LeaseTest, PassesOnWhatMayStillBeOnItsWay) {
    EXPECT_FALSE(take()->inherited_writes()) << "nobody had it";
    {
        const auto lease = take();
        lease->writes_begin();
        lease->writes_ended();
    }
    EXPECT_FALSE(take()->inherited_writes()) << "all was settled";
    take()->writes_begin();
    {
        const auto lease = take();
        ASSERT_TRUE(lease->inherited_writes());
        EXPECT_GT(lease->inherited_writes()->remaining(), 8s);
        EXPECT_LE(lease->inherited_writes()->remaining(), 10s);
    }
    {
        const auto lease = take();
        EXPECT_TRUE(lease->inherited_writes()) << "the one before had not waited it out";
        lease->writes_ended();
    }
    EXPECT_FALSE(take()->inherited_writes());
}

TEST_F(LeaseTest, InheritsFromAHolderThatLapsed) {
    const auto former = take();
    cypher("MATCH (l:CrossoverLease {name: $name}) SET l.expires_at = timestamp() - 1",
           {{"name", "test " + mapping.collection}});
    const auto lease = take();
    ASSERT_TRUE(lease->inherited_writes());
    EXPECT_TRUE(lease->inherited_writes()->passed());
    EXPECT_THROW(former->transact(soon(), [](bolt::Transaction&) {}), Error);
    EXPECT_THROW(former->limit(), Error) << "it knows now";
    EXPECT_FALSE(lease->limit().passed());
}

}  // namespace
}  // namespace crossover::neo4j
