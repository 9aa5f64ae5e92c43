#include "sync/sync.h"
#include "sync/sweep.h"

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
        return sync(source, target, version_check, mapping, ids, with);
    }

    void expect_equal() const {
        for (const auto& id : ids) EXPECT_EQ(target.row(id), source.wanted(id)) << crossover::to_string(id);
    }

    Script script;
    MediaMapping mapping = test::mapping_of(2);
    MemorySource source{script, mapping};
    MemoryTarget target{script};
    test::MemoryVersionCheck version_check{source};
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
                    sync(world.source, world.target, world.version_check, world.mapping, only, limits());
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
                            sync(world.source, world.target, world.version_check, world.mapping, only,
                                 limits());
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

TEST(Sync, QuarantinesAloneWhatMilvusRefuses) {
    for (const std::set<int>& bad : {std::set<int>{0}, {19}, {7, 8}, {1, 5, 6, 18}}) {
        World world;
        world.ids.clear();
        for (int i = 0; i < 20; ++i) {
            const ItemId id(std::to_string(100 + i));
            world.ids.push_back(id);
            world.source.nodes[id] = {i + 1, {1, static_cast<float>(i)}};
            world.target.rows[id] = {0, {9, 9}};
            if (bad.contains(i)) world.target.refused.insert(id);
        }
        const auto outcome = world.run();
        EXPECT_EQ(outcome.upserted, 20 - bad.size());
        EXPECT_EQ(outcome.erased, bad.size());
        ASSERT_EQ(outcome.rejected.size(), bad.size());
        EXPECT_TRUE(outcome.still_moving.empty());
        for (int i = 0; i < 20; ++i) {
            const ItemId id(std::to_string(100 + i));
            EXPECT_EQ(world.target.row(id), bad.contains(i) ? std::nullopt : world.source.wanted(id));
            EXPECT_EQ(world.source.records.contains(id), bad.contains(i));
        }
        for (const auto& rejected : outcome.rejected) {
            EXPECT_EQ(rejected.reason, RejectionReason::refused_by_server);
            EXPECT_EQ(rejected.detail, "refused: " + std::get<std::string>(rejected.id));
        }
    }
}

TEST(Sync, ARecordGoesWhenTheItemIsARowOrGone) {
    World world;
    world.source.nodes[ItemId("new")].valid = false;
    world.run();
    ASSERT_TRUE(world.source.records.contains(ItemId("new")));
    world.source.nodes[ItemId("new")] = {2, {3, 4}};
    world.run();
    EXPECT_FALSE(world.source.records.contains(ItemId("new")));

    world.target.refused = {ItemId("new")};
    world.source.nodes[ItemId("new")].version = 3;
    world.run();
    EXPECT_EQ(world.source.records.at(ItemId("new")).second, RejectionReason::refused_by_server);
    world.source.nodes.erase(ItemId("new"));
    world.run();
    EXPECT_TRUE(world.source.records.empty());
}

/// An item that changes while its refusal is found out is judged anew.
TEST(Sync, AChangeBesideARefusalGoesRoundAgain) {
    World world;
    world.target.refused = {ItemId("new")};
    world.script.before = [&](int, const char* name) {
        if (std::string(name) != "erase" || world.target.refused.empty()) return;
        world.target.refused.clear();
        world.source.nodes[ItemId("new")] = {9, {7, 7}};
    };
    const auto outcome = world.run();
    world.expect_equal();
    EXPECT_TRUE(outcome.rejected.empty());
    EXPECT_TRUE(world.source.records.empty());
}

/// A hundred items, each with a row of an earlier version.
void make_many(World& world) {
    world.ids.clear();
    world.target.rows.clear();
    for (int i = 0; i < 100; ++i) {
        const ItemId id(std::to_string(100 + i));
        world.ids.push_back(id);
        world.source.nodes[id] = {2, {1, 1}};
        world.target.rows[id] = {1, {1, 1}};
    }
}

/// However many they are: good rows need not be among them, where what was refused before is looked at again.
TEST(Sync, OfABatchInWhichEveryRowIsRefusedEachIsQuarantined) {
    World world;
    make_many(world);
    world.target.refused.insert(world.ids.begin(), world.ids.end());
    const auto outcome = world.run();
    EXPECT_EQ(outcome.rejected.size(), 100u);
    EXPECT_EQ(outcome.erased, 100u);
    EXPECT_EQ(world.source.records.size(), 100u);
}

/// Then it is not the rows that are wrong: one, or many.
TEST(Sync, ARefusalByACollectionWithOtherFieldsQuarantinesNothing) {
    for (const std::size_t rows : {1, 2, 100}) {
        World world;
        make_many(world);
        world.ids.resize(rows);
        world.target.other_fields = true;
        EXPECT_THROW(world.run(), Error) << rows;
        EXPECT_EQ(world.target.rows.size(), 100u) << rows;
        EXPECT_TRUE(world.source.records.empty()) << rows;
    }
}

/// However little time there is for it, so that each call comes nearer to the end of it.
TEST(Sync, RefusedRowsComeToBeAloneSoon) {
    struct Watched : MemoryTarget {
        using MemoryTarget::MemoryTarget;
        std::vector<std::size_t> sizes;
        void upsert(ItemBatch& batch, Deadline deadline) override {
            sizes.push_back(batch.rows());
            MemoryTarget::upsert(batch, deadline);
        }
    };
    World world;
    make_many(world);
    Watched target(world.script);
    target.refused.insert(world.ids.begin(), world.ids.end());
    sync(world.source, target, world.version_check, world.mapping, world.ids, limits());
    ASSERT_GE(target.sizes.size(), 8u);
    target.sizes.resize(8);
    EXPECT_EQ(target.sizes, (std::vector<std::size_t>{100, 50, 25, 12, 6, 3, 1, 2}));
}

/// What there is no time to find out is neither written off nor written down.
TEST(Sync, WithoutTimeForHalvingTheRestGoesRoundAgain) {
    World world;
    world.target.refused = {ItemId("new")};
    auto with = limits(1);
    with.write_deadline = Deadline::after(std::chrono::milliseconds(0));
    const auto outcome = world.run(with);
    EXPECT_TRUE(outcome.rejected.empty());
    EXPECT_TRUE(world.source.records.empty());
    EXPECT_EQ(outcome.erased, 1u);
    EXPECT_EQ(std::set<ItemId>(outcome.still_moving.begin(), outcome.still_moving.end()),
              (std::set<ItemId>{ItemId("changed"), ItemId("new")}));
    EXPECT_EQ(world.target.row(ItemId("changed")), (Row{1, {9, 9}}));
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

class MemoryRows : public TargetScanner {
  public:
    explicit MemoryRows(const MemoryTarget& target) : target_(target) {}
    void begin_scan(Deadline) override {}
    VersionPage versions_after(const std::optional<ItemId>& after, Deadline) override {
        VersionPage page;
        auto row = after ? target_.rows.upper_bound(*after) : target_.rows.begin();
        for (; row != target_.rows.end() && page.size() < 2; ++row) {
            page.ids.push_back(row->first);
            page.versions.push_back(row->second.version);
        }
        return page;
    }

  private:
    const MemoryTarget& target_;
};

/// What a record of the present version calls quarantined is not different, so that nobody owes it again.
TEST(Sweep, TellsTheQuarantinedFromTheMissing) {
    World world;
    for (const char* id : {"bad", "missing", "mended", "shared", "twice"})
        world.source.nodes[ItemId(id)] = {5, {1, 1}};
    world.source.nodes[ItemId("shared")].copies = 2;
    world.source.nodes[ItemId("twice")].copies = 2;
    world.target.rows[ItemId("twice")] = {5, {1, 1}};  // a row that must not be
    const auto record = [&](const char* id, Presence of, RejectionReason reason) {
        world.source.records[ItemId(id)] = {of, reason};
    };
    record("bad", {Presence::State::present, 5}, RejectionReason::refused_by_server);
    record("mended", {Presence::State::present, 4}, RejectionReason::not_finite);
    record("shared", {Presence::State::ambiguous, 0}, RejectionReason::id_duplicate);
    record("twice", {Presence::State::ambiguous, 0}, RejectionReason::id_duplicate);

    MemoryRows rows(world.target);
    std::set<ItemId> different;
    std::set<ItemId> quarantined;
    const auto into = [](std::set<ItemId>& ids) {
        return [&](std::span<const ItemId> told) { ids.insert(told.begin(), told.end()); };
    };
    const auto result =
        sweep({world.source, world.source, rows, into(different), into(quarantined), [](std::int64_t) {},
               [](const Error&) {}, [](std::int64_t, std::int64_t) { return true; }},
              {});
    EXPECT_EQ(different, (std::set<ItemId>{ItemId("changed"), ItemId("deleted"), ItemId("new"),
                                           ItemId("missing"), ItemId("mended"), ItemId("twice")}));
    EXPECT_EQ(quarantined, (std::set<ItemId>{ItemId("bad"), ItemId("shared")}));
    EXPECT_EQ(result.different, 6);
    EXPECT_EQ(result.quarantined, 2);
    EXPECT_EQ(result.orphans, 1);
}

}  // namespace
}  // namespace crossover::sync
