#pragma once

#include <thread>
#include <vector>

#include "engine/delivery.h"
#include "sync/target_outage.h"

namespace crossover::engine {

/// Brings to Milvus what the outbox still holds when its writer should long have done so: the writer died, or
/// Milvus was away. Any number of replicas may each run one. Also reports how deep the outbox is.
class Reconciler {
  public:
    struct Settings {
        std::chrono::milliseconds every{1'000};
        std::int64_t alarm_depth = 100'000;  ///< entries
        sync::WriteTiming timing{};
    };

    /// `probe` is a call that a serving Milvus answers.
    Reconciler(SyncPorts ports, std::function<void(Deadline)> probe, Settings settings);

  private:
    void run(const std::stop_token& stop);
    void report_depth();
    /// False when there was nothing to do, or no use in trying.
    bool reconcile_once(const std::stop_token& stop);
    std::vector<neo4j::ChangeEntry> claim();

    SyncPorts ports_;
    std::function<void(Deadline)> probe_;
    const Settings settings_;
    bool alarmed_ = false;
    std::int64_t owed_ = 0;  ///< entries of the outbox, at the last look
    std::jthread thread_;
};

}  // namespace crossover::engine
