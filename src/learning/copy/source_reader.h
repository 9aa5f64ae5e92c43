#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "learning/store/record.h"
#include "redis/keyspace.h"

namespace crossover::learning {

/// Reads values by their keys, with memory that is bounded whatever lies behind them: values are asked for by
/// their first 64 KiB, and larger ones one by one. Each call to Redis has a deadline of its own, however long
/// `sink` takes in between. Throws crossover::Error of System::redis. One thread at a time.
class SourceReader {
  public:
    explicit SourceReader(redis::Keyspace& keyspace) : keyspace_(keyspace) {}

    /// Calls `sink` once for each key, in no particular order; keys that are not there are `missing`. All
    /// keys must be of a Kind. `sink` may be called for some of them before this throws.
    void read(std::span<const std::string> keys, const std::function<void(Source&&)>& sink);

    /// Which of the keys exist.
    std::vector<bool> exist(std::span<const std::string> keys);

  private:
    void read_slice(std::span<const std::string> keys, const std::function<void(Source&&)>& sink);
    void read_hashes(std::vector<Source>& sources, const std::vector<std::size_t>& which,
                     const std::function<void(Source&&)>& sink);
    void read_large(Source& source);
    void read_expiries(std::vector<Source>& sources);
    bool nothing_expires();
    std::vector<redis::Reply> run();

    redis::Keyspace& keyspace_;
    redis::Pipeline pipeline_;
    bool info_allowed_ = true;
};

/// What a single Redis says of the writes it has seen. Two equal marks have no write between them; keys that
/// expire may go. Of a cluster, or where INFO is not allowed, there is none.
class WriteMark {
  public:
    static WriteMark read(redis::Keyspace& keyspace, Deadline deadline);
    bool nothing_since(const WriteMark& earlier) const;

  private:
    std::string run_id_, changes_, saves_, last_save_, log_size_, log_base_, log_rewrites_, log_pending_;
    bool saving_ = true, logs_ = false;
};

/// Redis's own clock. In milliseconds since 1970; nothing for a cluster or where TIME is not allowed.
std::optional<std::int64_t> redis_time_ms(redis::Keyspace& keyspace, Deadline deadline);
/// All keys of the server, of any kind; nothing for a cluster or where DBSIZE is not allowed.
std::optional<std::int64_t> key_count(redis::Keyspace& keyspace, Deadline deadline);

}  // namespace crossover::learning
