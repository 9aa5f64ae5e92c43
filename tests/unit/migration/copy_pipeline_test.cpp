#include "migration/copy/copy_pipeline.h"

#include "migration/job/checkpoint_journal.h"

#include <gtest/gtest.h>

#include <set>

#include "support/memory_stores.h"
#include "unit/migration/scratch_folder.h"

namespace crossover::migration {
namespace {

using namespace std::chrono_literals;
using test::MemorySource;
using test::MemoryTarget;
using test::Node;
using test::Script;

/// What became of a write whose call failed.
enum class Fate {
    lost,     ///< never applied
    applied,  ///< the acknowledgement was lost
    late      ///< applied when Milvus wakes up
};

/// MemoryTarget, of which a scripted failure may apply the write all the same.
class FaultyTarget : public sync::VectorStore {
  public:
    FaultyTarget(MemoryTarget& inner, Script& script) : inner_(inner), script_(script) {}

    void upsert(sync::ItemBatch& batch, Deadline deadline) override {
        attempt([&] { inner_.upsert(batch, deadline); },
                [this, copy = batch, deadline]() mutable { inner_.upsert(copy, deadline); });
    }
    void erase(std::span<const ItemId> ids, Deadline deadline) override {
        attempt([&] { inner_.erase(ids, deadline); }, [this, copy = std::vector(ids.begin(), ids.end()),
                                                       deadline] { inner_.erase(copy, deadline); });
    }
    void require_same_shape(Deadline deadline) override { inner_.require_same_shape(deadline); }
    /// Milvus is awake: what it had received is applied.
    void wake_up() {
        const std::lock_guard lock(script_.mutex);
        const auto before = std::exchange(script_.before, nullptr);
        for (const auto& write : std::exchange(late_, {})) {
            try {
                write();
            } catch (const Error& error) {
                EXPECT_EQ(error.kind(), ErrorKind::rejected);  // nobody hears of it
            }
        }
        script_.before = before;
    }

    Fate fate = Fate::lost;

  private:
    void attempt(const std::function<void()>& call, std::function<void()> again) {
        try {
            call();
        } catch (const Error& error) {
            if (fate == Fate::lost || error.kind() == ErrorKind::rejected) throw;
            const std::lock_guard lock(script_.mutex);
            late_.push_back(std::move(again));
            if (fate == Fate::applied) wake_up();
            throw;
        }
    }

    MemoryTarget& inner_;
    Script& script_;
    std::vector<std::function<void()>> late_;
};

class MemoryCheck : public LeasedVersionCheck {
  public:
    MemoryCheck(MemorySource& source, Script& script)
        : source_(source), script_(script), version_check_(source) {}

    std::vector<std::size_t> changed(std::span<const ItemId> ids, std::span<const sync::Presence> before,
                                     std::span<const sync::Rejected> rejected, Deadline deadline) override {
        return version_check_.changed(ids, before, rejected, deadline);
    }

    std::vector<std::size_t> changed(const WrittenRows& rows, Deadline) override {
        const std::lock_guard lock(script_.mutex);
        script_.call("check");
        std::vector<std::size_t> positions;
        for (std::size_t i = 0; i < rows.ids.size(); ++i) {
            const sync::Presence written{sync::Presence::State::present, rows.versions[i]};
            if (source_.presence(rows.ids[i]) == written) {
                settled.insert(rows.ids[i]);
            } else {
                positions.push_back(i);
            }
        }
        return positions;
    }
    Deadline write_limit() const override { return Deadline::after(1h); }

    std::set<ItemId> settled;  ///< found as they were written

  private:
    MemorySource& source_;
    Script& script_;
    test::MemoryVersionCheck version_check_;
};

ItemId id(int number) {
    return ItemId("item" + std::to_string(1000 + number));
}

struct World {
    static constexpr int kItems = 23;

    explicit World(bool ordered = true) : source(script, mapping, ordered) {
        for (int i = 0; i < kItems; ++i) {
            const auto value = static_cast<float>(i);
            source.nodes[id(i)] = {i % 3, {value, value}};
        }
        source.nodes[id(7)].valid = false;
        source.to_resync = {id(11)};
        settings.batch_rows = 4;
        settings.writers = 3;
        settings.timing = {20ms, 1ms};
        checkpoint.open_ranges = {{{{}, id(12)}, {}}, {{id(12), {}}, {}}};
        if (!ordered) checkpoint.open_ranges = {OpenRange{}};
    }

    /// One run of the job, from what the checkpoint says. True when it is complete.
    bool run() {
        const auto path = folder.file("checkpoint.json");
        if (const auto found = read_checkpoint(path)) checkpoint = *found;
        AppendFile quarantine(folder.file("quarantine"), checkpoint.quarantine_bytes);
        RangeLedger ledger(checkpoint.open_ranges, checkpoint.counts, source.ordered(), &quarantine);
        CheckpointJournal journal(path, checkpoint, ledger, quarantine,
                                  {[](Checkpoint&) {}, [] { return true; }, [] {}});
        sync::TargetOutage outage(
            [this](Deadline) {
                {
                    const std::lock_guard lock(script.mutex);
                    script.call("probe");
                }
                target.wake_up();
            },
            settings.timing);
        CopyPipeline pipeline({source, source, throttle, &target, &check, &outage}, mapping, settings,
                              ledger);
        pipeline.run(stop.get_token());
        journal.finish();
        counts = ledger.live_counts();
        lines = read_private_file(folder.file("quarantine"), 1 << 20).value_or("");
        return ledger.all_done();
    }

    void expect_equal() {
        for (const auto& [item, row] : rows.rows)
            EXPECT_EQ(row, source.wanted(item)) << crossover::to_string(item);
        for (const auto& [item, node] : source.nodes) {
            EXPECT_EQ(rows.row(item), source.wanted(item)) << crossover::to_string(item);
        }
    }
    void expect_complete() {
        target.wake_up();  // a write that arrives after all
        expect_equal();
        EXPECT_EQ(counts.read, counts.copied + counts.quarantined + counts.skipped);
        EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), counts.quarantined);
    }

    Script script;
    sync::MediaMapping mapping = test::mapping_of(2);
    MemorySource source;
    MemoryTarget rows{script};
    FaultyTarget target{rows, script};
    MemoryCheck check{source, script};
    ScratchFolder folder;
    CopySettings settings;
    Throttle throttle{{}};
    Checkpoint checkpoint;
    std::stop_source stop;
    Counts counts;
    std::string lines;
};

/// Calls of a run without faults; more may come where threads meet differently.
int calls_of_a_run(bool ordered) {
    World world(ordered);
    EXPECT_TRUE(world.run());
    world.expect_complete();
    EXPECT_EQ(world.counts, (Counts{World::kItems, World::kItems - 1, 1, 0}));
    return world.script.calls;
}

class EverySource : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(CopyPipeline, EverySource, ::testing::Values(true, false),
                         [](const auto& info) { return info.param ? "Ordered" : "Unordered"; });

/// A fault of each kind at each call in turn, on whichever side, whatever became of the write; and items that
/// change just then, so that a late write is an old one.
TEST_P(EverySource, RidesOutAFaultAtAnyCall) {
    const int calls = calls_of_a_run(GetParam());
    ASSERT_GT(calls, 15);
    for (const ErrorKind kind : {ErrorKind::timeout, ErrorKind::unreachable, ErrorKind::overloaded}) {
        for (const Fate fate : {Fate::lost, Fate::applied, Fate::late}) {
            if (kind == ErrorKind::overloaded && fate != Fate::lost) continue;  // it was refused
            for (int at = 0; at < calls; ++at) {
                SCOPED_TRACE(std::string(to_string(kind)) + ", fate " +
                             std::to_string(static_cast<int>(fate)) + ", call " + std::to_string(at));
                World world(GetParam());
                world.target.fate = fate;
                world.script.before = [&](int call, const char* name) {
                    if (call != at) return;
                    for (const int changing : {2, 14}) {
                        if (world.check.settled.contains(id(changing))) continue;
                        world.source.nodes[id(changing)] = Node{100, {-1, -1}};
                    }
                    const bool of_target = std::string(name) == "upsert" || std::string(name) == "erase";
                    throw Error(of_target ? System::milvus : System::neo4j, kind, name);
                };
                ASSERT_TRUE(world.run());
                world.expect_complete();
            }
        }
    }
}

/// Another writer commits at each call in turn, and nobody but the copy brings it to Milvus: what was read
/// before must not stay. What is committed after an item's last look is for capture and sweep to bring.
TEST_P(EverySource, DoesNotMissACommitBeforeItsLastLook) {
    const int calls = calls_of_a_run(GetParam());
    int before_the_look = 0;
    for (int at = 0; at < calls; ++at) {
        for (const int victim : {0, 3, 22}) {
            SCOPED_TRACE("item " + std::to_string(victim) + " before call " + std::to_string(at));
            World world(GetParam());
            world.script.before = [&](int call, const char*) {
                if (call != at || world.check.settled.contains(id(victim))) return;
                ++before_the_look;
                world.source.nodes[id(victim)] = Node{100, {-1, -1}};
            };
            ASSERT_TRUE(world.run());
            world.expect_complete();
        }
    }
    EXPECT_GT(before_the_look, calls / 2);
}

/// The process dies at each call in turn; the next one finds what the last checkpoint says, and Milvus what
/// had reached it, now or when it wakes up.
TEST_P(EverySource, EndsEqualWhereverItIsKilled) {
    const int calls = calls_of_a_run(GetParam());
    for (const Fate fate : {Fate::lost, Fate::applied, Fate::late}) {
        for (int at = 0; at < calls; ++at) {
            SCOPED_TRACE("fate " + std::to_string(static_cast<int>(fate)) + ", killed at call " +
                         std::to_string(at));
            World world(GetParam());
            world.target.fate = fate;
            bool dead = false;
            world.script.before = [&](int call, const char*) {
                dead = dead || call >= at;
                if (dead) throw Error(System::internal, ErrorKind::internal, "killed");
            };
            EXPECT_THROW(world.run(), Error);
            world.script.before = nullptr;
            if (!world.check.settled.contains(id(5))) world.source.nodes[id(5)] = Node{50, {5, 50}};
            world.target.wake_up();
            ASSERT_TRUE(world.run());
            world.expect_complete();
            EXPECT_EQ(world.counts, (Counts{World::kItems, World::kItems - 1, 1, 0}));
        }
    }
}

TEST_P(EverySource, StopsCleanlyAndGoesOn) {
    const int calls = calls_of_a_run(GetParam());
    for (int at = 0; at < calls; ++at) {
        SCOPED_TRACE("stopped at call " + std::to_string(at));
        World world(GetParam());
        world.script.before = [&](int call, const char*) {
            if (call == at) world.stop.request_stop();
        };
        world.run();
        world.script.before = nullptr;
        world.stop = std::stop_source();
        ASSERT_TRUE(world.run());
        world.expect_complete();
        EXPECT_EQ(world.counts, (Counts{World::kItems, World::kItems - 1, 1, 0}));
    }
}

TEST(CopyPipeline, AnErrorThatCanNotPassEndsTheJob) {
    for (const char* name : {"scan", "check"}) {
        World world;
        world.script.before = [&](int, const char* called) {
            if (std::string(called) == name) throw Error(System::neo4j, ErrorKind::rejected, name);
        };
        EXPECT_THROW(world.run(), Error) << name;
    }
    World world;
    world.script.before = [&](int, const char* called) {
        if (std::string(called) == "upsert") throw Error(System::milvus, ErrorKind::authentication, called);
    };
    EXPECT_THROW(world.run(), Error);
}

/// Whichever rows Milvus refuses, the others are copied, and each refused one is quarantined with its words.
TEST_P(EverySource, GoesAroundRowsThatMilvusRefuses) {
    for (const std::set<int>& bad : {std::set<int>{0}, {3}, {22}, {4, 5, 6}, {0, 1, 2, 3}, {2, 9, 14, 15}}) {
        World world(GetParam());
        for (const int number : bad) {
            world.rows.refused.insert(id(number));
            world.rows.rows[id(number)] = {1, {8, 8}};  // of an earlier version that was well
        }
        ASSERT_TRUE(world.run());
        const auto refused = static_cast<std::int64_t>(bad.size());
        EXPECT_EQ(world.counts, (Counts{World::kItems, World::kItems - 1 - refused, 1 + refused, 0}));
        for (int number = 0; number < World::kItems; ++number) {
            const bool is_row = !bad.contains(number) && number != 7;
            EXPECT_EQ(world.rows.row(id(number)).has_value(), is_row) << number;
            const auto record = world.source.records.find(id(number));
            ASSERT_EQ(record != world.source.records.end(), !is_row) << number;
            if (bad.contains(number)) {
                EXPECT_EQ(record->second.second, sync::RejectionReason::refused_by_server);
                const auto line = R"({"detail":"refused: )" + crossover::to_string(id(number)) +
                                  R"(","id":")" + crossover::to_string(id(number)) +
                                  R"(","label":"MediaContent","reason":"refused_by_server"})";
                EXPECT_NE(world.lines.find(line + "\n"), std::string::npos) << line << '\n' << world.lines;
            }
        }
        EXPECT_EQ(std::count(world.lines.begin(), world.lines.end(), '\n'), 1 + refused);
    }
}

/// The same with a fault at each call: a refusal beside an outage.
TEST_P(EverySource, RidesOutAFaultBesideARefusal) {
    for (const Fate fate : {Fate::lost, Fate::late}) {
        for (int at = 0; at < 60; at += 2) {
            SCOPED_TRACE("fate " + std::to_string(static_cast<int>(fate)) + ", call " + std::to_string(at));
            World world(GetParam());
            world.rows.refused = {id(2), id(13)};
            world.target.fate = fate;
            world.script.before = [&](int call, const char* name) {
                if (call != at) return;
                const bool of_target = std::string(name) == "upsert" || std::string(name) == "erase";
                throw Error(of_target ? System::milvus : System::neo4j, ErrorKind::timeout, name);
            };
            ASSERT_TRUE(world.run());
            EXPECT_EQ(world.counts, (Counts{World::kItems, World::kItems - 3, 3, 0}));
            EXPECT_FALSE(world.rows.row(id(2)));
            EXPECT_FALSE(world.rows.row(id(13)));
            EXPECT_EQ(world.source.records.at(id(13)).second, sync::RejectionReason::refused_by_server);
        }
    }
}

TEST(CopyPipeline, AnAnswerThatNobodyKnowsIsRiddenOutForSomeAttemptsOnly) {
    for (const auto& [times, ends] : {std::pair{kUnknownCodeAttempts - 1, false}, {1'000'000, true}}) {
        World world;
        world.settings.writers = 1;
        world.settings.readers = 1;
        int left = times;
        world.script.before = [&](int, const char* name) {
            if (std::string(name) == "upsert" && left-- > 0) {
                throw Error(System::milvus, ErrorKind::protocol, "the moon is full (code 4711)", "4711");
            }
        };
        if (ends) {
            try {
                world.run();
                FAIL() << "it went on for ever";
            } catch (const Error& error) {
                EXPECT_EQ(error.native_code(), "4711");
            }
        } else {
            ASSERT_TRUE(world.run());
            world.expect_complete();
        }
    }
}

TEST(CopyPipeline, ARowThatWentBadLeavesMilvus) {
    World world;
    world.rows.rows[id(7)] = {1, {1, 1}};
    ASSERT_TRUE(world.run());
    world.expect_complete();
    EXPECT_FALSE(world.rows.row(id(7)));
    EXPECT_EQ(world.source.records.at(id(7)).second, sync::RejectionReason::not_finite);
}

TEST(CopyPipeline, ADryRunWritesNothing) {
    World world;
    RangeLedger ledger(world.checkpoint.open_ranges, {}, true, nullptr);
    CopyPipeline pipeline({world.source, world.source, world.throttle, nullptr, nullptr, nullptr},
                          world.mapping, world.settings, ledger);
    pipeline.run({});
    EXPECT_TRUE(ledger.all_done());
    EXPECT_EQ(ledger.live_counts(), (Counts{World::kItems, World::kItems - 1, 1, 0}));
    EXPECT_TRUE(world.rows.rows.empty());
}

}  // namespace
}  // namespace crossover::migration
