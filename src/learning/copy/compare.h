#pragma once

#include "learning/copy/copy.h"

namespace crossover::learning {

struct CompareCounts {
    std::int64_t redis_keys = 0, rows = 0;
    std::int64_t equal = 0, quarantined = 0;
    std::int64_t missing = 0;    ///< in Redis only
    std::int64_t different = 0;  ///< other content, version or expiry
    std::int64_t orphaned = 0;   ///< in PostgreSQL only
};

struct Difference {
    std::string key, kind, what;  ///< for a person
};

struct CompareResult {
    std::array<CompareCounts, 4> kinds;
    std::vector<Difference> differences;  ///< the first hundred
    std::vector<std::string> examples;    ///< of what the copy quarantines: "rl:experience:7: reward is …"
    Lookalikes lookalikes;
    std::int64_t unsettled = 0;  ///< changed at every look
    std::int64_t errors = 0;
    double seconds = 0;
    bool interrupted = false;
};

/// Compares the content of both stores, both ways, and writes nothing. Rows that have expired count as
/// deleted. Under traffic too: what differs is looked at again, and counts when Redis has said the same
/// twice. Memory holds the keys that differ, a hundred thousand at most; beyond that a difference counts at
/// once.
CompareResult run_compare(const CopyOptions& options,
                          const std::function<void(const CopyProgress&)>& on_progress,
                          const std::stop_token& stop);

}  // namespace crossover::learning
