#include "migration/copy/backfill.h"

#include <utility>

#include "base/error.h"
#include "migration/copy/run.h"

namespace crossover::migration {

namespace {

void do_phase(Run& run) {
    switch (run.checkpoint.phase) {
        case Phase::copy:
            return copy_ranges(run);
        case Phase::index:
            return index_and_load(run);
        case Phase::sweep:
            return sweep_both(run);
        case Phase::done:
            return;
    }
}

void migrate(Run& run) {
    open_job(run);
    const auto over = [&run] {
        return run.checkpoint.phase == Phase::done || run.result.deletes_refused > 0 ||
               run.stop.stop_requested();
    };
    try {
        run.fixer->wait_out_former_writes([&run](const std::string& state) { run.say(state); });
        while (!over()) do_phase(run);
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::cancelled) throw;
    }
    const bool refused = run.result.deletes_refused > 0;
    run.result.interrupted = run.checkpoint.phase != Phase::done && !refused;
    run.save(run.result.interrupted ? "interrupted"
             : refused              ? "refused to remove rows that Neo4j lacks"
                                    : "done",
             true);
    run.result.counts = run.checkpoint.counts;
}

}  // namespace

BackfillResult run_backfill(bolt::Driver& source, milvus::Client& target, const BackfillOptions& options,
                            Throttle& throttle, const std::function<void(const Progress&)>& on_progress,
                            std::stop_token stop) {
    Run run(source, target, options, throttle, on_progress, std::move(stop));
    options.dry_run ? dry_run(run) : migrate(run);
    auto result = std::move(run.result);
    result.copy_seconds = run.checkpoint.copy_seconds;
    result.index_seconds = run.checkpoint.index_seconds;
    const auto done = static_cast<double>(result.counts.copied + result.counts.quarantined);
    result.items_per_second = result.copy_seconds > 0 ? done / result.copy_seconds : 0;
    return result;
}

}  // namespace crossover::migration
