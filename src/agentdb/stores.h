#pragma once

#include <memory>
#include <optional>
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
    Stores(const CopyOptions& options, std::stop_token stop)
        : options_(options), keyspace_(options.redis), reader_(keyspace_) {
        patience_.stop = std::move(stop);
        patience_.on_wait = [this](const Error&) { ++errors_; };
    }

    template <class Action>
    auto postgres(Action&& action) {
        return patience_.ride_out([&] {
            if (!session_ || !session_->usable()) session_ = open_session(options_.postgres_url);
            return action(*session_);
        });
    }
    template <class Action>
    auto redis(Action&& action) {
        return patience_.ride_out([&] { return action(keyspace_, reader_); });
    }
    /// Values of the keys, in no particular order, each once.
    std::vector<Source> read(std::span<const std::string> keys) {
        return redis([&](redis::Keyspace&, SourceReader& reader) {
            std::vector<Source> sources;
            reader.read(
                keys, [&](Source&& source) { sources.push_back(std::move(source)); }, call_deadline());
            return sources;
        });
    }
    void check_stop() const {
        if (patience_.stop.stop_requested()) {
            throw Error(System::internal, ErrorKind::cancelled, "Stopped on request.");
        }
    }
    const std::stop_token& stop() const { return patience_.stop; }
    std::int64_t errors() const { return errors_; }

  private:
    const CopyOptions& options_;
    Patience patience_;
    redis::Keyspace keyspace_;
    SourceReader reader_;
    std::unique_ptr<Connection> session_;
    std::int64_t errors_ = 0;
};

}  // namespace crossover::agentdb
