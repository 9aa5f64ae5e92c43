#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/deadline.h"
#include "bolt/driver.h"

namespace crossover::neo4j {

/// How long Neo4j may say nothing in the middle of a scan of a whole label, which may pass over millions of
/// nodes before it has a row. It is not a limit of the scan: Neo4j's keep-alives, one a minute unless
/// configured, count as life.
inline constexpr std::chrono::minutes kScanSilence{5};

/// For a scan of a whole label. `fetch_size` as bolt::SessionConfig has it.
inline bolt::Session scan_session(bolt::Driver& driver, const std::string& database,
                                  std::int64_t fetch_size = -1, std::vector<std::string> bookmarks = {}) {
    return driver.session({.database = database,
                           .access = bolt::AccessMode::read,
                           .bookmarks = std::move(bookmarks),
                           .fetch_size = fetch_size,
                           .timeout = kScanSilence});
}

/// For one query that only reads, with all its rows in one batch.
inline bolt::Session read_session(bolt::Driver& driver, const std::string& database, Deadline deadline) {
    return driver.session(
        {.database = database, .access = bolt::AccessMode::read, .fetch_size = -1, .deadline = deadline});
}

}  // namespace crossover::neo4j
