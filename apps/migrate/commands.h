#pragma once

#include <memory>

#include "command_line.h"

namespace crossover::cli {

std::unique_ptr<Command> make_preflight(CLI::App& parent);
std::unique_ptr<Command> make_migrate_embeddings(CLI::App& parent);
std::unique_ptr<Command> make_validate(CLI::App& parent);
std::unique_ptr<Command> make_migrate_agentdb(CLI::App& parent);
std::unique_ptr<Command> make_monitor(CLI::App& parent);

}  // namespace crossover::cli
