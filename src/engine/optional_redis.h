#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/circuit_breaker.h"
#include "engine/metrics.h"
#include "redis/connection.h"

namespace crossover::engine {

/// A Redis that a request can do without: asked within a tenth of a second or not at all. Thread-safe.
class OptionalRedis {
  public:
    OptionalRedis(redis::Address address, Metrics& metrics)
        : address_(std::move(address)), metrics_(metrics) {}

    /// Runs `work` with a connection. False where Redis could not be asked or did not answer, which is
    /// counted; `work` may then have been run in part.
    bool ask(const std::function<void(redis::Connection&)>& work);

  private:
    const redis::Address address_;
    Metrics& metrics_;
    CircuitBreaker breaker_;
    std::mutex mutex_;
    std::vector<std::unique_ptr<redis::Connection>> idle_;
};

}  // namespace crossover::engine
