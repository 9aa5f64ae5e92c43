#include "migration/job/checkpoint_journal.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/retry.h"

namespace crossover::migration {

using namespace std::chrono_literals;

CheckpointJournal::CheckpointJournal(std::string path, Checkpoint base, const RangeLedger& ledger,
                                     AppendFile& quarantine, Hooks hooks)
    : path_(std::move(path)),
      base_(std::move(base)),
      ledger_(ledger),
      quarantine_(quarantine),
      hooks_(std::move(hooks)) {
    write_now();
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

CheckpointJournal::~CheckpointJournal() = default;

Checkpoint CheckpointJournal::finish() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
    if (failure_) std::rethrow_exception(failure_);
    return write_now();
}

void CheckpointJournal::run(const std::stop_token& stop) {
    try {
        while (sleep_for(1s, stop)) write_now();
    } catch (...) {
        failure_ = std::current_exception();
        hooks_.on_failure();
    }
}

Checkpoint CheckpointJournal::write_now() {
    const RangeLedger::Snapshot snapshot = ledger_.snapshot();
    Checkpoint checkpoint = base_;
    checkpoint.counts = snapshot.counts;
    checkpoint.open_ranges = snapshot.open_ranges;
    checkpoint.quarantine_bytes = snapshot.quarantine_bytes;
    hooks_.decorate(checkpoint);
    checkpoint.live.updated_ms = unix_ms();
    checkpoint.live.pid = ::getpid();
    quarantine_.sync();
    if (hooks_.may_write()) write_checkpoint(path_, checkpoint);
    return checkpoint;
}

}  // namespace crossover::migration
