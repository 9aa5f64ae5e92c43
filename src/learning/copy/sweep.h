#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "learning/copy/stores.h"

/// Rows that no key stands behind any more are deleted. Each function returns how many; `holder` is of the
/// lease `copy`.
///
/// Why this deletes nothing that is newer: while Redis is the primary, each row comes from a key in Redis.
/// The row is read first and Redis is asked after that, and the row is deleted only as it was read. If the
/// key was made again meanwhile and its row written anew, the row has another version or hash and stays; if
/// it has the same content, the next look at all keys, or the count at the end, finds it missing.
namespace crossover::learning {

/// What a look at all rows of a kind finds, before anything is deleted.
struct RowCount {
    std::int64_t rows = 0;
    std::int64_t gone = 0;     ///< without a key, and not past their own expiry
    std::int64_t expired = 0;  ///< without a key, and past it
};
RowCount count_rows_without_key(Stores& stores, Kind kind);
/// Of the keys given: rows whose key is there, and holds what can't be a row.
std::int64_t count_rows_of_bad_values(Stores& stores, std::span<const std::string> keys);

/// How many rows a run may still delete, of all kinds together; those past their own expiry do not count.
/// Rows may go between the count and the deletion, so each page looks before it deletes.
class DeletionsLeft {
  public:
    /// Without a limit.
    DeletionsLeft() = default;
    explicit DeletionsLeft(std::int64_t most) : left_(most) {}
    /// Throws `conflict` where there are not so many left.
    void take(std::int64_t rows);
    std::int64_t taken() const { return taken_; }

  private:
    std::optional<std::int64_t> left_;
    std::int64_t taken_ = 0;
};

/// Rows of which Redis has no key.
std::int64_t sweep_rows_without_key(Stores& stores, const std::string& holder, Kind kind,
                                    DeletionsLeft& left);
/// Those that `count_rows_of_bad_values` counts.
std::int64_t sweep_rows_of_bad_values(Stores& stores, const std::string& holder,
                                      std::span<const std::string> keys, DeletionsLeft& left);
/// Rows that have expired by Redis's clock, so that a row goes when its key does.
std::int64_t sweep_expired_rows(Stores& stores, const std::string& holder, const CopyOptions& options);

}  // namespace crossover::learning
