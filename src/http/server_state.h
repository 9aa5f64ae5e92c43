#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <ctime>
#include <functional>
#include <optional>
#include <set>
#include <string>

#include "http/bearer_token.h"
#include "http/server.h"

namespace crossover::http {

/// A connection as its server sees it. For the I/O thread only.
class AnyConnection {
  public:
    virtual ~AnyConnection() = default;
    /// Ends it where nothing of a request has arrived.
    virtual void close_if_idle() = 0;
    /// Ends it at once.
    virtual void close() = 0;
};

/// Threads that run handlers. `requests` is for the I/O thread only.
struct Workers {
    Workers(std::size_t threads, std::size_t waiting) : most_requests(threads + waiting), pool(threads) {}

    const std::size_t most_requests;
    std::size_t requests = 0;  ///< waiting and running
    boost::asio::thread_pool pool;
};

/// What the connections of a server share. For the I/O thread only, except for `config`, `router` and
/// `report()`.
struct ServerState {
    ServerState(ServerConfig config, Router router);

    void report(std::string_view where, const std::exception& error) const;
    /// The Date header of now.
    const std::string& date();
    void add(AnyConnection& connection);
    void remove(AnyConnection& connection);

    const ServerConfig config;
    const Router router;
    std::optional<BearerToken> token;
    std::optional<boost::asio::ssl::context> tls;

    bool draining = false;
    std::function<void()> drained;  ///< called when the last connection has gone while draining
    std::set<AnyConnection*> connections;
    std::size_t turned_away = 0;  ///< of the connections, those over the limit
    std::time_t date_of = 0;
    std::string date_text;

    // Last, because destroying them destroys connections, which still use the rest.
    boost::asio::io_context io{1};
    Workers workers;
    /// Of the routes that anyone may ask.
    Workers probe_workers;
};

}  // namespace crossover::http
