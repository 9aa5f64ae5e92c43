#pragma once

#include <cstdint>
#include <string>

#include "core/deadline.h"
#include "learning/postgres_store.h"
#include "learning/redis_store.h"

namespace crossover::learning {

/// What came of one look at all that is owed.
struct Delivered {
    std::int64_t brought = 0;
    std::int64_t stuck = 0;  ///< that PostgreSQL refuses to take; they stay owed
    std::string why;         ///< of one of those
};

/// Brings what Redis owes to PostgreSQL, batch by batch, until all of it was met once or `limit` has
/// passed. Several may do so at once: versions decide. Throws crossover::Error where a store does not answer
/// in time.
Delivered deliver(RedisStore& redis, PostgresStore& postgres, Deadline limit);

}  // namespace crossover::learning
