#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sync/mapping.h"
#include "sync/source_store.h"

namespace crossover::migration {

enum class Phase { copy, index, sweep, done };
std::string_view to_string(Phase phase);

/// `read = copied + quarantined + skipped`, where all that was read is accounted for.
struct Counts {
    std::int64_t read = 0;
    std::int64_t copied = 0;
    std::int64_t quarantined = 0;
    std::int64_t skipped = 0;
    friend bool operator==(const Counts&, const Counts&) = default;
};

/// A part of the id space that is not finished. Everything in (keys.after, done_through] is copied, checked
/// and counted. What may be on its way to Milvus beyond that is the lease's to say (neo4j::Lease).
struct OpenRange {
    sync::KeyRange keys;
    std::optional<ItemId> done_through;
    friend bool operator==(const OpenRange&, const OpenRange&) = default;
};

/// What `monitor` shows beside the counts; written with each checkpoint, never read by a resuming run.
struct Live {
    std::int64_t updated_ms = 0;  ///< Unix time
    std::int64_t pid = 0;
    double items_per_second = 0;  ///< over the last seconds
    std::int64_t errors = 0;      ///< ridden out so far
    std::string state;            ///< "copying", "waiting for Milvus at …", "building the index 42 %", …
    std::string reader, writer, checker;  ///< state of each stage, in a few words
    bool finished_cleanly = false;        ///< the process ended by itself (done or interrupted)
};

/// The durable state of a migrate-embeddings job.
struct Checkpoint {
    std::string job;  ///< hash of what defines the job: source, target, mapping
    std::string
        description;  ///< the same in words: "MediaContent in bolt://… → media_embeddings in http://…"
    sync::MediaMapping mapping;  ///< completed: a resumed run goes by what the first run found in the data
    std::int64_t epoch = 0;      ///< capture epoch in Neo4j
    std::int64_t collection_id = 0;
    std::string takeover;    ///< of the collection, as vectors::Collection has it
    std::string collection;  ///< physical name, media_embeddings_v1
    Phase phase = Phase::copy;
    std::int64_t expected = 0;  ///< items with an embedding when the copy began
    Counts counts;              ///< of finished parts
    std::vector<OpenRange> open_ranges;
    std::string quarantine_file;        ///< its whole path; empty of an earlier release
    std::int64_t quarantine_begin = 0;  ///< where this job's lines begin in the quarantine file
    std::int64_t quarantine_bytes = 0;  ///< length of the quarantine file that belongs to `counts`
    double copy_seconds = 0;
    double index_seconds = 0;
    std::int64_t started_ms = 0;
    Live live;
};

/// Reads a checkpoint; empty where there is no file. Throws Error(System::file) where the file is a link, is
/// not a regular file of this user, or is not a checkpoint: each names the file and what to do.
std::optional<Checkpoint> read_checkpoint(const std::string& path);

/// Replaces the file: written beside it with mode 0600, synced, renamed over it, and the folder synced.
/// Throws Error(System::file); what was there before then still is.
void write_checkpoint(const std::string& path, const Checkpoint& checkpoint);

}  // namespace crossover::migration
