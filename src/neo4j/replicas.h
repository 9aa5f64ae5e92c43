#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bolt/driver.h"

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

}  // namespace crossover::neo4j
