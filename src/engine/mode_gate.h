#pragma once

#include <array>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "engine/storage_mode.h"

namespace crossover::engine {

/// The mode of each request, from its first step to its last: a request never changes its mode, and who turns
/// the mode waits for those that began in another. Thread-safe.
class ModeGate {
  public:
    explicit ModeGate(StorageMode mode) : mode_(mode) {}

    /// A request on its way; ends with it. Must not outlive the gate.
    class Passage {
      public:
        Passage(Passage&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)), mode_(other.mode_) {}
        Passage& operator=(Passage&&) = delete;
        ~Passage() {
            if (gate_ != nullptr) gate_->leave(mode_);
        }
        StorageMode mode() const { return mode_; }

      private:
        friend class ModeGate;
        Passage(ModeGate& gate, StorageMode mode) : gate_(&gate), mode_(mode) {}
        ModeGate* gate_;
        StorageMode mode_;
    };

    Passage enter();
    /// Of requests that come in now.
    StorageMode mode() const;
    /// Requests that come in from now on have this mode. Returns when those of any other mode have ended.
    void turn(StorageMode mode);

  private:
    void leave(StorageMode mode);
    bool only_of(StorageMode mode) const;

    mutable std::mutex mutex_;
    std::condition_variable ended_;
    StorageMode mode_;
    std::array<int, kStorageModes> under_way_{};
};

}  // namespace crossover::engine
