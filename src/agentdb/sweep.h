#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "agentdb/stores.h"

/// Rows that no key stands behind any more are deleted. Each function returns how many; `holder` is of the
/// lease `copy`.
///
/// Why this deletes nothing that is newer: while Redis is the primary, each row comes from a key in Redis.
/// The row is read first and Redis is asked after that, and the row is deleted only as it was read. If the
/// key was made again meanwhile and its row written anew, the row has another version or hash and stays; if
/// it has the same content, the next look at all keys, or the count at the end, finds it missing.
namespace crossover::agentdb {

/// What a look at all rows of a kind finds, before anything is deleted.
struct RowCount {
    std::int64_t rows = 0;
    std::int64_t gone = 0;     ///< without a key, and not past their own expiry
    std::int64_t expired = 0;  ///< without a key, and past it
};
RowCount count_rows_without_key(Stores& stores, Kind kind);
/// Rows of which Redis has no key; `most` of them, besides those past their own expiry. Throws `conflict`,
/// having deleted fewer, where more have gone since they were counted.
std::int64_t sweep_rows_without_key(Stores& stores, const std::string& holder, Kind kind, std::int64_t most);
/// Rows of the keys given, where the key holds nothing valid.
std::int64_t sweep_rows_of_bad_values(Stores& stores, const std::string& holder,
                                      std::span<const std::string> keys);
/// Rows that have expired by Redis's clock, so that a row goes when its key does.
std::int64_t sweep_expired_rows(Stores& stores, const std::string& holder, const CopyOptions& options);

}  // namespace crossover::agentdb
