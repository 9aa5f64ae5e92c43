#include "agentdb/stores.h"

#include <algorithm>

namespace crossover::agentdb {

Stores::Stores(const CopyOptions& options, std::stop_token stop, std::function<void(const Error&)> on_wait)
    : options_(options), keyspace_(options.redis), reader_(keyspace_) {
    patience_.stop = std::move(stop);
    patience_.on_wait = [this, on_wait = std::move(on_wait)](const Error& error) {
        ++errors_;
        if (on_wait) on_wait(error);
    };
}

Connection& Stores::session() {
    if (!session_ || !session_->usable()) {
        session_.reset();
        auto made = open_session(options_.postgres_url);
        if (prepare_) prepare_(*made);
        session_ = std::move(made);
    }
    return *session_;
}

void Stores::read(std::span<const std::string> keys, const std::function<void(Source&&)>& sink) {
    std::vector<std::string> left(keys.begin(), keys.end()), taken;
    redis([&](redis::Keyspace&) {
        if (!taken.empty()) {
            // An attempt that failed had brought some.
            std::sort(taken.begin(), taken.end());
            std::erase_if(left, [&](const std::string& key) {
                return std::binary_search(taken.begin(), taken.end(), key);
            });
        }
        reader_.read(
            left,
            [&](Source&& source) {
                taken.push_back(source.key);
                sink(std::move(source));
            },
            call_deadline());
    });
}

std::vector<Source> Stores::read(std::span<const std::string> keys) {
    std::vector<Source> sources;
    read(keys, [&](Source&& source) { sources.push_back(std::move(source)); });
    return sources;
}

std::vector<bool> Stores::exist(std::span<const std::string> keys) {
    return redis([&](redis::Keyspace&) { return reader_.exist(keys, call_deadline()); });
}

}  // namespace crossover::agentdb
