#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "bolt/driver.h"
#include "bolt/pool.h"
#include "bolt/routing.h"

namespace crossover::bolt {

/// What a driver and its sessions share. Thread-safe.
class DriverCore {
  public:
    DriverCore(Uri uri, AuthToken auth, DriverConfig config, Connector connector);

    struct Acquired {
        Pool::Lease lease;
        std::string database;  ///< the one asked for, or the user's home database where its name is known
    };
    /// A connection to a server that may serve such a transaction. `deadline` unset = acquire_timeout.
    Acquired acquire(const std::string& database, AccessMode access,
                     const std::vector<std::string>& bookmarks, std::optional<Deadline> deadline);

    /// Draws the consequences for routing and pool of what a server answered, or of its silence.
    void notice(const Error& error, const Address& address, const std::string& database);

    /// False when the driver was closed meanwhile.
    bool sleep(std::chrono::milliseconds duration);
    void close() noexcept;
    bool closed() const { return pool_->closed(); }

    const Uri& uri() const noexcept { return uri_; }
    const DriverConfig& config() const noexcept { return config_; }

  private:
    std::unique_ptr<Connection> open(const Address& address, Deadline deadline) const;
    RoutingTable ask(const Address& router, const std::string& database,
                     const std::vector<std::string>& bookmarks, Deadline deadline);

    const Uri uri_;
    const DriverConfig config_;
    const Connector connector_;
    const ConnectionOptions options_;
    const std::shared_ptr<Pool> pool_;
    std::optional<Router> router_;  ///< of `neo4j` URIs
    std::mutex mutex_;
    std::condition_variable closing_;
};

}  // namespace crossover::bolt
