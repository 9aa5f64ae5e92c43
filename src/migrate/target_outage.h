#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>

#include "core/deadline.h"
#include "core/error.h"

namespace crossover::migrate {

/// Milvus being away, seen by many writers: the first failure closes the gate, one thread asks until Milvus
/// answers again, the others wait. Thread-safe.
class TargetOutage {
  public:
    /// `probe` is a call that a serving Milvus answers; it throws where it does not.
    explicit TargetOutage(std::function<void(Deadline)> probe) : probe_(std::move(probe)) {}

    void report(const Error& error);
    /// Returns at once while Milvus is thought to be well. False when stopped. Throws what cannot pass.
    bool wait_until_well(const std::stop_token& stop);
    /// Asks now, whatever is thought, until there is an answer: proof that Milvus is alive at a moment after
    /// this call.
    bool wait_for_answer(const std::stop_token& stop);
    /// "waiting for Milvus: …", or empty.
    std::string state() const;

  private:
    std::function<void(Deadline)> probe_;
    std::atomic<bool> away_ = false;
    std::mutex probing_;
    mutable std::mutex mutex_;
    std::string reason_;
};

}  // namespace crossover::migrate
