#include "engine/optional_redis.h"

#include "base/error.h"

namespace crossover::engine {

namespace {
constexpr std::chrono::milliseconds kTimeout{100};
constexpr std::size_t kMostIdle = 64;
}  // namespace

bool OptionalRedis::ask(const std::function<void(redis::Connection&)>& work) {
    if (!breaker_.admits()) return false;
    try {
        std::unique_ptr<redis::Connection> connection;
        {
            std::lock_guard lock(mutex_);
            if (!idle_.empty()) {
                connection = std::move(idle_.back());
                idle_.pop_back();
            }
        }
        if (!connection) connection = std::make_unique<redis::Connection>(address_, kTimeout);
        work(*connection);
        breaker_.succeeded();
        std::lock_guard lock(mutex_);
        if (idle_.size() < kMostIdle) idle_.push_back(std::move(connection));
        return true;
    } catch (const Error& error) {
        metrics_.error(error.system(), error.kind());
        breaker_.failed();
        return false;
    }
}

}  // namespace crossover::engine
