#include "migration/job/range_ledger.h"

#include <gtest/gtest.h>

#include "unit/migration/scratch_folder.h"

namespace crossover::migration {
namespace {

ItemId id(const char* text) {
    return ItemId(std::string(text));
}

sync::KeyRange keys(std::optional<ItemId> after, std::optional<ItemId> through) {
    return {std::move(after), std::move(through)};
}

constexpr Counts kTen{10, 10, 0, 0};

class LedgerTest : public ::testing::Test {
  protected:
    ScratchFolder folder_;
    AppendFile quarantine_{folder_.file("q"), 0};
};

TEST_F(LedgerTest, CountsInOrderWhateverTheOrderOfCompletion) {
    RangeLedger ledger({OpenRange{}}, {}, true, &quarantine_);
    const auto task = ledger.take_range();
    ASSERT_TRUE(task);
    const auto first = ledger.begin(task->range, keys({}, id("c")), false);
    const auto second = ledger.begin(task->range, keys(id("c"), id("f")), false);

    ledger.complete(second, {10, 9, 1, 0}, "second\n");
    auto snapshot = ledger.snapshot();
    EXPECT_EQ(snapshot.counts, Counts{});
    EXPECT_EQ(snapshot.quarantine_bytes, 0);
    ASSERT_EQ(snapshot.open_ranges.size(), 1u);
    EXPECT_EQ(snapshot.open_ranges[0].done_through, std::nullopt);
    EXPECT_EQ(ledger.live_counts(), (Counts{10, 9, 1, 0}));

    ledger.complete(first, kTen, "first\n");
    snapshot = ledger.snapshot();
    EXPECT_EQ(snapshot.counts, (Counts{20, 19, 1, 0}));
    EXPECT_EQ(snapshot.quarantine_bytes, 13);
    EXPECT_EQ(snapshot.open_ranges[0].done_through, id("f"));
    EXPECT_EQ(read_private_file(folder_.file("q"), 100), "first\nsecond\n");
    EXPECT_FALSE(ledger.all_done());

    ledger.complete(ledger.begin(task->range, keys(id("f"), {}), true), kTen, "");
    EXPECT_TRUE(ledger.all_done());
    EXPECT_TRUE(ledger.snapshot().open_ranges.empty());
}

TEST_F(LedgerTest, ResumesBehindWhatIsDone) {
    RangeLedger ledger({{keys(id("a"), id("k")), id("g")}, {keys(id("k"), {}), {}}}, kTen, true,
                       &quarantine_);
    const auto first = ledger.take_range();
    const auto second = ledger.take_range();
    ASSERT_TRUE(first && second);
    EXPECT_FALSE(ledger.take_range());
    EXPECT_EQ(first->keys, keys(id("g"), id("k")));
    EXPECT_EQ(second->keys, keys(id("k"), {}));
    EXPECT_EQ(ledger.snapshot().counts, kTen);
}

TEST_F(LedgerTest, CountsAnUnorderedScanInOnePieceOrNotAtAll) {
    RangeLedger ledger({OpenRange{}}, {}, false, &quarantine_);
    const auto task = ledger.take_range();
    ASSERT_TRUE(task);
    ledger.complete(ledger.begin(task->range, {}, false), {10, 9, 1, 0}, "x\n");
    EXPECT_EQ(ledger.snapshot().counts, Counts{});
    EXPECT_EQ(ledger.snapshot().quarantine_bytes, 0);
    EXPECT_EQ(ledger.live_counts(), (Counts{10, 9, 1, 0}));

    ledger.restart(task->range);
    EXPECT_EQ(ledger.live_counts(), Counts{});
    EXPECT_EQ(read_private_file(folder_.file("q"), 100), "");

    ledger.complete(ledger.begin(task->range, {}, false), {10, 9, 1, 0}, "x\n");
    ledger.complete(ledger.begin(task->range, {}, true), kTen, "");
    EXPECT_TRUE(ledger.all_done());
    EXPECT_EQ(ledger.snapshot().counts, (Counts{20, 19, 1, 0}));
    EXPECT_EQ(ledger.snapshot().quarantine_bytes, 2);
}

}  // namespace
}  // namespace crossover::migration
