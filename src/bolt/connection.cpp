#include "bolt/connection.h"

#include <fmt/format.h>

#include <array>
#include <cstring>

namespace crossover::bolt {

namespace {

std::string sentence(Handshake::Peer peer, const std::string& server) {
    switch (peer) {
        case Handshake::Peer::http:
            return fmt::format(
                "{} answered in HTTP, not in Bolt. NEO4J_URI must name Neo4j's Bolt port (7687 unless "
                "configured).",
                server);
        case Handshake::Peer::tls:
            return fmt::format(
                "{} wants TLS. Write bolt+s:// or neo4j+s:// (+ssc for a self-signed certificate).", server);
        case Handshake::Peer::unknown:
            break;
    }
    return fmt::format(
        "{} does not answer in Bolt. NEO4J_URI must name Neo4j's Bolt port (7687 unless configured).",
        server);
}

}  // namespace

Connection::Connection(std::unique_ptr<net::ByteStream> stream, const Address& address, std::string user)
    : stream_(std::move(stream)), address_(address), user_(std::move(user)) {}

Connection::~Connection() {
    if (!broken_ && protocol_ && protocol_->state() != SessionProtocol::State::defunct) {
        try {
            protocol_->goodbye();
            stream_->write(protocol_->output(), Deadline::after(std::chrono::milliseconds(0)));
        } catch (const Error&) {
            // The server notices the end of the stream as well.
        }
    }
    stream_->shutdown();
}

std::unique_ptr<Connection> Connection::open(std::unique_ptr<net::ByteStream> stream, const Address& address,
                                             const ConnectionOptions& options, Deadline deadline) {
    std::unique_ptr<Connection> connection(new Connection(std::move(stream), address, options.auth.user()));
    try {
        connection->negotiate(options, deadline);
        connection->authenticate(options, deadline);
    } catch (...) {
        connection->broken_ = true;
        throw;
    }
    return connection;
}

void Connection::negotiate(const ConnectionOptions& options, Deadline deadline) {
    Handshake handshake;
    std::array<std::byte, 256> buffer;
    std::size_t received = 0;
    std::size_t used = 0;
    bool answered = false;
    try {
        stream_->write(Handshake::greeting(), deadline);
        while (handshake.state() == Handshake::State::need_more) {
            received = stream_->read_some(buffer, deadline);
            answered = true;
            handshake.feed(std::span(buffer).first(received), used);
        }
    } catch (const Error& error) {
        if (answered || error.kind() != ErrorKind::unreachable) throw;
        throw Error(
            System::neo4j, ErrorKind::unreachable,
            fmt::format("{} accepted the connection and closed it without an answer ({}). Is it Neo4j's Bolt "
                        "port? If it wants TLS, write bolt+s:// or neo4j+s://.",
                        to_string(address_), error.what()));
    }
    switch (handshake.state()) {
        case Handshake::State::done:
            break;
        case Handshake::State::not_bolt:
            throw Error(System::neo4j, ErrorKind::protocol, sentence(handshake.peer(), to_string(address_)));
        case Handshake::State::no_common_version:
            throw Error(
                System::neo4j, ErrorKind::protocol,
                fmt::format("Neo4j at {} speaks none of Bolt {} to 5.8 and {}. It must be Neo4j 5 or later.",
                            to_string(address_), to_string(kOldestVersion), to_string(kNewestVersion)));
        case Handshake::State::malformed:
        case Handshake::State::need_more:
            throw Error(
                System::neo4j, ErrorKind::protocol,
                fmt::format(
                    "{} answered the Bolt handshake with bytes that make no sense. NEO4J_URI must name "
                    "Neo4j's Bolt port.",
                    to_string(address_)));
    }
    protocol_ = std::make_unique<SessionProtocol>(handshake.version(), options.max_message_bytes);
    Bytes& output = protocol_->output();
    output.insert(output.end(), handshake.reply().begin(), handshake.reply().end());
    if (received > used) {
        const auto room = protocol_->input().prepare();
        std::memcpy(room.data(), buffer.data() + used, received - used);
        protocol_->input().commit(received - used);
    }
}

void Connection::authenticate(const ConnectionOptions& options, Deadline deadline) {
    const Map* context = options.routing_context ? &*options.routing_context : nullptr;
    if (!protocol_->hello(options.user_agent, options.auth, context)) {
        throw Error(System::neo4j, ErrorKind::too_large, "The credentials for Neo4j are too large to send.");
    }
    flush(deadline);
    std::optional<Error> failure;
    while (protocol_->pending() > 0 && !failure) {
        const auto& event = receive(WaitLimits::until(deadline));
        if (event.response.kind == Response::Kind::failure) {
            failure = to_error(event.response.metadata, "");
        } else if (event.response.kind != Response::Kind::success) {
            throw protocol_error("an answer to HELLO that the protocol does not allow");
        } else if (event.request == Request::hello) {
            if (const auto* agent = event.response.metadata.get_if<std::string>("server"))
                server_agent_ = *agent;
            const Map* hints = event.response.metadata.get_if<Map>("hints");
            const auto* limit =
                hints == nullptr ? nullptr : hints->get_if<std::int64_t>("connection.recv_timeout_seconds");
            if (limit != nullptr && *limit > 0 && *limit < 1'000'000)
                keep_alive_limit_ = std::chrono::seconds(*limit);
        }
    }
    if (failure) throw *failure;
}

void Connection::flush(Deadline deadline) {
    Bytes& output = protocol_->output();
    if (output.empty()) return;
    try {
        stream_->write(output, deadline);
    } catch (...) {
        broken_ = true;
        throw;
    }
    constexpr std::size_t kKeptBytes = 1 << 20;
    if (output.capacity() > kKeptBytes) {
        output = Bytes();
    } else {
        output.clear();
    }
}

const SessionProtocol::Event& Connection::receive(const WaitLimits& limits) {
    while (true) {
        if (const auto* event = protocol_->poll()) return *event;
        switch (protocol_->fault()) {
            case SessionProtocol::Fault::none:
                break;
            case SessionProtocol::Fault::message_too_large:
                broken_ = true;
                throw Error(
                    System::neo4j, ErrorKind::too_large,
                    fmt::format("Neo4j at {} sent a row of more than {} bytes, the most that is accepted.",
                                to_string(address_), protocol_->input().max_message_bytes()));
            case SessionProtocol::Fault::malformed:
                throw protocol_error("a message that is not Bolt");
            case SessionProtocol::Fault::unexpected:
                throw protocol_error("an answer to no question");
        }
        if (limits.deadline && limits.deadline->passed()) {
            // Says nothing of the server: who takes the rows may have been slow.
            throw Error(System::neo4j, ErrorKind::timeout,
                        fmt::format("Neo4j at {} was given no more time to answer in.", to_string(address_)));
        }
        try {
            const auto room = protocol_->input().prepare();
            WaitLimits wait = limits;
            if (keep_alive_limit_) wait.inactivity = std::min(wait.inactivity, *keep_alive_limit_);
            protocol_->input().commit(stream_->read_some(room, wait.next()));
        } catch (...) {
            broken_ = true;
            throw;
        }
    }
}

Map Connection::expect_success(const WaitLimits& limits, const std::string& database) {
    const auto& event = receive(limits);
    switch (event.response.kind) {
        case Response::Kind::success:
            return event.response.metadata;
        case Response::Kind::failure:
            throw to_error(event.response.metadata, database);
        default:
            throw protocol_error(fmt::format("no proper answer to {}", to_string(event.request)));
    }
}

void Connection::reset(Deadline deadline) {
    protocol_->reset();
    flush(deadline);
    while (true) {
        const auto& event = receive(WaitLimits::until(deadline));
        if (event.request != Request::reset) continue;
        if (event.response.kind == Response::Kind::success) return;
        broken_ = true;
        throw to_error(event.response.metadata, "");
    }
}

Error Connection::to_error(const Map& failure, const std::string& database) const {
    return failure_to_error(failure, to_string(address_), user_, database);
}

Error Connection::protocol_error(const std::string& what) {
    broken_ = true;
    return Error(System::neo4j, ErrorKind::protocol,
                 fmt::format("{} sent {}. The connection was closed.", to_string(address_), what));
}

}  // namespace crossover::bolt
