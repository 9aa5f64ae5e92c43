#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "base/durable_file.h"
#include "base/retry.h"
#include "migration/copy/backfill.h"
#include "migration/copy/copy_pipeline.h"
#include "migration/copy/erasure_guard.h"
#include "migration/copy/fenced_version_check.h"
#include "migration/copy/fixer.h"
#include "neo4j/lease.h"
#include "neo4j/media_store.h"
#include "sync/target_outage.h"
#include "vectors/collection.h"

namespace crossover::migration {

/// Items per second over the last few seconds.
class RateMeter {
  public:
    double update(std::int64_t items);

  private:
    using Clock = std::chrono::steady_clock;
    std::deque<std::pair<Clock::time_point, std::int64_t>> samples_;
};

/// One run of migrate-embeddings: what its phases work with, from the first look to the last checkpoint. A
/// member that a phase has not opened yet is empty. One thread, but where a function says otherwise.
class Run {
  public:
    Run(bolt::Driver& source, milvus::Client& target, const BackfillOptions& options, Throttle& throttle,
        std::function<void(const Progress&)> on_progress, std::stop_token stop)
        : driver(source),
          client(target),
          options(options),
          throttle(throttle),
          stop(std::move(stop)),
          on_progress_(std::move(on_progress)) {}

    bolt::Driver& driver;
    milvus::Client& client;
    const BackfillOptions& options;
    Throttle& throttle;
    const std::stop_token stop;

    // -- what opening the job finds --
    sync::MediaMapping mapping;  ///< complete
    std::optional<neo4j::MediaStore> media;
    std::unique_ptr<neo4j::Lease> lease;
    sync::SourceMark mark;
    std::optional<vectors::Collection> collection;
    std::optional<ErasureGuard> guard;
    std::optional<FencedVersionCheck> check;
    std::optional<sync::TargetOutage> outage;
    std::optional<Fixer> fixer;
    std::optional<AppendFile> quarantine;
    /// What a later run goes on from. Its phase is the one that is to be done next.
    Checkpoint checkpoint;
    bool was_done = false;  ///< by an earlier run: this one looks whether all is still equal
    BackfillResult result;

    /// Tries again for ever what passes, and tells of it.
    template <class Action>
    auto patiently(Action action) {
        return Retry{kForEver, stop, [this](const Error& error) { say_waiting(error); }}(action);
    }

    void read_by_mapping(bool ordered);
    /// Which epoch it is; a write transaction that commits only while we hold the lease. Throws `not_ready`
    /// where a replica runs neo4j_only: its writes are not captured, and a copy would miss them.
    std::int64_t pass_barrier(const std::string& when);
    /// Whether any replica was alive at the last barrier.
    bool any_replica() const { return any_replica_; }
    /// Throws `conflict` unless the collection is there and still ours: of two that claimed it at once both
    /// may have seen themselves as the last.
    void demand_collection(Deadline deadline);
    /// From here on every item is judged anew, and leaves a record where it is no row.
    void forget_refusals();

    std::vector<OpenRange> fresh_ranges();
    CopySettings copy_settings();
    /// What sync() asks before it erases items that became invalid; empty where any number may go.
    std::function<void(std::span<const ItemId>)> erasure_rule();

    using QuarantineSink = std::function<void(std::string line)>;
    /// Cuts the quarantine file to `begin` and appends from there.
    QuarantineSink quarantine_from(std::int64_t begin);
    /// What no range of ids holds: nodes without an embedding, and, where ranges were read, those whose id
    /// can be no row's.
    Counts count_outside_ranges(const QuarantineSink& sink);

    // -- for people --
    void say(const std::string& state);
    void say_waiting(const Error& error);
    /// Runs the pipeline, and tells of it four times a second.
    void run_reporting(RangeLedger& ledger, CopyPipeline& pipeline, const std::stop_token& end);
    /// Of the running copy, for its checkpoints. Thread-safe.
    Live live() const;

    /// Writes the checkpoint, while the lease is held.
    void save(const std::string& state, bool finished);

  private:
    void report(const RangeLedger& ledger, const CopyPipeline& pipeline);

    const std::function<void(const Progress&)> on_progress_;
    std::vector<std::string> bookmarks_;  ///< of the last barrier
    bool any_replica_ = false;
    Progress progress_;
    RateMeter rate_;
    mutable std::mutex live_mutex_;
    Live live_;
    std::chrono::steady_clock::time_point saved_at_{};
};

/// The phases. Each begins from the checkpoint alone, whatever earlier runs have left undone, and ends by
/// naming the next one in it; one that is stopped leaves it as it is, or throws `cancelled`. So a run that
/// ended anywhere is gone on from by doing the phase that its checkpoint names.
void copy_ranges(Run& run);
void index_and_load(Run& run);
/// From "all is copied" to "Milvus is equal to Neo4j, and what changes from now on is captured".
void sweep_both(Run& run);

/// Before all phases, in each run: takes the lease, and up the checkpoint where it is of this job and nothing
/// has pulled the ground from under it. Throws `conflict` or `not_ready` where the job can't begin.
void open_job(Run& run);

/// Reads and judges everything, and writes nothing.
void dry_run(Run& run);

}  // namespace crossover::migration
