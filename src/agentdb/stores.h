#pragma once

#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <utility>

#include "agentdb/copy.h"
#include "agentdb/patience.h"
#include "agentdb/source_reader.h"
#include "agentdb/tables.h"

namespace crossover::agentdb {

/// Both servers as one thread asks them: what fails is ridden out, sessions that were lost are made again.
/// Actions may be called more than once.
class Stores {
  public:
    /// Redis is connected to at once, PostgreSQL when it is first asked. `progress` and `on_wait` hear of
    /// every failure that is ridden out, by whichever thread rides it out.
    Stores(const CopyOptions& options, std::stop_token stop, ProgressReport& progress,
           std::function<void(const Error&)> on_wait = {});
    Stores(const Stores&) = delete;
    Stores& operator=(const Stores&) = delete;

    template <class Action>
    auto postgres(Action&& action) {
        return patience_.ride_out([&] { return action(session()); });
    }
    template <class Action>
    auto redis(Action&& action) {
        return patience_.ride_out([&] { return action(keyspace_); });
    }

    /// Calls `sink` once for each key with its value, whatever fails in between, in no particular order. All
    /// keys must be of a Kind, each given once. What `sink` throws ends it.
    void read(std::span<const std::string> keys, const std::function<void(Source&&)>& sink);
    std::vector<Source> read(std::span<const std::string> keys);
    std::vector<bool> exist(std::span<const std::string> keys);
    /// By Redis's clock, or by ours where it does not tell.
    std::int64_t now_ms();

    /// For parse().
    const FieldNames* names() const { return options_.names(); }
    void check_stop() const { patience_.check_stop(); }
    /// For threads that ask a server on connections of their own.
    const Patience& patience() const { return patience_; }
    ProgressReport& progress() { return progress_; }

  private:
    Connection& session();

    const CopyOptions& options_;
    ProgressReport& progress_;
    Patience patience_;
    redis::Keyspace keyspace_;
    SourceReader reader_;
    std::unique_ptr<Connection> session_;
};

}  // namespace crossover::agentdb
