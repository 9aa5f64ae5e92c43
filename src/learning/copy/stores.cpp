#include "learning/copy/stores.h"

#include <algorithm>
#include <exception>

#include "base/clock.h"

namespace crossover::learning {

std::unique_ptr<postgres::Connection> open_copy_session(const std::string& url) {
    return open_session(url, "crossover migrate-agentdb", Deadline::after(std::chrono::seconds(10)));
}

namespace {

/// Carries what a sink threw past those who ride out what Redis throws.
struct SinkFailure {
    std::exception_ptr cause;
};

}  // namespace

Stores::Stores(const CopyOptions& options, std::stop_token stop, ProgressReport& progress,
               std::function<void(const Error&)> on_wait)
    : options_(options), progress_(progress), keyspace_(options.redis), reader_(keyspace_) {
    retry_ = {kTwoMinutes, std::move(stop),
              [&progress, on_wait = std::move(on_wait)](const Error& error) {
                  progress.waiting(error);
                  if (on_wait) on_wait(error);
              },
              [&progress] { progress.waited(); }};
}

postgres::Connection& Stores::session() {
    if (!session_ || !session_->usable()) {
        session_.reset();
        session_ = open_copy_session(options_.postgres_url);
    }
    return *session_;
}

void Stores::read(std::span<const std::string> keys, const std::function<void(Source&&)>& sink) {
    std::vector<std::string> left(keys.begin(), keys.end()), taken;
    const auto take = [&](Source&& source) {
        taken.push_back(source.key);
        try {
            sink(std::move(source));
        } catch (...) {
            throw SinkFailure{std::current_exception()};
        }
    };
    bool resumed = false;
    const auto read_to_the_end = [&] {
        try {
            reader_.read(left, take);
            if (resumed) retry_.on_recovery();
            return true;
        } catch (const Error& error) {
            // An attempt that brought some was a success as far as it went: counting begins anew.
            if (!error.retryable() || taken.empty()) throw;
            retry_.on_failure(error);
            resumed = true;
        }
        std::sort(taken.begin(), taken.end());
        std::erase_if(left, [&](const std::string& key) {
            return std::binary_search(taken.begin(), taken.end(), key);
        });
        taken.clear();
        return false;
    };
    try {
        while (!retry_(read_to_the_end)) continue;
    } catch (const SinkFailure& failure) {
        std::rethrow_exception(failure.cause);
    }
}

std::vector<Source> Stores::read(std::span<const std::string> keys) {
    std::vector<Source> sources;
    read(keys, [&](Source&& source) { sources.push_back(std::move(source)); });
    return sources;
}

std::vector<bool> Stores::exist(std::span<const std::string> keys) {
    return redis([&](redis::Keyspace&) { return reader_.exist(keys); });
}

std::int64_t Stores::now_ms() {
    const auto told =
        redis([](redis::Keyspace& keyspace) { return redis_time_ms(keyspace, call_deadline()); });
    return told.value_or(unix_ms());
}

}  // namespace crossover::learning
