#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "learning/store/record.h"
#include "postgres/connection.h"

/// The four tables, read and written for copies. Each function is one transaction or statement, and leaves
/// nothing behind in its session. Those that write are given the holder of the lease `copy`, and throw
/// `conflict` where another has it; and `not_ready` where Redis is not the primary. Their commits are not
/// waited for on disk until `make_durable`.
namespace crossover::learning {

/// Everything committed by any session so far is on PostgreSQL's disk when this returns.
void make_durable(postgres::Connection& connection);

/// Throws `not_ready`, with what to do, unless Redis holds the data that counts.
void require_redis_primary(postgres::Connection& connection);

/// What is known of a row without reading its content.
struct Digest {
    std::int64_t version = 0;
    std::optional<std::int64_t> content_hash;
    std::optional<std::int64_t> expires_at_us;
};
using Digests = std::unordered_map<std::string, Digest>;
Digests read_digests(postgres::Connection& connection, Kind kind, std::span<const std::string_view> keys);

/// Encoded rows, each of another key.
struct EncodedRows {
    Kind kind = Kind::experience;
    std::string bytes;
    std::vector<std::size_t> ends;  ///< in `bytes`
    std::vector<std::string> keys;

    void add(const Row& row);
    void clear(Kind of);
    std::size_t size() const { return ends.size(); }
};

/// Called for a row that PostgreSQL does not take.
using OnRefused = std::function<void(std::size_t row, const std::string& reason)>;

/// Rows whose keys are believed to be absent go straight into the table; where one is not, and with `upsert`,
/// the table's row is replaced if it is older, or as old (0, legacy) with other content. Rows that PostgreSQL
/// can't hold are refused one by one, the others are written. Returns how many rows were added or replaced.
std::int64_t write_rows(postgres::Connection& connection, const std::string& holder, const EncodedRows& rows,
                        bool upsert, const OnRefused& refused);

/// Why PostgreSQL would not take a row, in the words of `write_rows`.
struct Refusal {
    std::size_t row = 0;
    std::string reason;
};
/// Tries rows on a temporary table with the columns, checks and indexes of theirs, which goes with its
/// transaction: the tables themselves are only looked at.
std::vector<Refusal> refusals_of(postgres::Connection& connection, const EncodedRows& rows);

/// What `write_rows` says of a Q value whose agent, state and action another key's row has.
inline constexpr std::string_view kDoubled = "another key has the same agent_id, state_hash and action";

/// Keys in order, after `after`, with what is needed to delete just what was seen.
struct KeyedDigest {
    std::string key;
    Digest digest;
};
std::vector<KeyedDigest> page_of_keys(postgres::Connection& connection, Kind kind,
                                      const std::optional<std::string>& after, std::size_t limit);
/// Deletes those that are still as they were seen.
std::int64_t delete_unchanged(postgres::Connection& connection, const std::string& holder, Kind kind,
                              std::span<const KeyedDigest> rows);
/// Deletes what has expired by then.
std::int64_t delete_expired(postgres::Connection& connection, const std::string& holder, Kind kind,
                            std::int64_t now_ms);
std::int64_t count_rows(postgres::Connection& connection, Kind kind);

/// Whole rows by key.
std::vector<Row> read_rows(postgres::Connection& connection, Kind kind,
                           std::span<const std::string_view> keys);
/// Which of the Q values given (by their place) another key's row, not yet expired at `now_us`, speaks of.
std::vector<std::size_t> held_by_other_keys(postgres::Connection& connection, std::span<const Row> q_values,
                                            std::int64_t now_us);
/// Whole rows in the order of keys, one by one.
void stream_rows(postgres::Connection& connection, Kind kind, const std::optional<std::string>& after,
                 std::size_t limit, const std::function<void(Row&&)>& on_row);

}  // namespace crossover::learning
