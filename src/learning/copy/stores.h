#pragma once

#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <utility>

#include "base/retry.h"
#include "learning/copy/copy.h"
#include "learning/copy/source_reader.h"
#include "learning/store/session.h"
#include "learning/store/tables.h"

namespace crossover::learning {

/// A session for one thread of a command.
std::unique_ptr<postgres::Connection> open_copy_session(const std::string& url);

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
        return retry_([&] { return action(session()); });
    }
    template <class Action>
    auto redis(Action&& action) {
        return retry_([&] { return action(keyspace_); });
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
    void check_stop() const { throw_if_stopped(retry_.stop); }
    /// For threads that ask a server on connections of their own.
    const Retry& retry() const { return retry_; }
    ProgressReport& progress() { return progress_; }

  private:
    postgres::Connection& session();

    const CopyOptions& options_;
    ProgressReport& progress_;
    Retry retry_;
    redis::Keyspace keyspace_;
    SourceReader reader_;
    std::unique_ptr<postgres::Connection> session_;
};

}  // namespace crossover::learning
