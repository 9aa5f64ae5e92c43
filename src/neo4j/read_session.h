#pragma once

#include <string>

#include "bolt/driver.h"
#include "core/deadline.h"

namespace crossover::neo4j {

/// For one query that only reads, with all its rows in one batch.
inline bolt::Session read_session(bolt::Driver& driver, const std::string& database, Deadline deadline) {
    return driver.session({.database = database,
                           .access = bolt::AccessMode::read,
                           .fetch_size = -1,
                           .timeout = deadline.remaining()});
}

}  // namespace crossover::neo4j
