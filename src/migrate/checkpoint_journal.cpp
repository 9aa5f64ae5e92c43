#include "migrate/checkpoint_journal.h"

#include <unistd.h>

namespace crossover::migrate {

using namespace std::chrono_literals;

std::int64_t unix_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

CheckpointJournal::CheckpointJournal(std::string path, Checkpoint base, const RangeLedger& ledger,
                                     AppendFile& quarantine, std::function<void(Checkpoint&)> decorate)
    : path_(std::move(path)),
      base_(std::move(base)),
      ledger_(ledger),
      quarantine_(quarantine),
      decorate_(std::move(decorate)) {
    write_now([](Checkpoint&) {});
    thread_ = std::thread([this] { run(); });
}

CheckpointJournal::~CheckpointJournal() {
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void CheckpointJournal::wait_durable(std::uint64_t sequence) {
    std::unique_lock lock(mutex_);
    if (wanted_ < sequence) {
        wanted_ = sequence;
        wake_.notify_one();
    }
    written_.wait(lock, [&] { return durable_ >= sequence || failure_ || stopping_; });
    if (failure_) std::rethrow_exception(failure_);
}

Deadline CheckpointJournal::write_limit() const {
    std::lock_guard lock(mutex_);
    return Deadline::at(written_at_ + kWriteHorizon);
}

void CheckpointJournal::rethrow_failure() const {
    std::lock_guard lock(mutex_);
    if (failure_) std::rethrow_exception(failure_);
}

void CheckpointJournal::finish(const std::function<void(Checkpoint&)>& amend) {
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    written_.notify_all();
    if (thread_.joinable()) thread_.join();
    rethrow_failure();
    write_now(amend);
}

void CheckpointJournal::run() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        wake_.wait_for(lock, 1s, [&] { return stopping_ || wanted_ > durable_; });
        if (stopping_) return;
        lock.unlock();
        std::exception_ptr failure;
        try {
            write_now([](Checkpoint&) {});
        } catch (...) {
            failure = std::current_exception();
        }
        lock.lock();
        if (failure) {
            failure_ = failure;
            written_.notify_all();
            return;
        }
    }
}

void CheckpointJournal::write_now(const std::function<void(Checkpoint&)>& amend) {
    // The horizon counts from before the write, so that what is on the disk is never earlier than what is
    // obeyed.
    const auto now = Deadline::Clock::now();
    const RangeLedger::Snapshot snapshot = ledger_.snapshot();
    Checkpoint checkpoint = base_;
    checkpoint.counts = snapshot.counts;
    checkpoint.open_ranges = snapshot.open_ranges;
    checkpoint.quarantine_bytes = snapshot.quarantine_bytes;
    checkpoint.in_flight_until_ms =
        unix_ms() + std::chrono::duration_cast<std::chrono::milliseconds>(kWriteHorizon).count();
    decorate_(checkpoint);
    checkpoint.live.updated_ms = unix_ms();
    checkpoint.live.pid = ::getpid();
    amend(checkpoint);
    quarantine_.sync();
    write_checkpoint(path_, checkpoint);
    {
        std::lock_guard lock(mutex_);
        durable_ = snapshot.sequence;
        written_at_ = now;
    }
    written_.notify_all();
}

}  // namespace crossover::migrate
