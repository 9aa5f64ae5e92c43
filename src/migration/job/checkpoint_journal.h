#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <stop_token>
#include <string>
#include <thread>

#include "migration/job/checkpoint.h"
#include "migration/job/range_ledger.h"

namespace crossover::migration {

/// Writes the checkpoint of a running copy about once a second. A checkpoint that cannot be written ends the
/// job: `on_failure` is called once, from the journal's thread, and finish() throws it.
class CheckpointJournal {
  public:
    struct Hooks {
        /// Fills Live and times before each write.
        std::function<void(Checkpoint&)> decorate;
        /// Whether the checkpoint is still this run's to write: another may have taken over.
        std::function<bool()> may_write;
        std::function<void()> on_failure;
    };

    /// `base` holds what does not change during the copy. All references must outlive the journal.
    CheckpointJournal(std::string path, Checkpoint base, const RangeLedger& ledger, AppendFile& quarantine,
                      Hooks hooks);
    ~CheckpointJournal();

    /// Stops the thread, writes a last checkpoint and returns it.
    Checkpoint finish();

  private:
    void run(const std::stop_token& stop);
    Checkpoint write_now();

    const std::string path_;
    const Checkpoint base_;
    const RangeLedger& ledger_;
    AppendFile& quarantine_;
    const Hooks hooks_;
    std::exception_ptr failure_;
    std::jthread thread_;
};

}  // namespace crossover::migration
