#pragma once

#include <thread>

#include "base/bounded_queue.h"
#include "engine/delivery.h"

namespace crossover::engine {

/// A committed change whose entry is this process's own until `lease_end`.
struct Committed {
    neo4j::ChangeEntry entry;
    Deadline lease_end;
};

/// Brings changes to Milvus right after their commit, in a thread of its own, so that requests need not wait.
/// What it can't deliver keeps its entry in the outbox, for the reconciler. Thread-safe.
class Courier {
  public:
    explicit Courier(SyncPorts ports);
    /// Ends after the delivery under way.
    ~Courier();

    /// Never waits: what does not fit the queue is left to the reconciler.
    void accept(Committed change);

  private:
    void run(const std::stop_token& stop);

    SyncPorts ports_;
    BoundedQueue<Committed> queue_;
    std::jthread thread_;
};

}  // namespace crossover::engine
