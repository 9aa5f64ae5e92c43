#include <chrono>

#include "base/clock.h"
#include "migration/copy/run.h"
#include "migration/job/checkpoint_journal.h"

namespace crossover::migration {

void copy_ranges(Run& run) {
    if (!run.media->ordered()) run.forget_refusals();
    RangeLedger ledger(run.checkpoint.open_ranges, run.checkpoint.counts, run.media->ordered(),
                       &*run.quarantine);
    std::stop_source end;
    const std::stop_callback forward(run.stop, [&] { end.request_stop(); });
    const auto started = std::chrono::steady_clock::now();
    const double seconds_before = run.checkpoint.copy_seconds;
    CheckpointJournal journal(run.options.checkpoint_file, run.checkpoint, ledger, *run.quarantine,
                              {[&](Checkpoint& checkpoint) {
                                   checkpoint.copy_seconds = seconds_before + seconds_since(started);
                                   checkpoint.live = run.live();
                               },
                               [&run] { return !run.lease->limit().passed(); }, [&] { end.request_stop(); }});
    CopyPipeline pipeline({*run.media, *run.media, run.throttle, &*run.collection, &*run.check, &*run.outage},
                          run.mapping, run.copy_settings(), ledger);
    run.lease->writes_begin();
    run.run_reporting(ledger, pipeline, end.get_token());
    if (pipeline.quiescent()) run.lease->writes_ended();
    run.result.errors = run.result.errors + pipeline.errors();
    run.checkpoint = journal.finish();
    if (!ledger.all_done()) return;
    // What was counted of earlier runs of this step is cut off first.
    run.checkpoint.counts =
        run.checkpoint.counts + run.count_outside_ranges(run.quarantine_from(run.quarantine->length()));
    run.checkpoint.phase = Phase::index;
    run.save("copied", false);
}

}  // namespace crossover::migration
