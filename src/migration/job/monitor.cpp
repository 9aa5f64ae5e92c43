#include "migration/job/monitor.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "base/clock.h"
#include "base/error.h"

namespace crossover::migration {
namespace {

/// A running job writes its checkpoint about once a second.
constexpr std::int64_t kDeadAfterMs = 3'000;
/// A process of that id may be a stranger, or on another machine that shares the file.
constexpr std::int64_t kSilentAfterMs = 60'000;

bool is_alive(std::int64_t pid) {
    return pid > 0 && (::kill(static_cast<pid_t>(pid), 0) == 0 || errno == EPERM);
}

}  // namespace

std::string_view to_string(JobState state) {
    switch (state) {
        case JobState::running:
            return "running";
        case JobState::done:
            return "done";
        case JobState::interrupted:
            return "interrupted";
        case JobState::gone:
            return "gone";
    }
    return "gone";
}

JobView view_job(Checkpoint checkpoint, std::int64_t now_ms, bool process_alive) {
    JobView view;
    view.silent_ms = std::max<std::int64_t>(0, now_ms - checkpoint.live.updated_ms);
    if (checkpoint.phase == Phase::done) {
        view.state = JobState::done;
    } else if (checkpoint.live.finished_cleanly) {
        view.state = JobState::interrupted;
    } else if (view.silent_ms > kSilentAfterMs || (!process_alive && view.silent_ms > kDeadAfterMs)) {
        view.state = JobState::gone;
    }
    const auto done = checkpoint.counts.copied + checkpoint.counts.quarantined;
    if (checkpoint.phase != Phase::copy) {
        view.fraction = 1;
    } else if (checkpoint.expected > 0) {
        view.fraction =
            std::clamp(static_cast<double>(done) / static_cast<double>(checkpoint.expected), 0.0, 1.0);
    }
    if (view.state == JobState::running && checkpoint.phase == Phase::copy &&
        checkpoint.live.items_per_second > 0) {
        view.eta_seconds = static_cast<double>(std::max<std::int64_t>(0, checkpoint.expected - done)) /
                           checkpoint.live.items_per_second;
    }
    view.checkpoint = std::move(checkpoint);
    return view;
}

JobView observe_job(const std::string& checkpoint_file) {
    auto checkpoint = read_checkpoint(checkpoint_file);
    if (!checkpoint) {
        throw Error(
            System::file, ErrorKind::not_found,
            fmt::format(
                "There is no checkpoint {}: no migration was started with that --checkpoint-file. Name "
                "the file of the running job, or start one with 'migrate migrate-embeddings'.",
                checkpoint_file));
    }
    const auto now = unix_ms();
    const bool alive = is_alive(checkpoint->live.pid);
    return view_job(*std::move(checkpoint), now, alive);
}

}  // namespace crossover::migration
