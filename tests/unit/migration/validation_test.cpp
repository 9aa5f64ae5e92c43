#include "migration/validate/validation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "migration/validate/feeders.h"
#include "support/memory_stores.h"

namespace crossover::migration {
namespace {

using namespace std::chrono_literals;
using test::MemorySource;
using test::MemoryTarget;
using test::Row;
using test::Script;

/// MemoryTarget as validation reads it, in small pages.
class MemoryReader : public TargetReader {
  public:
    MemoryReader(MemoryTarget& target, Script& script) : target_(&target), script_(&script) {}

    void begin() override {}

    milvus::ColumnBatch page(const milvus::IdRange& range, std::size_t limit, Content content) override {
        const std::lock_guard lock(script_->mutex);
        auto batch = empty(content);
        auto row = range.after ? target_->rows.upper_bound(*range.after) : target_->rows.begin();
        // A page may come short: never more than `page_rows`.
        for (; row != target_->rows.end() && batch.size() < std::min(limit, page_rows); ++row) {
            if (range.up_to && *range.up_to < row->first) break;
            add(batch, *row, content);
        }
        largest_page = std::max(largest_page, batch.size());
        return batch;
    }

    milvus::ColumnBatch by_ids(std::span<const ItemId> ids, Content content) override {
        const std::lock_guard lock(script_->mutex);
        if (before_by_ids) before_by_ids(ids);
        auto batch = empty(content);
        for (auto id = ids.rbegin(); id != ids.rend(); ++id) {  // in no particular order
            const auto row = target_->rows.find(*id);
            if (row != target_->rows.end()) add(batch, *row, content);
        }
        return batch;
    }

    std::size_t page_rows = 1000;
    std::size_t largest_page = 0;
    std::function<void(std::span<const ItemId>)> before_by_ids;

  private:
    static milvus::ColumnBatch empty(Content content) {
        milvus::ColumnBatch batch;
        if (content == Content::rows) {
            batch.dimension = 2;
            batch.properties = {{"title", std::vector<std::string>{}}};
        }
        return batch;
    }
    static void add(milvus::ColumnBatch& batch, const std::pair<const ItemId, Row>& row, Content content) {
        batch.ids.push_back(row.first);
        if (content == Content::ids) return;
        batch.versions.push_back(row.second.version);
        batch.vectors.insert(batch.vectors.end(), row.second.vector.begin(), row.second.vector.end());
        std::get<std::vector<std::string>>(batch.properties[0].values).push_back(row.second.title);
    }

    MemoryTarget* target_;
    Script* script_;
};

enum class Mode { in_order, by_ids, sample };

struct World {
    explicit World(Mode how, int items = 100) : mode(how), source(script, mapping, how != Mode::by_ids) {
        for (int i = 0; i < items; ++i) {
            const ItemId id = "item" + std::to_string(1000 + i);
            const auto value = static_cast<float>(i + 1);
            source.nodes[id] = {i % 7, {value, -value}, true, 1, "title " + std::to_string(i)};
            target.rows[id] = *source.wanted(id);
        }
        limits.look_again_after = 1ms;
        limits.look_rows = 9;
    }

    ItemId id(int i) const { return "item" + std::to_string(1000 + i); }

    ValidateReport run(bool fix = false) {
        std::int64_t fixed = 0;
        const Validation::Fix fix_some = [&](std::span<const ItemId> some, std::span<const ItemId> orphans) {
            for (const auto ids : {some, orphans}) {
                sync::sync(source, target, version_check, mapping, ids,
                           {.write_deadline = Deadline::after(5s)});
                fixed += static_cast<std::int64_t>(ids.size());
            }
        };
        Validation validation(source, reader, mapping, limits, fix ? fix_some : Validation::Fix(),
                              stop.get_token());
        auto report = validation.run(
            [&](const std::stop_token& stopping) {
                if (mode == Mode::in_order) {
                    feed_in_order(source, reader, feed, validation, stopping);
                } else if (mode == Mode::by_ids) {
                    feed_by_ids(source, source, reader, mapping, feed, seed, validation, stopping);
                } else {
                    feed_sample(source, source, reader, feed, sample_size, seed, validation, stopping);
                }
            },
            0, on_progress);
        report.fixed = fixed;
        return report;
    }

    Mode mode;
    Script script;
    sync::MediaMapping mapping = test::mapping_of(2);
    MemorySource source;
    MemoryTarget target{script};
    test::MemoryVersionCheck version_check{source};
    MemoryReader reader{target, script};
    Validation::Limits limits;
    FeedLimits feed{.rows = 8, .comparers = 2};
    std::size_t sample_size = 1000;
    std::uint64_t seed = 42;
    std::stop_source stop;
    std::function<void(const ValidateProgress&)> on_progress;
};

/// Differences of each kind.
void corrupt(World& world) {
    world.target.rows.erase(world.id(3));
    world.target.rows.erase(world.id(99));
    world.target.rows[ItemId("aaa")] = {1, {1, 1}};  // before all
    world.target.rows[ItemId("item1050x")] = {1, {1, 1}};
    world.target.rows[ItemId("zzz")] = {1, {1, 1}};  // behind all
    world.target.rows[world.id(10)].version += 1;
    world.target.rows[world.id(11)].vector[0] += 0.5F;
    world.target.rows[world.id(12)].title = "another";
    world.source.nodes[world.id(20)].valid = false;  // its row is an orphan
    world.source.nodes[world.id(21)].valid = false;  // quarantined
    world.target.rows.erase(world.id(21));
    world.source.nodes[world.id(22)].copies = 2;  // ambiguous: an orphan
    world.target.rows[world.id(30)].vector[1] =
        std::nextafter(world.target.rows[world.id(30)].vector[1], 0.0F);
}

class EveryMode : public ::testing::TestWithParam<Mode> {};
INSTANTIATE_TEST_SUITE_P(Validation, EveryMode, ::testing::Values(Mode::in_order, Mode::by_ids, Mode::sample),
                         [](const auto& info) {
                             return info.param == Mode::in_order ? "InOrder"
                                    : info.param == Mode::by_ids ? "ByIds"
                                                                 : "Sample";
                         });

TEST_P(EveryMode, EqualStoresPass) {
    World world(GetParam());
    const auto report = world.run();
    EXPECT_EQ(report.checked, 100);
    EXPECT_EQ(report.consistent, 100);
    EXPECT_EQ(report.max_l2, 0);
    EXPECT_EQ(report.target_ids, 100);
    EXPECT_TRUE(report.passed());
}

TEST_P(EveryMode, EmptyStoresPass) {
    World world(GetParam(), 0);
    const auto report = world.run();
    EXPECT_EQ(report.checked, 0);
    EXPECT_TRUE(report.passed());
}

TEST_P(EveryMode, CountsEachKindExactly) {
    World world(GetParam());
    corrupt(world);
    const auto report = world.run();
    EXPECT_EQ(report.count(Difference::missing), 2);
    EXPECT_EQ(report.count(Difference::orphaned), 5);
    EXPECT_EQ(report.count(Difference::stale_version), 1);
    EXPECT_EQ(report.count(Difference::different_vector), 1);
    EXPECT_EQ(report.count(Difference::different_property), 1);
    EXPECT_EQ(report.consistent, 100 - 2 - 3 - 3);
    EXPECT_EQ(report.within_tolerance, 1);
    EXPECT_EQ(report.checked, 92 + 10);
    EXPECT_EQ(report.quarantined, 1);
    EXPECT_EQ(report.max_l2, 0.5);
    EXPECT_FALSE(report.passed());
    ASSERT_EQ(report.examples[static_cast<int>(Difference::missing)].size(), 2u);
    std::set<std::string> orphans;
    for (const auto& example : report.examples[static_cast<int>(Difference::orphaned)]) {
        orphans.insert(crossover::to_string(example.id));
    }
    EXPECT_EQ(orphans, (std::set<std::string>{"aaa", "item1020", "item1022", "item1050x", "zzz"}));
}

/// An item that Milvus refuses is quarantined while its record is of the present version; then it is missing.
TEST_P(EveryMode, ARefusedItemIsQuarantinedAndNotMissing) {
    World world(GetParam());
    for (const int i : {3, 50}) world.target.rows.erase(world.id(i));
    const sync::Presence present{sync::Presence::State::present, world.source.nodes[world.id(3)].version};
    world.source.records[world.id(3)] = {present, sync::RejectionReason::refused_by_server};
    const sync::Presence former{sync::Presence::State::present, world.source.nodes[world.id(50)].version - 1};
    world.source.records[world.id(50)] = {former, sync::RejectionReason::refused_by_server};
    const auto report = world.run();
    EXPECT_EQ(report.quarantined, 1);
    EXPECT_EQ(report.count(Difference::missing), 1);
    EXPECT_EQ(report.consistent, 98);
    ASSERT_EQ(report.examples[static_cast<int>(Difference::missing)].size(), 1U);
    EXPECT_EQ(report.examples[static_cast<int>(Difference::missing)][0].id, world.id(50));
}

TEST_P(EveryMode, AFixMakesAllEqual) {
    World world(GetParam());
    corrupt(world);
    const auto report = world.run(true);
    EXPECT_EQ(report.fixed, 11);  // ten that differ, one within the tolerance
    const auto again = world.run();
    EXPECT_EQ(again.consistent, again.checked);
    EXPECT_EQ(again.within_tolerance, 0);
    EXPECT_EQ(again.quarantined, 3);
    EXPECT_TRUE(again.passed());
}

TEST_P(EveryMode, AllMissing) {
    World world(GetParam());
    world.target.rows.clear();
    const auto report = world.run();
    EXPECT_EQ(report.count(Difference::missing), 100);
    EXPECT_EQ(report.checked, 100);
    EXPECT_EQ(report.success(), 0);
    EXPECT_EQ(report.examples[static_cast<int>(Difference::missing)].size(), 20u);
}

TEST_P(EveryMode, AllOrphaned) {
    World world(GetParam());
    world.source.nodes.clear();
    EXPECT_EQ(world.run().count(Difference::orphaned), 100);
}

TEST_P(EveryMode, PagesThatComeShortLoseNothing) {
    World world(GetParam());
    world.reader.page_rows = 3;
    corrupt(world);
    const auto report = world.run();
    EXPECT_EQ(report.count(Difference::missing), 2);
    EXPECT_EQ(report.count(Difference::orphaned), 5);
    EXPECT_EQ(report.checked, 102);
}

/// A dual write that Milvus gets a moment after Neo4j is no difference.
TEST_P(EveryMode, ADifferenceThatPassesDoesNotCount) {
    World world(GetParam());
    world.source.nodes[world.id(5)] = {50, {5, 5}, true, 1, ""};
    world.target.rows.erase(world.id(6));
    world.target.rows[ItemId("late")] = {1, {1, 1}};
    std::map<ItemId, int> queries;
    world.reader.before_by_ids = [&](std::span<const ItemId> ids) {
        for (const auto& id : ids) {
            // The first sight of a difference is a page in order, but a query in the other modes.
            const bool seen_before = GetParam() == Mode::in_order || ++queries[id] > 1;
            if (id == ItemId("late")) world.target.rows.erase(id);
            if (id == world.id(5) && seen_before) world.target.rows[id] = *world.source.wanted(id);
            if (id == world.id(6) && seen_before) world.target.rows[id] = *world.source.wanted(id);
        }
    };
    const auto report = world.run();
    EXPECT_EQ(report.consistent, 100);
    EXPECT_EQ(report.checked, 100);
}

TEST(Validation, AnItemThatChangesAtEveryLookIsUnsettled) {
    World world(Mode::in_order);
    world.target.rows[world.id(5)].version = -1;
    world.script.before = [&](int, const char* name) {
        if (std::string(name) == "read_items") world.source.nodes[world.id(5)].version += 100;
    };
    const auto report = world.run();
    EXPECT_EQ(report.unsettled, 1);
    EXPECT_EQ(report.checked, 99);
    EXPECT_EQ(report.consistent, 99);
}

/// The first look sees one version, the second another: the lag starts anew, so it does not count yet.
TEST(Validation, AVersionOfOnlyOneLookDoesNotCount) {
    World world(Mode::in_order);
    world.target.rows[world.id(5)].version = -1;
    int looks = 0;
    world.script.before = [&](int, const char* name) {
        if (std::string(name) != "read_versions" || ++looks != 1) return;
        world.source.nodes[world.id(5)].version = 77;
    };
    world.reader.before_by_ids = [&, times = 0](std::span<const ItemId>) mutable {
        if (++times == 2) world.target.rows[world.id(5)] = *world.source.wanted(world.id(5));
    };
    const auto report = world.run();
    EXPECT_EQ(report.consistent, 100);
    EXPECT_EQ(report.checked, 100);
}

TEST(Validation, UnsettledItemsOfAScanAreLookedAt) {
    for (const auto mode : {Mode::in_order, Mode::by_ids}) {
        World world(mode);
        world.source.to_resync = {world.id(7), world.id(8)};
        world.target.rows.erase(world.id(8));
        const auto report = world.run();
        EXPECT_EQ(report.consistent, 99);
        EXPECT_EQ(report.count(Difference::missing), 1);
    }
}

TEST(Validation, NodesWithoutAUsableIdAreQuarantined) {
    for (const auto mode : {Mode::in_order, Mode::by_ids}) {
        World world(mode);
        world.source.idless = {{std::monostate{}, "4:x:1", sync::RejectionReason::id_missing, ""},
                               {std::int64_t{7}, "4:x:2", sync::RejectionReason::id_wrong_type, ""}};
        const auto report = world.run();
        EXPECT_EQ(report.quarantined, 2);
        EXPECT_EQ(report.consistent, 100);
    }
}

/// A node that is read twice while another row is an orphan: equal counts must not hide the orphan.
TEST(Validation, ByIdsADoublyReadNodeHidesNoOrphan) {
    class Twice : public sync::SourceScanner {
      public:
        explicit Twice(MemorySource& source) : source_(&source) {}
        bool ordered() const override { return false; }
        void scan(const sync::KeyRange& keys, std::size_t rows,
                  const std::function<bool(sync::ScannedBatch&&)>& sink) override {
            bool first = true;
            source_->scan(keys, rows, [&](sync::ScannedBatch&& batch) {
                if (std::exchange(first, false)) {
                    auto copy = batch;
                    while (copy.items.rows() > 1) sync::pop_back(copy.items);
                    sink(std::move(copy));
                }
                return sink(std::move(batch));
            });
        }
        void scan_foreign_ids(const std::function<void(const sync::Rejected&)>& sink) override {
            source_->scan_foreign_ids(sink);
        }
        void scan_versions(const sync::KeyRange&,
                           const std::function<bool(const ItemId&, sync::Presence)>&) override {}

      private:
        MemorySource* source_;
    };
    World world(Mode::by_ids);
    world.target.rows[ItemId("orphan")] = {1, {1, 1}};
    Twice twice(world.source);
    Validation validation(world.source, world.reader, world.mapping, world.limits, {}, {});
    const auto report = validation.run(
        [&](const std::stop_token& stop) {
            feed_by_ids(world.source, twice, world.reader, world.mapping, world.feed, 1, validation, stop);
        },
        0, {});
    EXPECT_EQ(report.count(Difference::orphaned), 1);
}

TEST(Validation, AScanGoesOnBehindALostConnection) {
    World world(Mode::in_order);
    corrupt(world);
    int batches = 0;
    world.script.before = [&](int, const char* name) {
        if (std::string(name) == "batch" && ++batches % 5 == 0) {
            throw Error(System::neo4j, ErrorKind::unreachable, "cut");
        }
    };
    const auto report = world.run();
    EXPECT_GT(batches, 10);
    EXPECT_EQ(report.checked, 102);
    EXPECT_EQ(report.count(Difference::missing), 2);
    EXPECT_EQ(report.count(Difference::orphaned), 5);
}

TEST(Validation, AnErrorOfAnyPartIsThrown) {
    for (const std::string part : {"scan", "batch", "read_versions", "read_items"}) {
        World world(Mode::in_order);
        corrupt(world);
        world.script.before = [&](int, const char* name) {
            if (name == part) throw Error(System::neo4j, ErrorKind::rejected, part);
        };
        EXPECT_THROW(world.run(), Error) << part;
    }
}

TEST(Validation, WaitsForRoomAmongTheSuspects) {
    World world(Mode::in_order);
    world.target.rows.clear();
    world.limits.suspect_bytes = 1;  // one at a time
    EXPECT_EQ(world.run().count(Difference::missing), 100);
}

TEST(Validation, AStopGivesWhatWasFoundAsInterrupted) {
    World world(Mode::in_order);
    world.script.before = [&](int, const char* name) {
        if (std::string(name) == "batch") world.stop.request_stop();
    };
    const auto report = world.run();
    EXPECT_TRUE(report.interrupted);
    EXPECT_FALSE(report.passed());
}

TEST(Validation, ASampleHasTheSizeAskedForAndFollowsItsSeed) {
    World world(Mode::sample);
    world.sample_size = 10;
    world.target.rows.clear();
    const auto ids_of = [](const ValidateReport& report) {
        std::vector<std::string> ids;
        for (const auto& example : report.examples[0]) ids.push_back(crossover::to_string(example.id));
        return ids;
    };
    const auto first = world.run();
    EXPECT_EQ(first.checked, 10);
    EXPECT_EQ(ids_of(first), ids_of(world.run()));
    world.seed = 43;
    EXPECT_NE(ids_of(first), ids_of(world.run()));
}

/// Each item is drawn about equally often: 2,000 draws of 5 in 20 give 500 each, standard deviation 19.
TEST(Validation, ASampleIsWithoutBias) {
    World world(Mode::sample, 20);
    world.target.rows.clear();
    world.sample_size = 5;
    world.limits.look_again_after = 0ms;
    std::map<std::string, int> drawn;
    for (world.seed = 0; world.seed < 2000; ++world.seed) {
        const auto report = world.run();
        for (const auto& example : report.examples[0]) ++drawn[crossover::to_string(example.id)];
    }
    EXPECT_EQ(drawn.size(), 20u);
    for (const auto& [id, times] : drawn) EXPECT_NEAR(times, 500, 100) << id;
}

TEST(ValidateReport, TheVerdict) {
    ValidateReport report;
    report.checked = 1000;
    report.consistent = 990;
    EXPECT_TRUE(report.passed());
    report.consistent = 989;
    EXPECT_FALSE(report.passed());
    report.consistent = 1000;
    report.max_l2 = kVectorTolerance;
    EXPECT_FALSE(report.passed());
    report.max_l2 = std::nan("");
    EXPECT_FALSE(report.passed());
    report.max_l2 = 0;
    report.different[0] = 1;
    EXPECT_FALSE(report.passed());
}

}  // namespace
}  // namespace crossover::migration
