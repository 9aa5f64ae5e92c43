#include <fmt/format.h>

#include "base/deletions.h"
#include "base/error.h"
#include "migration/copy/run.h"
#include "sync/sweep.h"

namespace crossover::migration {

using namespace std::chrono_literals;

namespace {

/// In the order of ids it meets every item once more, and accounts for them anew: what it says of the
/// rejected replaces what the copy had said.
void sweep(Run& run) {
    if (run.media->ordered()) run.checkpoint.quarantine_bytes = run.checkpoint.quarantine_begin;
    run.save("comparing ids", false);
    if (run.media->ordered()) run.forget_refusals();
    const auto quarantine = run.quarantine_from(run.checkpoint.quarantine_bytes);
    std::int64_t upserted = 0;
    std::int64_t rejections = 0;
    const auto fix = [&](std::span<const ItemId> ids) {
        const auto outcome = run.fixer->fix(ids);
        upserted += static_cast<std::int64_t>(outcome.upserted);
        for (const auto& rejected : outcome.rejected) {
            quarantine(quarantine_line(rejected, run.mapping));
            ++rejections;
        }
    };
    const auto swept = sync::sweep(
        {*run.media, *run.media, *run.collection, fix, fix,
         [&run](std::int64_t looked_at) { run.say(fmt::format("comparing ids, {} so far", looked_at)); },
         [&run](const Error& error) { run.say_waiting(error); },
         [&run](std::int64_t orphans, std::int64_t rows) {
             return run.options.allow_deletes || !needs_permission_to_delete(orphans, rows);
         }},
        run.stop);
    if (run.stop.stop_requested()) {
        throw Error(System::internal, ErrorKind::cancelled, "Stopped while comparing ids.");
    }
    if (run.media->ordered()) {
        const auto copied = swept.matched + upserted;
        run.checkpoint.counts = Counts{copied + rejections, copied, rejections, 0} +
                                run.count_outside_ranges(run.quarantine_from(run.quarantine->length()));
    }
    run.checkpoint.quarantine_bytes = run.quarantine->length();
    run.quarantine->sync();
    run.result.swept = swept.orphans - swept.refused;
    run.result.deletes_refused = swept.refused;
    run.result.target_rows = swept.rows;
    if (run.was_done) {
        run.result.notes.push_back(
            fmt::format("This job was complete: compared all ids and versions, copied {} and removed {}.",
                        upserted, run.result.swept));
    } else if (run.result.swept > 0) {
        run.result.notes.push_back(
            fmt::format("Removed {} rows from Milvus that Neo4j no longer has.", run.result.swept));
    }
}

}  // namespace

void sweep_both(Run& run) {
    for (bool swept = false;; swept = true) {
        const std::int64_t epoch = run.pass_barrier("at the end");
        if (epoch == run.checkpoint.epoch && swept) break;
        if (epoch != run.checkpoint.epoch && !run.media->ordered()) {
            throw Error(System::neo4j, ErrorKind::not_ready,
                        "An engine ran without capture during the copy. Without an index on ids what it "
                        "wrote is found only by copying all anew: run again.");
        }
        if (swept) run.result.notes.push_back("An engine ran without capture meanwhile: compared once more.");
        run.checkpoint.epoch = epoch;
        sweep(run);
    }
    if (run.result.deletes_refused > 0) return;  // the next run compares again
    run.patiently([&] { run.demand_collection(Deadline::after(30s)); });
    run.checkpoint.phase = Phase::done;
}

}  // namespace crossover::migration
