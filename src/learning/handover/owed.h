#pragma once

#include <cstdint>
#include <string>

#include "base/deadline.h"
#include "learning/store/postgres_store.h"
#include "learning/store/redis_store.h"

namespace crossover::learning {

/// What came of one look at all that is owed.
struct Brought {
    std::int64_t brought = 0;
    std::int64_t stuck = 0;  ///< that PostgreSQL refuses to take; they stay owed
    std::string why;         ///< of one of those
};

/// Brings what Redis owes to PostgreSQL, batch by batch, until all of it was met once or `limit` has
/// passed. Several may do so at once: versions decide. Throws crossover::Error where a store does not answer
/// in time.
Brought bring_owed(RedisStore& redis, PostgresStore& postgres, Deadline limit);

}  // namespace crossover::learning
