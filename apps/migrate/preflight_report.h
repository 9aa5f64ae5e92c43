#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/config.h"
#include "migrate/preflight.h"

namespace crossover::cli {

/// Everything that a preflight found out.
struct PreflightReport {
    bool only_connectivity = false;
    std::string label;
    std::string source;  ///< "bolt://host:port/database"
    std::vector<migrate::ServerState> servers;
    std::optional<migrate::Inventory> inventory;
    migrate::Forecast forecast;
    migrate::Capacity capacity;
    std::vector<std::string> reasons;  ///< why not ready: each with what to do
    std::vector<std::string> notes;
    bool only_unreachable = false;  ///< all reasons are servers that are away

    bool ready() const { return reasons.empty(); }
};

/// Fills reasons, notes and only_unreachable from the rest.
void judge(PreflightReport& report);

void print_preflight(const PreflightReport& report);
std::string preflight_json(const PreflightReport& report);

}  // namespace crossover::cli
