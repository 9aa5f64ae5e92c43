#pragma once

#include "base/error.h"

namespace crossover::cli {

/// How the program ends; part of its interface, shown by --help.
enum ExitCode {
    kDone = 0,
    kFailed = 1,
    kUsage = 2,
    kUnreachable = 3,
    kWithFindings = 4,  ///< finished, with items quarantined or inconsistent
    kNotReady = 5,      ///< not ready, or refused
    kInterrupted = 130
};

ExitCode exit_code_of(const Error& error);

}  // namespace crossover::cli
