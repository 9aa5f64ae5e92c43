#include "redis/cluster.h"

#include <gmock/gmock.h>

#include <atomic>
#include <random>
#include <semaphore>
#include <set>

#include "integration/redis/servers.h"
#include "redis/key_scan.h"

namespace crossover::redis::test {
namespace {

using testing::HasSubstr;

class RedisCluster : public testing::Test {
  protected:
    static void SetUpTestSuite() { cluster_ = new Cluster; }
    static void TearDownTestSuite() {
        delete cluster_;
        cluster_ = nullptr;
    }
    void SetUp() override {
        for (int i = 0; i < 3; ++i) cluster().admin(i).call({"FLUSHALL"});
    }

    static Cluster& cluster() { return *cluster_; }
    static Address address(int node = 0) {
        return cluster().servers.at(static_cast<std::size_t>(node))->address();
    }

    static std::vector<std::string> fill(Keyspace& keyspace, int count, const std::string& prefix = "k:") {
        std::vector<std::string> keys;
        Pipeline pipeline;
        for (int i = 0; i < count; ++i) {
            keys.push_back(prefix + std::to_string(i));
            pipeline.add({"SET", keys.back(), "v" + keys.back()});
        }
        for (const auto& reply : keyspace.run(pipeline, soon())) EXPECT_EQ(reply.text, "OK");
        return keys;
    }
    static void expect_all(Keyspace& keyspace, const std::vector<std::string>& keys) {
        const auto texts = texts_of(keyspace, keys);
        for (std::size_t i = 0; i < keys.size(); ++i) ASSERT_EQ(texts[i], "v" + keys[i]);
    }

  private:
    static inline Cluster* cluster_ = nullptr;
};

TEST_F(RedisCluster, SlotsAreAsTheServerCountsThem) {
    const auto seed = std::random_device{}();
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    for (int i = 0; i < 2'000; ++i) {
        std::string key(random() % 20, ' ');
        for (auto& c : key) c = random() % 4 == 0 ? "{}"[random() % 2] : static_cast<char>(random());
        ASSERT_EQ(static_cast<std::int64_t>(key_slot(key)),
                  cluster().admin(0).call({"CLUSTER", "KEYSLOT", key}).integer);
    }
}

TEST_F(RedisCluster, IsRecognisedWrittenReadAndWalkedOver) {
    Keyspace keyspace(address());
    EXPECT_TRUE(keyspace.is_cluster());
    EXPECT_EQ(keyspace.masters().size(), 3u);
    const auto keys = fill(keyspace, 9'000);
    for (int i = 0; i < 3; ++i) EXPECT_GT(cluster().admin(i).call({"DBSIZE"}).integer, 2'500);
    expect_all(keyspace, keys);
    KeyScan scan(keyspace, "k:*", 500);
    std::multiset<std::string> found;
    std::vector<std::string> page;
    while (scan.next(page, soon())) found.insert(page.begin(), page.end());
    EXPECT_EQ(std::set<std::string>(found.begin(), found.end()),
              std::set<std::string>(keys.begin(), keys.end()));
    EXPECT_LT(found.size(), keys.size() + 100) << "one walk is enough where nothing moves";
    const auto digest = keyspace.load_script("return redis.call('GET', KEYS[1])", soon());
    Pipeline scripts;
    for (const auto& key : keys) scripts.add({"EVALSHA", digest, "1", key}, 3);
    const auto replies = keyspace.run(scripts, soon());
    for (std::size_t i = 0; i < keys.size(); ++i) ASSERT_EQ(replies[i].text, "v" + keys[i]);
}

TEST_F(RedisCluster, KeysOfASlotOnTheMoveAreFoundOnBothSides) {
    Keyspace keyspace(address());
    const auto keys = fill(keyspace, 40, "{tag}:");
    const auto slot = key_slot("tag");
    const int from = cluster().owner(slot), to = (from + 1) % 3;
    cluster().begin_move(slot, from, to);
    cluster().move_keys(slot, from, to, 20);
    expect_all(keyspace, keys);  // half of them by ASK
    Pipeline write;
    write.add({"SET", "{tag}:new", "v{tag}:new"});
    EXPECT_EQ(keyspace.run(write, soon()).at(0).text, "OK");
    auto with_new = keys;
    with_new.push_back("{tag}:new");
    expect_all(keyspace, with_new);
    cluster().move_keys(slot, from, to);
    cluster().finish_move(slot, from, to);
    expect_all(keyspace, with_new);  // by MOVED
    cluster().move(slot, to, from);
    expect_all(keyspace, with_new);
}

TEST_F(RedisCluster, ASlotThatMovesBehindTheWalkIsNotLost) {
    Keyspace keyspace(address());
    const auto keys = fill(keyspace, 6'000);
    KeyScan scan(keyspace, "k:*", 100);
    std::set<std::string> found;
    std::vector<std::string> page;
    std::set<int> walked;
    while (walked.size() < 2) {
        ASSERT_TRUE(scan.next(page, soon()));
        if (!page.empty()) walked.insert(cluster().owner(key_slot(page.front())));
        found.insert(page.begin(), page.end());
    }
    // From the third master, which comes last, to one that is walked over already.
    const int third = *walked.begin() == 0 ? (walked.contains(1) ? 2 : 1) : 0;
    const int first = (third + 1) % 3, second = (third + 2) % 3;
    std::set<std::size_t> slots;
    for (const auto& key : keys) {
        if (slots.size() < 20 && !found.contains(key) && cluster().owner(key_slot(key)) == third)
            slots.insert(key_slot(key));
    }
    ASSERT_EQ(slots.size(), 20u);
    bool even = true;
    for (const auto slot : slots) cluster().move(slot, third, (even = !even) ? first : second);
    while (scan.next(page, soon())) found.insert(page.begin(), page.end());
    EXPECT_EQ(found, std::set<std::string>(keys.begin(), keys.end()));
    for (const auto slot : slots) cluster().move(slot, cluster().owner(slot), third);
}

TEST_F(RedisCluster, ASlotThatIsAwayForAPartOfTheWalkIsNotLost) {
    Keyspace keyspace(address());
    auto keys = fill(keyspace, 6'000);
    const auto tagged = fill(keyspace, 300, "k:{tag}:");
    keys.insert(keys.end(), tagged.begin(), tagged.end());
    const auto slot = key_slot("{tag}");
    const int home = cluster().owner(slot), away = (home + 1) % 3;
    KeyScan scan(keyspace, "k:*", 50);  // some forty pages a master
    std::set<std::string> found;
    std::vector<std::string> page;
    const auto read_pages = [&](int count) {
        for (int i = 0; i < count; ++i) {
            ASSERT_TRUE(scan.next(page, soon()));
            found.insert(page.begin(), page.end());
        }
    };
    do read_pages(1);
    while (page.empty() || cluster().owner(key_slot(page.front())) != home);
    cluster().move(slot, home, away);
    read_pages(20);
    ASSERT_FALSE(page.empty());
    ASSERT_EQ(cluster().owner(key_slot(page.front())), home);
    cluster().move(slot, away, home);
    while (scan.next(page, soon())) found.insert(page.begin(), page.end());
    EXPECT_EQ(found, std::set<std::string>(keys.begin(), keys.end()));
}

TEST_F(RedisCluster, NothingIsLostWhileSlotsMoveAllTheTime) {
    const auto seed = std::random_device{}();
    SCOPED_TRACE(seed);
    Keyspace keyspace(address());
    const auto keys = fill(keyspace, 6'000);
    // About one move while a master is walked over, on however slow a machine: each spoils the walk over the
    // master that the slot goes to, and of spoiled ones there is an end.
    constexpr int kPagesForAMove = 20;
    std::counting_semaphore turn(0);
    std::atomic<bool> done = false;
    std::atomic<int> moves = 0;
    std::thread mover([&] {
        std::mt19937 random(seed);
        for (turn.acquire(); !done; turn.acquire()) {
            const auto slot = key_slot(keys[random() % keys.size()]);
            const int from = cluster().owner(slot);
            cluster().move(slot, from, (from + 1 + static_cast<int>(random() % 2)) % 3);
            ++moves;
        }
    });
    const std::set<std::string> expected(keys.begin(), keys.end());
    try {
        int pages = 0;
        for (int walks = 0; walks < 3 || moves < 60; ++walks) {
            std::set<std::string> found;
            std::vector<std::string> page;
            for (KeyScan scan(keyspace, "k:*", 100); scan.next(page, soon());) {
                if (++pages % kPagesForAMove == 0) turn.release();
                found.insert(page.begin(), page.end());
                expect_all(keyspace, page);
            }
            EXPECT_EQ(found, expected);
        }
    } catch (const Error& error) {
        ADD_FAILURE() << error.what();
    }
    done = true;
    turn.release();
    mover.join();
    expect_all(keyspace, keys);
}

TEST_F(RedisCluster, AMoveThatIsNeverFinishedIsSaid) {
    Keyspace keyspace(address());
    fill(keyspace, 40, "{tag}:");
    const auto slot = key_slot("tag");
    const int from = cluster().owner(slot), to = (from + 1) % 3;
    cluster().begin_move(slot, from, to);
    KeyScan scan(keyspace, "*", 1'000, 1s);
    std::vector<std::string> page;
    const auto error = error_of([&] {
        while (scan.next(page, soon())) {
        }
    });
    EXPECT_EQ(error.kind(), ErrorKind::not_ready);
    EXPECT_EQ(scan.slots_on_the_move(), 0u);
    EXPECT_THAT(error.what(), HasSubstr("Slot " + std::to_string(slot) + " of the cluster of "));
    for (const int node : {from, to})
        cluster().admin(node).call({"CLUSTER", "SETSLOT", std::to_string(slot), "STABLE"});
    while (scan.next(page, soon())) {
    }
}

TEST_F(RedisCluster, AMasterThatIsKilledComesBack) {
    Keyspace keyspace(address(1));
    const auto keys = fill(keyspace, 300);
    KeyScan scan(keyspace, "k:*", 10);
    std::set<std::string> found;
    std::vector<std::string> page;
    ASSERT_TRUE(scan.next(page, soon()));
    found.insert(page.begin(), page.end());
    cluster().servers[2]->kill();
    const auto error = error_of([&] { texts_of(keyspace, keys, Deadline::after(5s)); });
    EXPECT_TRUE(error.retryable()) << error.what();
    cluster().servers[2]->start();
    cluster().admins[2] = cluster().servers[2]->connect();
    ASSERT_TRUE(eventually([&] { return texts_of(keyspace, keys).size() == keys.size(); }));
    expect_all(keyspace, keys);
    ASSERT_TRUE(eventually([&] {
        while (scan.next(page, soon())) found.insert(page.begin(), page.end());
        return true;
    }));
    EXPECT_EQ(found, std::set<std::string>(keys.begin(), keys.end()));
}

}  // namespace
}  // namespace crossover::redis::test
