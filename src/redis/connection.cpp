#include "redis/connection.h"

#include <fmt/format.h>

#include "base/error.h"
#include "net/tcp.h"
#include "net/tls.h"
#include "redis/codec.h"

namespace crossover::redis {

namespace {

/// hiredis's reader moves what is left to the front of its buffer every 1,024 bytes: more at a time would
/// mostly be moved about.
constexpr std::size_t kReadSize = 16 * 1024;

std::unique_ptr<net::ByteStream> connect(const Address& address, Deadline deadline) {
    const auto port = static_cast<std::uint16_t>(address.port);
    if (!address.tls) return net::tcp_connect(address.host, port, deadline, System::redis);
    return net::tls_connect(address.host, port, {net::TlsTrust::verified, address.ca_file}, deadline,
                            System::redis);
}

}  // namespace

Connection::Connection(const Address& address, std::unique_ptr<net::ByteStream> stream,
                       std::chrono::milliseconds timeout, Deadline connecting)
    : name_(to_string(address)),
      timeout_(timeout),
      stream_(std::move(stream)),
      decoder_(std::make_unique<ReplyDecoder>()),
      buffer_(std::make_unique<std::byte[]>(kReadSize)) {
    if (!stream_) stream_ = connect(address, connecting);
    log_in(address, connecting);
}

Connection::Connection(const Address& address, std::chrono::milliseconds timeout)
    : Connection(address, nullptr, timeout, Deadline::after(timeout)) {}

Connection::Connection(const Address& address, std::chrono::milliseconds timeout, Deadline connecting)
    : Connection(address, nullptr, timeout, Deadline::after(timeout).earlier(connecting)) {}

Connection::Connection(const Address& address, std::unique_ptr<net::ByteStream> stream,
                       std::chrono::milliseconds timeout)
    : Connection(address, std::move(stream), timeout, Deadline::after(timeout)) {}

Connection::~Connection() = default;

void Connection::log_in(const Address& address, Deadline deadline) {
    if (!address.user.empty()) {
        call({"AUTH", address.user, address.password}, deadline);
    } else if (!address.password.empty()) {
        call({"AUTH", address.password}, deadline);
    }
    if (address.database != 0) call({"SELECT", std::to_string(address.database)}, deadline);
}

Reply Connection::call(std::span<const std::string_view> words, Deadline deadline) {
    command_.clear();
    append_command(command_, words);
    send(command_, 1, deadline);
    auto reply = receive(deadline);
    if (reply.is_error()) throw to_error(name_, reply);
    return reply;
}

void Connection::send(std::string_view encoded, std::size_t commands, Deadline deadline) {
    check_usable();
    if (!decoder_->drained()) {
        broken_ = true;
        throw malformed("bytes that nothing asked for");
    }
    try {
        stream_->write(std::as_bytes(std::span(encoded)), deadline);
    } catch (...) {
        broken_ = true;
        throw;
    }
    owed_ = commands;
}

Reply Connection::receive(Deadline deadline) {
    if (broken_) check_usable();
    if (owed_ == 0) throw Error(System::internal, ErrorKind::internal, "no answer is owed by " + name_);
    try {
        for (Reply reply;;) {
            switch (decoder_->next(reply)) {
                case ReplyDecoder::Outcome::reply:
                    --owed_;
                    return reply;
                case ReplyDecoder::Outcome::broken:
                    throw malformed(decoder_->fault());
                case ReplyDecoder::Outcome::incomplete:
                    break;
            }
            // A server that keeps sending never makes the stream wait, so it is looked at here too.
            if (deadline.passed()) {
                throw Error(System::redis, ErrorKind::timeout,
                            fmt::format("{} did not answer in time.", name_));
            }
            const auto size = stream_->read_some({buffer_.get(), kReadSize}, deadline);
            decoder_->feed({buffer_.get(), size});
        }
    } catch (...) {
        broken_ = true;
        throw;
    }
}

void Connection::check_usable() const {
    if (usable()) return;
    if (!broken_) {
        throw Error(System::internal, ErrorKind::internal,
                    fmt::format("{} answers of {} were not received.", owed_, name_));
    }
    throw Error(System::redis, ErrorKind::unreachable,
                fmt::format("The connection to {} failed before and is not used again.", name_));
}

Error Connection::malformed(std::string_view why) const {
    return Error(System::redis, ErrorKind::protocol,
                 fmt::format("What answers at {} does not speak Redis's protocol: {}.", name_, why));
}

}  // namespace crossover::redis
