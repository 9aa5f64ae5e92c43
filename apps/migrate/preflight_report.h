#pragma once

#include <string>

#include "migration/preflight/verdict.h"

namespace crossover::cli {

void print_preflight(const migration::PreflightReport& report);
std::string preflight_json(const migration::PreflightReport& report);

}  // namespace crossover::cli
