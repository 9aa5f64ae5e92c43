#pragma once

#include <memory>
#include <string>

#include "postgres/connection.h"

namespace crossover::learning {

/// A session of PostgreSQL; whoever gets a password over an open network is warned of, once.
std::unique_ptr<postgres::Connection> open_session(const std::string& url, const std::string& application,
                                                   Deadline deadline);

/// For one call of either server, where no request waits for it.
inline Deadline call_deadline() {
    return Deadline::after(std::chrono::seconds(60));
}

}  // namespace crossover::learning
