#pragma once

#include <optional>
#include <string>
#include <vector>

#include "migration/preflight/capacity.h"
#include "migration/preflight/inventory.h"
#include "migration/preflight/servers.h"

namespace crossover::migration {

/// Everything that a preflight found out.
struct PreflightReport {
    bool only_connectivity = false;
    std::string label;
    std::string source;  ///< "bolt://host:port/database"
    std::vector<ServerState> servers;
    std::optional<Inventory> inventory;
    Forecast forecast;
    Capacity capacity;
    std::vector<std::string> reasons;  ///< why not ready: each with what to do
    std::vector<std::string> notes;
    bool only_unreachable = false;  ///< all reasons are servers that are away

    bool ready() const { return reasons.empty(); }
};

/// Fills reasons, notes and only_unreachable from the rest.
void judge(PreflightReport& report);

}  // namespace crossover::migration
