#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>

#include "base/deadline.h"
#include "base/error.h"

namespace crossover::sync {

/// How long writes to Milvus take at most, and what they leave behind.
struct WriteTiming {
    std::chrono::milliseconds timeout{10'000};
    /// After a write's deadline and an answer of Milvus: by then it has finished what it had received.
    std::chrono::milliseconds settling{3'000};
};

/// Milvus being away, seen by many writers: the first failure closes the gate, one thread asks until Milvus
/// answers again, the others wait. Thread-safe.
class TargetOutage {
  public:
    /// `probe` is a call that a serving Milvus answers; it throws where it does not.
    explicit TargetOutage(std::function<void(Deadline)> probe, WriteTiming timing = {})
        : probe_(std::move(probe)), timing_(timing) {}

    void report(const Error& error);
    /// Returns at once while Milvus is thought to be well. False when stopped. Throws what cannot pass.
    bool wait_until_well(const std::stop_token& stop);
    /// Returns when a write with this deadline, whose outcome is unknown, can no longer arrive: its time is
    /// over, Milvus has answered a call made after that (one that was stopped may apply what it had received
    /// when it wakes up), and it has had time to finish. False when stopped. Throws what cannot pass.
    bool wait_out(Deadline write_deadline, const std::stop_token& stop);
    bool away() const { return away_; }
    /// "waiting for Milvus: …", or empty.
    std::string state() const;

  private:
    /// Asks until there is an answer; with `probing_` held.
    bool wait_for_answer(const std::stop_token& stop);

    std::function<void(Deadline)> probe_;
    const WriteTiming timing_;
    std::atomic<bool> away_ = false;
    std::mutex probing_;
    mutable std::mutex mutex_;
    std::string reason_;
};

}  // namespace crossover::sync
