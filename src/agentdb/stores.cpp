#include "agentdb/stores.h"

#include <algorithm>
#include <exception>

namespace crossover::agentdb {
namespace {

/// Carries what a sink threw past those who ride out what Redis throws.
struct SinkFailure {
    std::exception_ptr cause;
};

}  // namespace

Stores::Stores(const CopyOptions& options, std::stop_token stop, ProgressReport& progress,
               std::function<void(const Error&)> on_wait)
    : options_(options), progress_(progress), keyspace_(options.redis), reader_(keyspace_) {
    patience_.stop = std::move(stop);
    patience_.on_wait = [&progress, on_wait = std::move(on_wait)](const Error& error) {
        progress.waiting(error);
        if (on_wait) on_wait(error);
    };
    patience_.on_waited = [&progress] { progress.waited(); };
}

Connection& Stores::session() {
    if (!session_ || !session_->usable()) {
        session_.reset();
        session_ = open_session(options_.postgres_url);
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
            if (resumed) patience_.on_waited();
            return true;
        } catch (const Error& error) {
            // An attempt that brought some was a success as far as it went: patience begins anew.
            if (!error.retryable() || taken.empty()) throw;
            patience_.on_wait(error);
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
        while (!patience_.ride_out(read_to_the_end)) continue;
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
    if (told) return *told;
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

}  // namespace crossover::agentdb
