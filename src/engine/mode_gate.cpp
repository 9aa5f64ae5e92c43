#include "engine/mode_gate.h"

namespace crossover::engine {

ModeGate::Passage ModeGate::enter() {
    std::lock_guard lock(mutex_);
    ++under_way_[static_cast<std::size_t>(mode_)];
    return Passage(*this, mode_);
}

void ModeGate::leave(StorageMode mode) {
    std::lock_guard lock(mutex_);
    if (--under_way_[static_cast<std::size_t>(mode)] == 0) ended_.notify_all();
}

StorageMode ModeGate::mode() const {
    std::lock_guard lock(mutex_);
    return mode_;
}

void ModeGate::turn(StorageMode mode) {
    std::unique_lock lock(mutex_);
    mode_ = mode;
    ended_.wait(lock, [&] { return only_of(mode); });
}

bool ModeGate::only_of(StorageMode mode) const {
    for (std::size_t i = 0; i < under_way_.size(); ++i) {
        if (i != static_cast<std::size_t>(mode) && under_way_[i] > 0) return false;
    }
    return true;
}

}  // namespace crossover::engine
