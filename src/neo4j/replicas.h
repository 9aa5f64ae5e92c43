#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bolt/driver.h"
#include "core/deadline.h"

namespace crossover::neo4j {

/// An engine that has shown itself lately, by its heartbeat `(:EngineReplica {id, mode, seen_at})`.
struct Replica {
    std::string id;
    std::string mode;  ///< "neo4j_only", "dual_write", …
};
std::vector<Replica> living_replicas(bolt::Driver& driver, const std::string& database);

/// The capture epoch: how often it began anew that every writer captures its changes. 0 where there was no
/// engine yet.
std::int64_t capture_epoch(bolt::Driver& driver, const std::string& database);
/// From now on nothing counts as copied that was copied before: changes may have gone uncaptured.
void begin_capture_epoch(bolt::Driver& driver, const std::string& database, Deadline deadline);

/// This process among the living replicas, as long as it keeps beating. Thread-safe; the driver must outlive
/// it.
class Heartbeat {
  public:
    static constexpr std::chrono::seconds kTimeToLive{30};
    static constexpr std::chrono::seconds kEvery{5};

    /// `id` is new for each process.
    Heartbeat(bolt::Driver& driver, std::string database, std::string id);

    /// Removes replicas that stopped beating; where one of them wrote uncaptured to its end, begins an epoch.
    void bury_the_dead(Deadline deadline);
    void beat(std::string_view mode, Deadline deadline);
    /// Gives up its place among the living.
    void withdraw(Deadline deadline);
    /// Until here the others count this process as living. Nothing it sends may have a later deadline.
    Deadline limit() const;
    /// Of the last beat that Neo4j took.
    Deadline::Clock::duration age() const;

  private:
    bolt::Driver& driver_;
    const std::string database_;
    const std::string id_;
    std::atomic<Deadline::Clock::time_point> beaten_at_{};
};

}  // namespace crossover::neo4j
