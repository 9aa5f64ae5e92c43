#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/error.h"
#include "learning/copy/progress.h"
#include "learning/copy/value_scan.h"
#include "learning/store/record.h"
#include "redis/connection.h"

namespace crossover::learning {

struct CopyOptions {
    redis::Address redis;
    std::string postgres_url;        ///< not needed for a dry run
    std::size_t batch_size = 5'000;  ///< keys written in one transaction, fewer where values are large
    bool skip_history = false;       ///< leave experiences alone
    bool dry_run = false;            ///< read and parse, write nothing
    bool allow_deletes = false;      ///< of many rows, see base/deletions.h
    std::string key_prefix;          ///< before "rl:" in the user's keys
    FieldNames fields;
    std::vector<std::string> given_fields;  ///< usual names of those that the user named: no guesses at them
    std::string quarantine_file;

    /// For parse().
    const FieldNames* names() const { return fields == FieldNames() ? nullptr : &fields; }
    bool includes(Kind kind) const { return !skip_history || kind != Kind::experience; }
};

struct KindCounts {
    std::int64_t redis_keys = 0, rows = 0, quarantined = 0;
};

struct CopyResult {
    std::array<KindCounts, 4> kinds;
    std::int64_t written = 0, unchanged = 0, deleted = 0;  ///< rows
    std::int64_t errors = 0;                               ///< of servers, ridden out
    int looks = 0;                                         ///< at all of Redis's keys
    double seconds = 0, items_per_second = 0;              ///< keys of the first look
    bool consistent = false;  ///< rows + quarantined = Redis's keys, for each kind
    bool interrupted = false;
    /// Rows whose key is gone: as many as were left because deleting them was refused, or as a dry run
    /// finds. Rows past their own expiry do not count.
    std::int64_t to_delete = 0;
    std::optional<Error> refused;  ///< to delete them; all else was done
    Lookalikes lookalikes;
    bool moving_target = false;  ///< Redis was written to until the end, or does not say
    std::vector<std::string> notes;
    std::vector<std::string> examples;  ///< of the quarantine
};

/// Copies what Redis holds to PostgreSQL, whose schema it makes. Throws crossover::Error: `not_ready` when
/// Redis is not the primary, `conflict` when another copy is at it.
///
/// One look at all keys copies what PostgreSQL lacks, and is enough where Redis says that it took no write
/// meanwhile. Else looks follow that compare each key with what is known of its row, and a sweep after each:
/// rows whose key is gone are deleted (sweep.h), unless they are so many that the run must be allowed to, or
/// Redis has not one key of ours.
CopyResult run_copy(const CopyOptions& options, const std::function<void(const CopyProgress&)>& on_progress,
                    const std::stop_token& stop);

}  // namespace crossover::learning
