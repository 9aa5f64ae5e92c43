#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/durable_file.h"
#include "migration/job/checkpoint.h"

namespace crossover::migration {

/// Which parts of the id space are read, in flight and done, and what was counted: the truth behind
/// checkpoints.
///
/// Batches of one range begin in order and complete in any order; they are counted, and their quarantine
/// lines written, in order, when everything before them is complete. So a checkpoint's counts, its ranges and
/// the length of the quarantine file always belong together, and a resumed job counts each item once.
///
/// Where the source has no order there is one range that covers all: it is counted in one piece when it is
/// complete, and begins anew otherwise.
///
/// Thread-safe.
class RangeLedger {
  public:
    /// One begun batch.
    struct Ticket {
        std::uint64_t range = 0;
        std::uint64_t batch = 0;
    };

    struct Task {
        std::uint64_t range = 0;
        sync::KeyRange keys;  ///< what remains to be read
    };

    struct Snapshot {
        Counts counts;
        std::vector<OpenRange> open_ranges;
        std::int64_t quarantine_bytes = 0;
    };

    /// `quarantine` may be null (a dry run); it must outlive the ledger.
    RangeLedger(std::vector<OpenRange> ranges, Counts counts, bool ordered, AppendFile* quarantine);

    /// A range that nobody reads yet; empty when all are taken.
    std::optional<Task> take_range();
    /// The next batch of a range, and whether it reaches the range's end.
    Ticket begin(std::uint64_t range, const sync::KeyRange& keys, bool last);
    /// Everything of the batch is in Milvus and checked, or in `quarantine_lines`. Throws what the file
    /// throws.
    void complete(const Ticket& ticket, const Counts& counts, std::string quarantine_lines);
    /// Unordered only, with no batch under way: forgets what was counted, because the scan begins anew.
    void restart(std::uint64_t range);
    /// Batches of the range that have begun and not completed.
    std::size_t under_way(std::uint64_t range) const;

    bool all_done() const;
    Snapshot snapshot() const;
    /// Counts of everything complete, also of what is not yet counted in order: for progress.
    Counts live_counts() const;

  private:
    struct Batch {
        std::uint64_t number = 0;
        sync::KeyRange keys;
        bool last = false;
        bool complete = false;
        Counts counts;
        std::string quarantine_lines;
    };
    struct Range {
        std::uint64_t number = 0;
        OpenRange open;
        bool taken = false;
        std::deque<Batch> batches;
        Counts scanned;  ///< unordered: counted when the range ends
    };

    Range& find(std::uint64_t number);
    const Range& find(std::uint64_t number) const;
    void complete_prefix(Range& range);

    mutable std::mutex mutex_;
    const bool ordered_;
    AppendFile* quarantine_;
    std::int64_t quarantine_base_ = 0;
    std::list<Range> ranges_;
    Counts counts_;
    Counts ahead_;  ///< complete but not yet counted in order
    std::uint64_t next_number_ = 1;
};

Counts operator+(const Counts& left, const Counts& right);
Counts operator-(const Counts& left, const Counts& right);

}  // namespace crossover::migration
