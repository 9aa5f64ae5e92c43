#include "bolt/driver_core.h"

#include <fmt/format.h>

#include "net/tcp.h"
#include "net/tls.h"

namespace crossover::bolt {

namespace {

Connector network(Encryption encryption, const std::string& ca_file) {
    if (encryption == Encryption::none) {
        return [](const Address& address, Deadline deadline) {
            return net::tcp_connect(address.host, address.port, deadline, System::neo4j);
        };
    }
    const auto trust =
        encryption == Encryption::verified ? net::TlsTrust::verified : net::TlsTrust::any_certificate;
    return [options = net::TlsOptions{trust, ca_file}](const Address& address, Deadline deadline) {
        return net::tls_connect(address.host, address.port, options, deadline, System::neo4j);
    };
}

ConnectionOptions options_of(const Uri& uri, AuthToken auth, const DriverConfig& config) {
    ConnectionOptions options{config.user_agent, std::move(auth), std::nullopt, config.max_message_bytes};
    if (uri.routing) options.routing_context = uri.routing_context;
    return options;
}

}  // namespace

DriverCore::DriverCore(Uri uri, AuthToken auth, DriverConfig config, Connector connector)
    : uri_(std::move(uri)),
      config_(std::move(config)),
      connector_(connector ? std::move(connector) : network(uri_.encryption, config_.ca_file)),
      options_(options_of(uri_, std::move(auth), config_)),
      pool_(Pool::create(
          PoolConfig{config_.max_connections, config_.liveness_check_after, config_.max_connection_lifetime},
          [this](const Address& address, Deadline deadline) { return open(address, deadline); })) {
    if (uri_.routing) {
        router_.emplace(
            uri_.address,
            [this](const Address& router, const std::string& database,
                   const std::vector<std::string>& bookmarks,
                   Deadline deadline) { return ask(router, database, bookmarks, deadline); },
            [this](const Address& address) { return pool_->in_use(address); });
    }
}

std::unique_ptr<Connection> DriverCore::open(const Address& address, Deadline deadline) const {
    Deadline limit = deadline.earlier(Deadline::after(config_.connect_timeout));
    // One that is silent must leave time for another.
    if (router_) limit = limit.earlier(Deadline::after(deadline.remaining() / 2));
    return Connection::open(connector_(address, limit), address, options_, limit);
}

RoutingTable DriverCore::ask(const Address& router, const std::string& database,
                             const std::vector<std::string>& bookmarks, Deadline deadline) {
    const Pool::Lease lease = pool_->acquire(router, deadline);
    if (!lease->protocol().route(uri_.routing_context, bookmarks, database)) {
        throw Error(System::neo4j, ErrorKind::too_large, "The bookmarks for Neo4j are too large to send.");
    }
    Map metadata;
    try {
        lease->flush(deadline);
        metadata = lease->expect_success(WaitLimits::until(deadline), database);
    } catch (const Error& error) {
        notice(error, router, database);
        throw;
    }
    auto table = parse_routing_table(metadata);
    if (!table) {
        throw Error(
            System::neo4j, ErrorKind::protocol,
            fmt::format(
                "Neo4j at {} sent a routing table that makes no sense. If it is a single server, write "
                "bolt:// instead of neo4j://.",
                to_string(router)));
    }
    return std::move(*table);
}

DriverCore::Acquired DriverCore::acquire(const std::string& database, AccessMode access,
                                         const std::vector<std::string>& bookmarks,
                                         std::optional<Deadline> deadline) {
    const Deadline limit = deadline ? *deadline : Deadline::after(config_.acquire_timeout);
    if (!router_) return {pool_->acquire(uri_.address, limit), database};
    constexpr int kServersTried = 8;
    for (int tried = 1;; ++tried) {
        const Router::Server server = router_->choose(database, access, bookmarks, limit);
        try {
            return {pool_->acquire(server.address, limit), server.database};
        } catch (const Error& error) {
            notice(error, server.address, database);
            const bool gone = error.kind() == ErrorKind::unreachable || error.kind() == ErrorKind::timeout;
            if (!gone || tried == kServersTried || limit.passed()) throw;
        }
    }
}

void DriverCore::notice(const Error& error, const Address& address, const std::string& database) {
    const std::string& code = error.native_code();
    if (code == kAuthorizationExpired) pool_->renew_all();
    if (code.empty() && (error.kind() == ErrorKind::unreachable || error.kind() == ErrorKind::timeout)) {
        pool_->drop_idle(address);
        if (router_) router_->forget(address);
    } else if (router_ && (code == "Neo.ClientError.Cluster.NotALeader" ||
                           code == "Neo.ClientError.General.ForbiddenOnReadOnlyDatabase" ||
                           code == "Neo.TransientError.Database.DatabaseUnavailable" ||
                           code == "Neo.TransientError.General.DatabaseUnavailable")) {
        router_->expire(database);
    }
}

bool DriverCore::sleep(std::chrono::milliseconds duration) {
    std::unique_lock lock(mutex_);
    return !closing_.wait_for(lock, duration, [this] { return closed(); });
}

void DriverCore::close() noexcept {
    pool_->close();
    const std::lock_guard lock(mutex_);
    closing_.notify_all();
}

}  // namespace crossover::bolt
