#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "bolt/driver.h"
#include "migration/copy/throttle.h"
#include "migration/job/checkpoint.h"
#include "migration/job/ridden_out.h"
#include "milvus/client.h"
#include "sync/mapping.h"

namespace crossover::migration {

struct BackfillOptions {
    std::string source_address;  ///< for messages and the job's hash: "bolt://host:port/database"
    std::string target_address;  ///< likewise: "http://host:port/database"
    std::string database;        ///< of Neo4j
    sync::MediaMapping mapping;  ///< properties by name; types, id kind and a dimension of 0 are inferred
    milvus::IndexSpec index;
    std::size_t batch_size = 1000;
    bool dry_run = false;
    bool force = false;                 ///< go on although a replica runs neo4j_only
    bool allow_deletes = false;         ///< remove rows that Neo4j lacks, however many (base/deletions.h)
    bool adopt_collection = false;      ///< take over a collection that belongs to another source
    std::optional<ItemId> resume_from;  ///< begin after this id, whatever a checkpoint says
    std::string checkpoint_file = "/tmp/migration_checkpoint.json";
    std::string quarantine_file = "migration_quarantine_media_embeddings.ndjson";
};

/// A moment of a running job, for progress lines and metrics.
struct Progress {
    Phase phase = Phase::copy;
    Counts counts;
    std::int64_t expected = 0;
    double items_per_second = 0;
    std::optional<double> eta_seconds;
    RiddenOut errors;
    std::string state;  ///< see Live::state
};

struct BackfillResult {
    Counts counts;
    double copy_seconds =
        0;  ///< first read to last item acknowledged, checked and checkpointed; of all runs of the job
    double index_seconds = 0;  ///< flush, index build and load
    double items_per_second = 0;
    std::int64_t swept = 0;  ///< rows removed because Neo4j lacks them
    /// Rows that Neo4j lacks and that were left, because so many are not removed without `allow_deletes`; the
    /// job is then complete but for them, and interrupted is false.
    std::int64_t deletes_refused = 0;
    std::int64_t target_rows = 0;  ///< that the comparison at the end met in Milvus
    RiddenOut errors;
    bool interrupted = false;
    bool resumed = false;
    std::string collection;          ///< physical name
    std::vector<std::string> notes;  ///< what a person should know, one sentence each
};

/// Copies all embeddings from Neo4j to Milvus, resuming from the checkpoint where one of the same job exists.
/// Blocks until done or `stop` is requested, which saves the checkpoint and returns interrupted. How hard it
/// works follows `throttle`, also while it runs. `on_progress` is called about four times a second, from one
/// thread at a time.
///
/// Throws crossover::Error; among them `conflict` (another run holds the lease; another job's checkpoint; a
/// collection of another shape) and `not_ready` (a replica runs neo4j_only; nothing to copy). Faults that
/// pass (Error::retryable) are ridden out with back-off and never end the job.
BackfillResult run_backfill(bolt::Driver& source, milvus::Client& target, const BackfillOptions& options,
                            Throttle& throttle, const std::function<void(const Progress&)>& on_progress,
                            std::stop_token stop);

}  // namespace crossover::migration
