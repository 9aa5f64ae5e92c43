#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "base/deadline.h"
#include "bolt/auth.h"
#include "bolt/chunking.h"
#include "bolt/handshake.h"
#include "bolt/session.h"
#include "bolt/uri.h"

namespace crossover::net {
class ByteStream;
}

/// A client for Neo4j over Bolt 5.0 to 5.8 and 6.0.
///
///     Driver driver(parse_uri("bolt://localhost:7687"), AuthToken::basic("neo4j", password));
///     Session session = driver.session({.database = "neo4j", .access = AccessMode::read});
///     Result result = session.run("MATCH (m:Movie) WHERE m.year > $year RETURN m.title", {{"year", 1990}});
///     while (auto record = result.next()) use(record->get<std::string>("m.title"));
namespace crossover::bolt {

class DriverCore;

struct DriverConfig {
    std::string user_agent = "crossover/0.1.0";
    std::size_t max_connections = 100;                  ///< to each server
    std::chrono::milliseconds connect_timeout{15'000};  ///< with TLS and authentication
    std::chrono::milliseconds acquire_timeout{60'000};  ///< when all connections are in use
    /// A connection idle for longer is asked whether it lives before it is used.
    std::chrono::milliseconds liveness_check_after{30'000};
    std::chrono::milliseconds max_connection_lifetime{3'600'000};
    std::chrono::milliseconds timeout{60'000};  ///< of sessions that name none
    /// What servers are told of transactions without a deadline, which they would otherwise end by a setting
    /// of their own (db.transaction.timeout).
    std::chrono::milliseconds longest_transaction{std::chrono::hours(7 * 24)};
    std::chrono::milliseconds max_retry_time{30'000};  ///< of execute_read and execute_write
    std::size_t max_message_bytes = Dechunker::kDefaultMaxMessageBytes;
    std::string ca_file = {};  ///< PEM, for `+s`; empty = the system's authorities
};

struct ServerInfo {
    std::string address;  ///< "host:port"
    std::string agent;    ///< "Neo4j/5.26.0"
    Version bolt;
};

/// How a server is reached; throws crossover::Error.
using Connector = std::function<std::unique_ptr<net::ByteStream>(const Address&, Deadline)>;

/// One database system: the connections to it, and for `neo4j` URIs which server reads and which writes.
/// Thread-safe. Sessions may outlive it; their calls then fail.
class Driver {
  public:
    /// Does not connect yet. `connector` empty = TCP, or TLS where the URI says so.
    Driver(Uri uri, AuthToken auth, DriverConfig config = {}, Connector connector = {});
    ~Driver();
    Driver(const Driver&) = delete;
    Driver& operator=(const Driver&) = delete;

    /// Connects to a server for this database (empty = the user's own), authenticates, opens a transaction in
    /// it, and says whom it reached. Throws `unreachable`, `timeout`, `authentication`, `not_found` (the
    /// database) or `protocol` (not Neo4j).
    ServerInfo verify_connectivity(const std::string& database, Deadline deadline);
    Session session(SessionConfig config = {});
    const Uri& uri() const noexcept;
    /// Ends all connections, also those in use: calls that wait for the server fail with `cancelled`.
    void close() noexcept;

  private:
    std::shared_ptr<DriverCore> core_;
};

}  // namespace crossover::bolt
