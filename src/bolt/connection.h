#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "base/deadline.h"
#include "bolt/auth.h"
#include "bolt/session_protocol.h"
#include "bolt/uri.h"
#include "net/byte_stream.h"

namespace crossover::bolt {

struct ConnectionOptions {
    std::string user_agent;
    AuthToken auth = AuthToken::none();
    std::optional<Map> routing_context = {};  ///< of `neo4j` URIs
    std::size_t max_message_bytes = Dechunker::kDefaultMaxMessageBytes;
};

/// How long to wait for an answer: no single wait longer than `inactivity`, and not past `deadline`.
struct WaitLimits {
    std::chrono::milliseconds inactivity;
    std::optional<Deadline> deadline;

    static WaitLimits until(Deadline deadline) { return {deadline.remaining(), deadline}; }
    Deadline next() const {
        const Deadline wait = Deadline::after(inactivity);
        return deadline ? wait.earlier(*deadline) : wait;
    }
};

/// An authenticated connection: SessionProtocol over a ByteStream. One thread at a time, except interrupt().
/// After an I/O or protocol error it is broken and must not be used again.
class Connection {
  public:
    using Clock = Deadline::Clock;

    /// Shakes hands and authenticates. Throws Error that says what answered, if not a Bolt server.
    static std::unique_ptr<Connection> open(std::unique_ptr<net::ByteStream> stream, const Address& address,
                                            const ConnectionOptions& options, Deadline deadline);

    /// Queue requests here, then flush() and receive().
    SessionProtocol& protocol() noexcept { return *protocol_; }

    /// Sends what is queued.
    void flush(Deadline deadline);
    /// The next record or answer, valid until the next call. A FAILURE is an answer, not an exception.
    const SessionProtocol::Event& receive(const WaitLimits& limits);
    /// The next answer, where no records can come; throws the server's FAILURE.
    Map expect_success(const WaitLimits& limits, const std::string& database);

    /// Brings the connection back to READY by RESET, whatever it was doing; reads away what still comes.
    void reset(Deadline deadline);

    bool broken() const noexcept { return broken_; }
    /// True when the next transaction may begin on it.
    bool ready() const noexcept {
        return !broken_ && protocol_->pending() == 0 && protocol_->state() == SessionProtocol::State::ready;
    }
    /// False when the server has closed it, or speaks unasked. Never waits.
    bool quiet() {
        return protocol_->poll() == nullptr && protocol_->fault() == SessionProtocol::Fault::none &&
               protocol_->input().empty() && stream_->idle_and_open();
    }

    const Address& address() const noexcept { return address_; }
    const std::string& server_agent() const noexcept { return server_agent_; }
    Version version() const noexcept { return protocol_->version(); }
    const std::string& user() const noexcept { return user_; }
    Error to_error(const Map& failure, const std::string& database) const;

    /// Makes every call fail at once, from any thread.
    void interrupt() noexcept { stream_->shutdown(); }
    /// Says GOODBYE, without waiting, and closes.
    ~Connection();

  private:
    Connection(std::unique_ptr<net::ByteStream> stream, const Address& address, std::string user);
    void negotiate(const ConnectionOptions& options, Deadline deadline);
    void authenticate(const ConnectionOptions& options, Deadline deadline);
    Error protocol_error(const std::string& what);

    std::unique_ptr<net::ByteStream> stream_;
    Address address_;
    std::string user_;
    std::string server_agent_;
    std::optional<std::chrono::milliseconds>
        keep_alive_limit_;  ///< hint: the server is never silent for longer
    std::unique_ptr<SessionProtocol> protocol_;
    bool broken_ = false;
};

}  // namespace crossover::bolt
