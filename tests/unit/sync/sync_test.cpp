#include "sync/sync.h"

#include <gtest/gtest.h>

#include "support/memory_stores.h"

namespace crossover::sync {
namespace {

using test::MemorySource;
using test::MemoryTarget;
using test::Node;
using test::Row;
using test::Script;

constexpr int kCallsOfOneRound = 5;  // read_versions, read_items, upsert, erase, read_versions

SyncLimits limits(int rounds = 5) {
    return {.rounds = rounds, .write_deadline = Deadline::after(std::chrono::seconds(5))};
}

/// Three ids: one that both stores have but differs, one that Neo4j lacks, one that Milvus lacks.
struct World {
    World() {
        source.nodes[ItemId("changed")] = {2, {1, 2}};
        source.nodes[ItemId("new")] = {1, {3, 4}};
        target.rows[ItemId("changed")] = {1, {9, 9}};
        target.rows[ItemId("deleted")] = {4, {5, 6}};
    }

    SyncOutcome run(const SyncLimits& with = limits()) {
        return sync(source, target, settlement, mapping, ids, with);
    }

    void expect_equal() const {
        for (const auto& id : ids) EXPECT_EQ(target.row(id), source.wanted(id)) << crossover::to_string(id);
    }

    Script script;
    MediaMapping mapping = test::mapping_of(2);
    MemorySource source{script, mapping};
    MemoryTarget target{script};
    test::MemorySettlement settlement{source};
    std::vector<ItemId> ids{ItemId("changed"), ItemId("deleted"), ItemId("new")};
};

/// A commit of another writer in Neo4j. Versions never repeat.
using Commit = std::function<void(World&, const ItemId&)>;

std::map<std::string, Commit> commits() {
    static std::int64_t version = 100;
    return {
        {"write",
         [](World& world, const ItemId& id) {
             const auto value = static_cast<float>(++version);
             world.source.nodes[id] = Node{version, {value, value}};
         }},
        {"remove", [](World& world, const ItemId& id) { world.source.nodes.erase(id); }},
        {"invalidate",
         [](World& world, const ItemId& id) {
             world.source.nodes[id] = Node{++version, {0, 0}, false};
         }},
        {"duplicate",
         [](World& world, const ItemId& id) {
             world.source.nodes[id] = Node{++version, {1, 1}, true, 2};
         }},
    };
}

TEST(Sync, WritesThePresentAndErasesTheRest) {
    World world;
    world.source.nodes[ItemId("nan")] = {7, {0, 0}, false};
    world.target.rows[ItemId("nan")] = {6, {1, 1}};
    world.ids.push_back(ItemId("nan"));
    const auto outcome = world.run();
    world.expect_equal();
    EXPECT_EQ(outcome.upserted, 2u);
    EXPECT_EQ(outcome.erased, 2u);
    ASSERT_EQ(outcome.rejected.size(), 1u);
    EXPECT_EQ(outcome.rejected[0].reason, RejectionReason::not_finite);
    EXPECT_TRUE(outcome.still_moving.empty());
    EXPECT_EQ(world.script.calls, kCallsOfOneRound);
}

TEST(Sync, LeavesOtherRowsAlone) {
    World world;
    world.target.rows[ItemId("other")] = {1, {1, 1}};
    world.run();
    EXPECT_EQ(world.target.row(ItemId("other")), (Row{1, {1, 1}}));
}

TEST(Sync, DoesNothingForNoIds) {
    World world;
    world.ids.clear();
    const auto outcome = world.run();
    EXPECT_EQ(outcome.upserted + outcome.erased, 0u);
    EXPECT_EQ(world.script.calls, 0);
}

TEST(Sync, StampsTheVersionReadBeforeTheVector) {
    World world;
    // The last round allowed: what is stored is what this round read.
    world.script.before = [&](int, const char* name) {
        if (std::string(name) == "read_items") world.source.nodes[ItemId("changed")] = {3, {7, 7}};
    };
    const auto outcome = world.run(limits(1));
    EXPECT_EQ(world.target.row(ItemId("changed")), (Row{2, {7, 7}}));
    EXPECT_EQ(outcome.still_moving, std::vector<ItemId>{ItemId("changed")});
}

/// One commit of another writer, before each call in turn. Whatever it is, and whenever: as long as it is
/// committed before the last look at the versions, Milvus ends equal to Neo4j.
TEST(Sync, EndsEqualWhateverIsCommittedAtAnyStep) {
    for (const auto& [name, commit] : commits()) {
        for (const ItemId& id : {ItemId("changed"), ItemId("deleted"), ItemId("new")}) {
            for (int step = 0; step < kCallsOfOneRound; ++step) {
                SCOPED_TRACE(name + " " + crossover::to_string(id) + " before call " + std::to_string(step));
                World world;
                world.script.before = [&](int call, const char*) {
                    if (call == step) commit(world, id);
                };
                const auto outcome = world.run();
                EXPECT_TRUE(outcome.still_moving.empty());
                EXPECT_EQ(outcome.upserted + outcome.erased, world.ids.size());
                world.expect_equal();
            }
        }
    }
}

/// The same with another writer that commits and completes its own sync() meanwhile: the slower of the two
/// must not leave what it read before.
TEST(Sync, DoesNotUndoAnotherWriter) {
    for (const auto& [name, commit] : commits()) {
        for (const ItemId& id : {ItemId("changed"), ItemId("deleted"), ItemId("new")}) {
            for (int step = 0; step < kCallsOfOneRound; ++step) {
                SCOPED_TRACE(name + " " + crossover::to_string(id) + " before call " + std::to_string(step));
                World world;
                bool done = false;
                world.script.before = [&](int call, const char*) {
                    if (call != step || done) return;
                    done = true;
                    commit(world, id);
                    const std::vector<ItemId> only{id};
                    sync(world.source, world.target, world.settlement, world.mapping, only, limits());
                };
                world.run();
                world.expect_equal();
            }
        }
    }
}

/// Two commits at any two steps, each followed by its own writer's complete sync(): absent, present and
/// absent again looks unchanged, but what was read in between must not stay in Milvus.
TEST(Sync, DoesNotResurrectWhatCameAndWentMeanwhile) {
    for (const auto& [first_name, first] : commits()) {
        for (const auto& [second_name, second] : commits()) {
            for (const ItemId& id : {ItemId("changed"), ItemId("deleted"), ItemId("new")}) {
                for (int early = 0; early < kCallsOfOneRound; ++early) {
                    for (int late = early; late < kCallsOfOneRound; ++late) {
                        SCOPED_TRACE(first_name + " before call " + std::to_string(early) + ", " +
                                     second_name + " before call " + std::to_string(late) + " of " +
                                     crossover::to_string(id));
                        World world;
                        int own_calls = 0;
                        bool others_turn = false;
                        const auto write = [&](const Commit& commit) {
                            others_turn = true;
                            commit(world, id);
                            const std::vector<ItemId> only{id};
                            sync(world.source, world.target, world.settlement, world.mapping, only, limits());
                            others_turn = false;
                        };
                        world.script.before = [&](int, const char*) {
                            if (others_turn) return;
                            const int step = own_calls++;
                            if (step == early) write(first);
                            if (step == late) write(second);
                        };
                        world.run();
                        world.expect_equal();
                    }
                }
            }
        }
    }
}

TEST(Sync, GivesUpOnAnIdThatChangesInEveryRound) {
    World world;
    std::int64_t version = 10;
    world.script.before = [&](int, const char* name) {
        if (std::string(name) == "upsert") world.source.nodes[ItemId("changed")] = {++version, {1, 1}};
    };
    const auto outcome = world.run(limits(3));
    EXPECT_EQ(outcome.still_moving, std::vector<ItemId>{ItemId("changed")});
    EXPECT_EQ(outcome.upserted, 1u);  // "new"
    EXPECT_EQ(outcome.erased, 1u);    // "deleted"
}

TEST(Sync, RepeatsOnlyWhatChanged) {
    World world;
    std::vector<std::string> calls;
    world.script.before = [&](int call, const char* name) {
        calls.emplace_back(name);
        if (call == 2) world.source.nodes[ItemId("changed")] = {3, {7, 7}};
    };
    world.run();
    EXPECT_EQ(calls, (std::vector<std::string>{"read_versions", "read_items", "upsert", "erase",
                                               "read_versions",  // round 2: no erase
                                               "read_versions", "read_items", "upsert", "read_versions"}));
}

TEST(Sync, PassesErrorsOn) {
    for (int step = 0; step < kCallsOfOneRound; ++step) {
        World world;
        world.script.before = [&](int call, const char*) {
            if (call == step) throw Error(System::milvus, ErrorKind::timeout, "late");
        };
        EXPECT_THROW(world.run(), Error) << step;
        // Once the fault is over, the same call makes all equal.
        world.script.before = nullptr;
        world.run();
        world.expect_equal();
    }
}

}  // namespace
}  // namespace crossover::sync
