#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "migration/job/checkpoint.h"

namespace crossover::migration {

/// Whether somebody works on the job of a checkpoint.
enum class JobState {
    running,      ///< its process writes the checkpoint
    done,         ///< complete
    interrupted,  ///< stopped on request; can be resumed
    gone          ///< its process has ended without saying so, or has not written for long; can be resumed
};
std::string_view to_string(JobState state);

/// What a checkpoint says of its job at `now_ms` (Unix time). `process_alive` tells of a process id on this
/// machine.
struct JobView {
    Checkpoint checkpoint;
    JobState state = JobState::running;
    std::int64_t silent_ms = 0;  ///< since the checkpoint was written
    double fraction = 0;         ///< of expected items that are copied or quarantined, 0 to 1
    std::optional<double> eta_seconds;
};
JobView view_job(Checkpoint checkpoint, std::int64_t now_ms, bool process_alive);

/// Throws Error(System::file, not_found) where there is no checkpoint, naming the file and what to do; and as
/// read_checkpoint.
JobView observe_job(const std::string& checkpoint_file);

}  // namespace crossover::migration
