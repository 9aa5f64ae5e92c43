#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "bolt/driver.h"

namespace crossover::neo4j {

/// An engine that has shown itself lately, by its heartbeat `(:EngineReplica {collection, id, mode,
/// seen_at})`.
struct Replica {
    std::string id;
    std::string mode;  ///< "neo4j_only", "dual_write", …
};

/// The barrier of a copy: who of the collection's engines is alive, and its capture epoch, which is how often
/// something may have gone uncaptured. Where two barriers see no replica in neo4j_only and the same epoch,
/// all changes between them were captured: whoever enters or leaves neo4j_only, or dies in it, begins an
/// epoch.
struct Barrier {
    std::vector<Replica> living;
    std::int64_t epoch = 0;
};
/// Removes the collection's replicas that stopped beating, and looks; none of them enters or leaves
/// neo4j_only meanwhile. For a write transaction, and true once that is committed.
Barrier look_at_barrier(bolt::Transaction& transaction, const std::string& collection);

/// Makes the constraint that a collection has one epoch, `(:CaptureEpoch {collection, number})`, where it is
/// missing. To be called before the first look or beat.
void prepare_epochs(bolt::Driver& driver, const std::string& database);

/// This process among the living replicas, as long as it keeps beating. Thread-safe; the driver must outlive
/// it.
class Heartbeat {
  public:
    static constexpr std::chrono::seconds kTimeToLive{30};
    static constexpr std::chrono::seconds kEvery{5};

    /// `id` is new for each process.
    Heartbeat(bolt::Driver& driver, std::string database, std::string collection, std::string id);

    /// Shows itself, in this mode from now on; entering or leaving neo4j_only begins an epoch.
    void beat(std::string_view mode, Deadline deadline);
    /// Gives up its place among the living; that of one in neo4j_only begins an epoch.
    void withdraw(Deadline deadline);
    /// Until here the others count this process as living. Nothing it sends may have a later deadline.
    Deadline limit() const;
    /// Of the last beat that Neo4j took.
    Deadline::Clock::duration age() const;

  private:
    void write_and_begin_epoch(const char* statement, const bolt::Parameters& parameters, Deadline deadline);

    bolt::Driver& driver_;
    const std::string database_;
    const std::string collection_;
    const std::string id_;
    std::atomic<Deadline::Clock::time_point> beaten_at_{};
};

}  // namespace crossover::neo4j
