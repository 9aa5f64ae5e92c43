#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "bolt/chunking.h"
#include "bolt/messages.h"

namespace crossover::bolt {

enum class Request { hello, logon, run, pull, discard, begin, commit, rollback, reset, route };

std::string_view to_string(Request request) noexcept;

/// One connection's conversation after the handshake, without I/O: requests become bytes in output(),
/// received bytes become events. Requests may be pipelined; the server answers them in order
/// (github.com/neo4j/docs-bolt, "Server states").
class SessionProtocol {
  public:
    /// The server's state as its answers tell.
    enum class State {
        connected,       ///< nothing accepted yet
        authentication,  ///< HELLO accepted, LOGON not yet (from 5.1)
        ready,
        streaming,
        tx_ready,
        tx_streaming,
        failed,  ///< all but RESET is ignored
        defunct  ///< of no more use
    };

    enum class Fault : std::uint8_t { none, message_too_large, malformed, unexpected };

    /// An answer, or a record before it.
    struct Event {
        Request request = Request::hello;
        Response response;
    };

    SessionProtocol(Version version, std::size_t max_message_bytes);

    // Each queues one request; false (and nothing is queued) where a value in it cannot be encoded.
    // HELLO brings LOGON with it where the version has that.
    bool hello(const std::string& user_agent, const AuthToken& auth, const Map* routing_context);
    bool run(const std::string& query, const Parameters& parameters, const TransactionExtra* auto_commit);
    bool begin(const TransactionExtra& extra);
    bool route(const Map& context, const std::vector<std::string>& bookmarks, const std::string& database);
    void pull(std::int64_t n);
    void discard(std::int64_t n);
    void commit();
    void rollback();
    void reset();
    void goodbye();

    /// Bytes to send; the caller clears them once sent.
    Bytes& output() noexcept { return output_; }
    /// Where received bytes go.
    Dechunker& input() noexcept { return input_; }

    /// The next event, valid until the next call or until more bytes are received. Null when more bytes are
    /// needed, or after a fault().
    const Event* poll();

    State state() const noexcept { return state_; }
    Fault fault() const noexcept { return fault_; }
    /// Requests without an answer.
    std::size_t pending() const noexcept { return pending_.size(); }
    Version version() const noexcept { return version_; }

  private:
    template <class Encode>
    bool queue(Request request, Encode encode);
    const Event* fail(Fault fault) noexcept;
    bool accept(Request request);
    void succeeded(Request request, const Map& metadata);

    const Version version_;
    State state_ = State::connected;
    Fault fault_ = Fault::none;
    bool in_transaction_ = false;
    std::size_t resets_ = 0;  ///< among the pending
    std::deque<Request> pending_;
    Bytes output_;
    Bytes scratch_;
    Dechunker input_;
    Event event_;
};

}  // namespace crossover::bolt
