#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>

#include "base/error.h"
#include "sync/source_store.h"
#include "sync/target_scanner.h"

namespace crossover::sync {

struct SweepResult {
    std::int64_t matched = 0;      ///< are a row of the right version
    std::int64_t quarantined = 0;  ///< are no row, and a record says why
    std::int64_t different = 0;    ///< told to `on_different`, or refused
    std::int64_t orphans = 0;      ///< of these: are in Milvus, though Neo4j lacks them
    std::int64_t rows = 0;         ///< met in Milvus
    std::int64_t refused = 0;      ///< of `different`: not told, by `may_delete`
};

/// What a sweep works with. All functions are called from its thread.
struct SweepPorts {
    SourceScanner& scanner;
    SourceStore& source;
    TargetScanner& rows;
    /// A thousand at most, none twice in a sweep: they are to go through sync().
    std::function<void(std::span<const ItemId>)> on_different;
    /// The same of items that a record calls quarantined; may be empty: then they are only counted.
    std::function<void(std::span<const ItemId>)> on_quarantined;
    std::function<void(std::int64_t looked_at)> on_progress;  ///< after each page; may wait, to be slow
    std::function<void(const Error&)> on_wait;                ///< an error that is ridden out
    /// Asked once, when both stores were read to the end and rows of Milvus are orphans: whether they may be
    /// told. They are kept back until then; where they are too many for that, both stores are read once more.
    std::function<bool(std::int64_t orphans, std::int64_t rows)> may_delete;
    /// Keeps everything that differs back, not orphans only: a look whose orphans are refused tells nothing.
    bool all_or_nothing = false;
};

/// Compares ids and versions of both stores: finds what no change entry and no checkpoint speaks of, such as
/// rows of ids that were deleted between the runs of a killed job. Sees what Milvus had acknowledged before
/// the call; needs a loaded collection. With an ordered source both directions are compared, so that the
/// result accounts for all items whose id can be a row's; otherwise only Milvus's ids are looked up. Memory
/// does not grow with what differs. Ends early when `stop` is requested; may then throw `cancelled`.
SweepResult sweep(const SweepPorts& ports, const std::stop_token& stop);

}  // namespace crossover::sync
