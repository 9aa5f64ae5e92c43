#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "core/deadline.h"
#include "migrate/checkpoint.h"
#include "migrate/range_ledger.h"

namespace crossover::migrate {

/// Writes the checkpoint about once a second, and at once when a batch waits to be sent: what is in flight is
/// written down before it is sent. One write serves all batches that wait (group commit).
///
/// Thread-safe. A checkpoint that cannot be written ends the job: wait_durable() and rethrow_failure() throw
/// it.
class CheckpointJournal {
  public:
    /// No write may still be sent this long after the last durable checkpoint, which names that moment.
    static constexpr std::chrono::seconds kWriteHorizon{15};

    /// `base` holds what does not change during the copy; `decorate` fills Live and times before each write.
    CheckpointJournal(std::string path, Checkpoint base, const RangeLedger& ledger, AppendFile& quarantine,
                      std::function<void(Checkpoint&)> decorate);
    ~CheckpointJournal();

    /// Returns when a checkpoint that names the batch of this sequence number is on the disk.
    void wait_durable(std::uint64_t sequence);
    /// No write to Milvus may have a deadline beyond this.
    Deadline write_limit() const;
    void rethrow_failure() const;
    /// Stops the thread and writes a last checkpoint. `amend` sets what changes with it (phase, Live).
    void finish(const std::function<void(Checkpoint&)>& amend);

  private:
    void run();
    void write_now(const std::function<void(Checkpoint&)>& amend);

    const std::string path_;
    const Checkpoint base_;
    const RangeLedger& ledger_;
    AppendFile& quarantine_;
    const std::function<void(Checkpoint&)> decorate_;

    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::condition_variable written_;
    std::uint64_t wanted_ = 0;
    std::uint64_t durable_ = 0;
    Deadline::Clock::time_point written_at_;
    bool stopping_ = false;
    std::exception_ptr failure_;
    std::thread thread_;
};

/// Milliseconds since the Unix epoch, now.
std::int64_t unix_ms();

}  // namespace crossover::migrate
