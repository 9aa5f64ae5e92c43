#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "engine/metrics.h"
#include "engine/optional_redis.h"

namespace crossover::engine {

/// Answers of all replicas, kept in Redis for a while. A generation, a name that is new after each change of
/// the data, says which of them still hold; one that was computed while it changed is never found. Best
/// effort: where Redis does not answer, nothing is found or kept, and a change that could not be told to it
/// leaves other replicas' answers as old as `keep`. Thread-safe; calls don't throw.
class AnswerCache {
  public:
    struct Config {
        std::string scope;  ///< of the data: replicas with the same one share their answers
        std::chrono::seconds keep{30};
    };

    AnswerCache(Config config, OptionalRedis& redis, Metrics& metrics);

    struct Found {
        std::optional<std::string> answer;
        std::string generation;  ///< in which an answer to be kept is being computed; may be empty
    };
    /// `request`: all that the answer depends on.
    Found find(std::string_view request);
    void keep(std::string_view request, std::string_view answer, const std::string& generation);
    /// Whatever was kept or is being computed holds no more. Nothing is kept for `search_lag`: until then
    /// searches may not see the change yet.
    void invalidate(std::chrono::seconds search_lag = std::chrono::seconds(0));

  private:
    std::string key_of(std::string_view request) const;

    const Config config_;
    const std::string generation_key_;
    const std::string search_lag_key_;
    OptionalRedis& redis_;
    Metrics& metrics_;
};

}  // namespace crossover::engine
