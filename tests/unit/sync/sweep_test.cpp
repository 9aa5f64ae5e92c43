#include "sync/sweep.h"

#include <gtest/gtest.h>

#include <set>

#include "base/deletions.h"
#include "support/memory_stores.h"

namespace crossover::sync {
namespace {

using test::MemorySource;
using test::MemoryTarget;
using test::Script;

/// Pages of seven rows.
class Pages : public TargetScanner {
  public:
    explicit Pages(const MemoryTarget& target) : target_(target) {}
    void begin_scan(Deadline) override { ++scans; }
    VersionPage versions_after(const std::optional<ItemId>& after, Deadline) override {
        VersionPage page;
        auto at = after ? target_.rows.upper_bound(*after) : target_.rows.begin();
        for (; at != target_.rows.end() && page.size() < 7; ++at) {
            page.ids.push_back(at->first);
            page.versions.push_back(at->second.version);
        }
        return page;
    }
    int scans = 0;

  private:
    const MemoryTarget& target_;
};

/// `equal` items in both stores, then what differs.
struct World {
    explicit World(bool ordered = true, int equal = 0) : source{script, test::mapping_of(2), ordered} {
        for (int i = 0; i < equal; ++i) {
            const ItemId id("equal" + std::to_string(i));
            source.nodes[id] = {1, {1, 2}};
            target.rows[id] = {1, {1, 2}};
        }
    }
    void add_orphans(int count) {
        for (int i = 0; i < count; ++i) target.rows[ItemId("orphan" + std::to_string(i))] = {1, {1, 2}};
    }
    void add_stale(int count) {
        for (int i = 0; i < count; ++i) {
            const ItemId id("stale" + std::to_string(i));
            source.nodes[id] = {2, {1, 2}};
            target.rows[id] = {1, {1, 2}};
        }
    }
    SweepResult run(bool all_or_nothing = false) {
        return sweep({source,
                      source,
                      pages,
                      [&](std::span<const ItemId> ids) {
                          EXPECT_LE(ids.size(), 1000U);
                          for (const auto& id : ids) EXPECT_TRUE(told.insert(id).second);
                          told_before_the_question = asked == 0 ? told.size() : told_before_the_question;
                      },
                      {},
                      [](std::int64_t) {},
                      [](const Error&) {},
                      [&](std::int64_t orphans, std::int64_t rows) {
                          ++asked;
                          return !needs_permission_to_delete(orphans, rows);
                      },
                      all_or_nothing},
                     {});
    }

    Script script;
    MemorySource source;
    MemoryTarget target{script};
    Pages pages{target};
    std::set<ItemId> told;
    std::size_t told_before_the_question = 0;
    int asked = 0;
};

class Sweeping : public testing::TestWithParam<bool> {};

TEST_P(Sweeping, ToldOrphansAreATenthAtMost) {
    World world(GetParam(), 1'800);
    world.add_orphans(200);
    const auto result = world.run();
    EXPECT_EQ(result.orphans, 200);
    EXPECT_EQ(result.rows, 2'000);
    EXPECT_EQ(result.refused, 0);
    EXPECT_EQ(world.told.size(), 200U);
    EXPECT_EQ(world.told_before_the_question, 0U) << "all are counted before the first is told";
    EXPECT_EQ(world.asked, 1);
}

TEST_P(Sweeping, RefusedOrphansAreNotToldAndTheRestIs) {
    World world(GetParam(), 1'500);
    world.add_orphans(201);
    world.add_stale(299);
    const auto result = world.run();
    EXPECT_EQ(result.different, 500);
    EXPECT_EQ(result.orphans, 201);
    EXPECT_EQ(result.refused, 201);
    EXPECT_EQ(world.told.size(), 299U);
    EXPECT_FALSE(world.told.contains(ItemId("orphan0")));
}

TEST_P(Sweeping, AllOrNothingTellsNothingOfARefusedLook) {
    World world(GetParam(), 1'500);
    world.add_orphans(201);
    world.add_stale(299);
    const auto result = world.run(true);
    EXPECT_EQ(result.refused, 500);
    EXPECT_TRUE(world.told.empty());

    World other(GetParam(), 1'600);
    other.add_orphans(100);
    other.add_stale(300);
    EXPECT_EQ(other.run(true).refused, 0);
    EXPECT_EQ(other.told.size(), 400U);
}

TEST_P(Sweeping, WithoutOrphansNobodyIsAsked) {
    World world(GetParam(), 10);
    world.add_stale(300);
    EXPECT_EQ(world.run(true).different, 300);
    EXPECT_EQ(world.told.size(), 300U);
    EXPECT_EQ(world.asked, 0);
}

TEST_P(Sweeping, MoreThanAreKeptAreFoundOnceMore) {
    World world(GetParam(), 27'000);
    world.add_orphans(3'000);
    world.add_stale(10);
    const auto result = world.run();
    EXPECT_EQ(result.orphans, 3'000);
    EXPECT_EQ(result.refused, 0);
    EXPECT_EQ(world.told.size(), 3'010U);
    EXPECT_EQ(world.pages.scans, 2);
}

INSTANTIATE_TEST_SUITE_P(WithAndWithoutAnIndex, Sweeping, testing::Bool(),
                         [](const auto& info) { return info.param ? "ordered" : "unordered"; });

}  // namespace
}  // namespace crossover::sync
