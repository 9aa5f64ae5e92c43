#include "bolt/session_protocol.h"

namespace crossover::bolt {

std::string_view to_string(Request request) noexcept {
    switch (request) {
        case Request::hello:
            return "HELLO";
        case Request::logon:
            return "LOGON";
        case Request::run:
            return "RUN";
        case Request::pull:
            return "PULL";
        case Request::discard:
            return "DISCARD";
        case Request::begin:
            return "BEGIN";
        case Request::commit:
            return "COMMIT";
        case Request::rollback:
            return "ROLLBACK";
        case Request::reset:
            return "RESET";
        case Request::route:
            return "ROUTE";
    }
    return "?";
}

SessionProtocol::SessionProtocol(Version version, std::size_t max_message_bytes)
    : version_(version), input_(max_message_bytes) {}

template <class Encode>
bool SessionProtocol::queue(Request request, Encode encode) {
    scratch_.clear();
    if (!encode(scratch_)) return false;
    append_chunked(scratch_, output_);
    pending_.push_back(request);
    return true;
}

bool SessionProtocol::hello(const std::string& user_agent, const AuthToken& auth,
                            const Map* routing_context) {
    const auto encode = [&](Bytes& out) {
        return encode_hello(out, version_, user_agent, auth, routing_context);
    };
    if (!queue(Request::hello, encode)) return false;
    if (version_ < Version{5, 1}) return true;
    return queue(Request::logon, [&](Bytes& out) { return encode_logon(out, auth); });
}

bool SessionProtocol::run(const std::string& query, const Parameters& parameters,
                          const TransactionExtra* auto_commit) {
    return queue(Request::run, [&](Bytes& out) { return encode_run(out, query, parameters, auto_commit); });
}

bool SessionProtocol::begin(const TransactionExtra& extra) {
    return queue(Request::begin, [&](Bytes& out) { return encode_begin(out, extra); });
}

bool SessionProtocol::route(const Map& context, const std::vector<std::string>& bookmarks,
                            const std::string& database) {
    return queue(Request::route, [&](Bytes& out) { return encode_route(out, context, bookmarks, database); });
}

void SessionProtocol::pull(std::int64_t n) {
    queue(Request::pull, [n](Bytes& out) { return encode_pull(out, n); });
}
void SessionProtocol::discard(std::int64_t n) {
    queue(Request::discard, [n](Bytes& out) { return encode_discard(out, n); });
}
void SessionProtocol::commit() {
    queue(Request::commit, encode_commit);
}
void SessionProtocol::rollback() {
    queue(Request::rollback, encode_rollback);
}

void SessionProtocol::reset() {
    if (queue(Request::reset, encode_reset)) ++resets_;
}

void SessionProtocol::goodbye() {
    scratch_.clear();
    if (encode_goodbye(scratch_)) append_chunked(scratch_, output_);
}

const SessionProtocol::Event* SessionProtocol::fail(Fault fault) noexcept {
    fault_ = fault;
    state_ = State::defunct;
    return nullptr;
}

const SessionProtocol::Event* SessionProtocol::poll() {
    if (fault_ != Fault::none) return nullptr;
    const auto message = input_.next_message();
    if (!message) return input_.ok() ? nullptr : fail(Fault::message_too_large);
    if (!decode_response(*message, event_.response)) return fail(Fault::malformed);
    if (pending_.empty()) return fail(Fault::unexpected);
    event_.request = pending_.front();
    if (!accept(event_.request)) return fail(Fault::unexpected);
    return &event_;
}

bool SessionProtocol::accept(Request request) {
    if (event_.response.kind == Response::Kind::record) return request == Request::pull;
    pending_.pop_front();
    if (request == Request::reset) --resets_;
    switch (event_.response.kind) {
        case Response::Kind::success:
            succeeded(request, event_.response.metadata);
            return true;
        case Response::Kind::failure:
            // Who cannot log on, or not reset, is disconnected.
            state_ = request == Request::hello || request == Request::logon || request == Request::reset
                         ? State::defunct
                         : State::failed;
            return true;
        case Response::Kind::ignored:
            // A RESET jumps the queue: what was sent before it may be ignored without a failure.
            if (state_ == State::connected || state_ == State::authentication || state_ == State::defunct)
                return true;
            if (request == Request::reset) return false;
            return state_ == State::failed || resets_ > 0;
        case Response::Kind::record:
            break;
    }
    return false;
}

void SessionProtocol::succeeded(Request request, const Map& metadata) {
    switch (request) {
        case Request::hello:
            state_ = version_ < Version{5, 1} ? State::ready : State::authentication;
            break;
        case Request::run:
            state_ = in_transaction_ ? State::tx_streaming : State::streaming;
            break;
        case Request::pull:
        case Request::discard: {
            const bool* has_more = metadata.get_if<bool>("has_more");
            if (has_more == nullptr || !*has_more) state_ = in_transaction_ ? State::tx_ready : State::ready;
            break;
        }
        case Request::begin:
            in_transaction_ = true;
            state_ = State::tx_ready;
            break;
        case Request::logon:
        case Request::commit:
        case Request::rollback:
        case Request::reset:
            in_transaction_ = false;
            state_ = State::ready;
            break;
        case Request::route:
            break;
    }
}

}  // namespace crossover::bolt
