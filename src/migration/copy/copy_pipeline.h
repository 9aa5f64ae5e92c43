#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/bounded_queue.h"
#include "base/retry.h"
#include "migration/copy/throttle.h"
#include "migration/job/range_ledger.h"
#include "migration/job/ridden_out.h"
#include "sync/sync.h"
#include "sync/target_outage.h"

namespace crossover::migration {

/// Rows that Milvus acknowledged, with the versions under which they were written.
struct WrittenRows {
    std::vector<ItemId> ids;
    std::vector<std::int64_t> versions;
    std::vector<std::string> element_ids;  ///< where the source has no order
    sync::KeyRange keys;
};

/// The version check of a run: commits only while it holds its lease, so that one that was deposed cannot
/// pass it. Throws `conflict` when the lease is lost.
class LeasedVersionCheck : public sync::VersionCheck {
  public:
    using sync::VersionCheck::changed;
    /// Positions of the rows whose version or existence changed, for a batch of a scan.
    virtual std::vector<std::size_t> changed(const WrittenRows& rows, Deadline deadline) = 0;
    /// Past this, other runs may hold the lease: no write may have a later deadline.
    virtual Deadline write_limit() const = 0;
};

struct CopySettings {
    std::size_t batch_rows = 1000;
    int writers = 10;  ///< threads: the most upserts in flight that the throttle can allow
    int readers = 1;
    bool target_may_have_rows =
        true;  ///< false for a collection that this job created: nothing to erase for invalid items
    sync::WriteTiming timing;
    /// As SyncLimits has it; empty where any number of rows may go.
    std::function<void(std::span<const ItemId>)> on_erasing_invalid = {};
};

/// range readers → bounded queue → upserts in flight → version check → ledger.
///
/// A write whose outcome is unknown (timeout, lost connection) is not repeated at once: its ids go through
/// sync() when Milvus has answered a call made after the write's deadline, and a settling time has passed, so
/// that a late application cannot come after. Rows that Milvus refuses go through sync() too, which
/// quarantines them.
class CopyPipeline {
  public:
    struct Ports {
        sync::SourceScanner& scanner;
        sync::SourceStore& source;
        Throttle& throttle;
        sync::VectorStore* target;   ///< null in a dry run: everything is read and judged, nothing written
        LeasedVersionCheck* check;   ///< null in a dry run
        sync::TargetOutage* outage;  ///< null in a dry run
    };

    CopyPipeline(Ports ports, const sync::MediaMapping& mapping, CopySettings settings, RangeLedger& ledger);

    /// Returns when all ranges are done, or `stop` was requested and what was under way has ended. Throws the
    /// first error that cannot pass.
    void run(std::stop_token stop);

    /// After run(): true when no write can still be on its way.
    bool quiescent() const { return !abandoned_; }
    RiddenOut errors() const;
    /// What the job waits for, or empty: for the progress line.
    std::string trouble() const;
    std::string reader_state() const;
    std::string writer_state() const;
    std::string checker_state() const;

  private:
    struct Work {
        RangeLedger::Ticket ticket;
        sync::ScannedBatch batch;
    };
    /// A batch on its way from acknowledgement to completion.
    struct PendingBatch {
        RangeLedger::Ticket ticket;
        WrittenRows written;
        std::vector<ItemId> resync;
        std::vector<sync::Rejected> rejected;
        std::size_t read = 0;
        std::size_t copied = 0;
        Deadline::Clock::time_point not_before{};
        bool outcome_unknown = false;
        Retries retries{kForEver};
    };

    void read_ranges();
    void read_range(const RangeLedger::Task& task);
    void write_batches();
    bool write(Work& work);
    void check_batches();
    void check(PendingBatch& pending);
    void resync_suspects();
    /// Brings `resync` in line; true when the batch is complete, false when it became a suspect again.
    bool resync(PendingBatch& pending);
    void complete(PendingBatch& pending);
    void add_suspect(PendingBatch pending);
    PendingBatch to_pending(Work& work) const;
    /// For a write that begins now; empty when the lease must be renewed first, which a write might outlive
    /// otherwise.
    std::optional<Deadline> write_deadline() const;

    template <class Body>
    void guarded(Body body);
    void count_error(const Error& error);
    /// Counts it, and shows what is waited for.
    void note_error(const Error& error);
    bool stopping() const { return stop_.stop_requested(); }

    Ports ports_;
    const sync::MediaMapping& mapping_;
    const CopySettings settings_;
    RangeLedger& ledger_;
    BoundedQueue<Work> to_write_;
    BoundedQueue<PendingBatch> to_check_;
    std::mutex suspects_mutex_;
    std::condition_variable_any suspects_changed_;
    std::vector<PendingBatch> suspects_;
    bool no_more_suspects_ = false;

    std::stop_source cancel_;
    std::stop_token stop_;
    std::atomic<bool> abandoned_ = false;
    std::atomic<int> reading_ = 0;
    std::atomic<int> writing_ = 0;
    mutable std::mutex mutex_;
    std::exception_ptr failure_;
    RiddenOut errors_;
    std::string trouble_;
};

/// The line of the quarantine file for one rejected item, newline included.
std::string quarantine_line(const sync::Rejected& rejected, const sync::MediaMapping& mapping);

}  // namespace crossover::migration
