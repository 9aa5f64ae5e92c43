#pragma once

#include <string>
#include <vector>

#include "learning/copy/copy.h"
#include "settings/settings.h"

namespace crossover::cli {

/// Prefix and field names of the learning state.
void take_learning_settings(const Settings& settings, learning::CopyOptions& options);

/// What a look at a few of Redis's values finds spelt otherwise, for preflight: sentences with what to do.
/// Throws nothing: a Redis that is away is another's finding.
std::vector<std::string> learning_faults(const Settings& settings);

}  // namespace crossover::cli
