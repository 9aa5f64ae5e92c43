#include "migration/job/quarantine_claim.h"

#include <fmt/format.h>

#include <filesystem>
#include <optional>

#include "base/durable_file.h"
#include "base/error.h"
#include "migration/job/checkpoint.h"

namespace crossover::migration {

namespace {

constexpr std::size_t kMaxPathBytes = 64 << 10;

/// Lines that this checkpoint has counted in that file would be lost to it.
bool has_counted(const std::string& checkpoint_file, const std::string& quarantine_file) {
    try {
        const auto found = read_checkpoint(checkpoint_file);
        return found && found->quarantine_bytes > found->quarantine_begin &&
               found->quarantine_file == quarantine_file;
    } catch (const Error&) {
        return false;  // not one that could be resumed
    }
}

}  // namespace

std::string absolute_path(const std::string& path) {
    return std::filesystem::absolute(path).lexically_normal().string();
}

void claim_quarantine(const std::string& quarantine_file, const std::string& checkpoint_file) {
    const auto note = quarantine_file + ".checkpoint";
    const auto mine = absolute_path(checkpoint_file);
    const auto theirs = read_private_file(note, kMaxPathBytes);
    if (theirs == mine) return;
    if (theirs && has_counted(*theirs, absolute_path(quarantine_file))) {
        throw Error(
            System::file, ErrorKind::conflict,
            fmt::format("{} holds the quarantined items of another job, whose checkpoint {} has counted "
                        "them. Name another file with --quarantine-file, or remove that checkpoint if "
                        "its job is not to be resumed.",
                        quarantine_file, *theirs));
    }
    replace_private_file(note, mine);
}

}  // namespace crossover::migration
