#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "http/router.h"

namespace crossover::http {

struct Limits {
    std::size_t header_bytes = 16 * 1024;  ///< of the request line, and of the fields; beyond it 431
    /// Beyond it 413, before the body is read where its length is told.
    std::size_t body_bytes = 1024 * 1024;
    std::chrono::milliseconds header_timeout{10'000};  ///< from its first byte, and for the TLS handshake
    std::chrono::milliseconds body_timeout{30'000};
    std::chrono::milliseconds idle_timeout{60'000};  ///< between requests, and before the first
    std::chrono::milliseconds write_timeout{30'000};
    std::size_t connections = 1024;      ///< beyond them 503, and the connection is closed
    std::size_t waiting_requests = 256;  ///< for a worker; beyond them 503 with Retry-After
};

/// PEM files.
struct TlsFiles {
    std::string certificate_chain;  ///< the server's own certificate first
    std::string private_key;        ///< without password
};

/// An answer that was written, or that could not be.
struct Observation {
    std::string_view pattern;  ///< of the route, "/v1/media/{id}"; empty where the path has none
    std::string_view method;   ///< "GET"; "other" for what HTTP does not know, so that they are few
    unsigned status;
    std::chrono::steady_clock::duration duration;  ///< from the end of the request to that of the answer
};

struct ServerConfig {
    std::string listen = "127.0.0.1:8080";  ///< "host:port", "[::1]:port"; port 0 is any free one
    std::size_t workers = 16;               ///< threads that run handlers; at least one
    Limits limits;
    std::optional<TlsFiles> tls;
    std::string token;  ///< what "Authorization: Bearer" must bring; empty is no token
    /// Called on the I/O thread: must neither block nor throw.
    std::function<void(const Observation&)> observe;
    /// Gets what clients are not told: what handlers threw, and trouble with connections (`where` is the
    /// route, "PUT /v1/media/{id}", or "accept" or "connection"). Called from any thread, several at once;
    /// must not throw.
    std::function<void(std::string_view where, const std::exception& error)> report;
};

/// An HTTP/1.1 server. One thread does all input and output; handlers run on workers, where they may block.
/// Requests of one connection are answered one after the other. Malformed, slow and oversized requests are
/// answered with problem documents before they reach a handler.
///
/// start(), drain() and destruction belong to one thread; all else is thread-safe.
class Server {
  public:
    /// Does not listen yet. Throws Error(config, usage) for an address, certificate or key that cannot be
    /// used, and for an address off loopback without a token, where a
    /// route wants one.
    Server(ServerConfig config, Router router);
    /// Closes all connections; waits for the handlers that run.
    ~Server();

    /// Listens and serves; once. Throws Error(config, usage) where the address can't be listened on.
    void start();
    /// Valid after start().
    std::uint16_t port() const;

    /// Stops accepting, closes idle connections, lets the requests that have begun to arrive be answered, and
    /// stops. False when some were not within the deadline: their connections were closed, and requests that
    /// still waited are not begun. Handlers that still run then are waited for by the destructor only.
    bool drain(Deadline deadline);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace crossover::http
