#pragma once

#include <string>

namespace crossover::migration {

/// The whole path, by which a file is known whatever folder a later run starts in.
std::string absolute_path(const std::string& path);

/// Of a quarantine file that this process has open, before anything in it is changed: notes beside it
/// (`<file>.checkpoint`) which checkpoint counts its lines. Throws Error(System::file, conflict) where
/// another one does, and is still there to be resumed.
void claim_quarantine(const std::string& quarantine_file, const std::string& checkpoint_file);

}  // namespace crossover::migration
