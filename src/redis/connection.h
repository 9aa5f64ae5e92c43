#pragma once

#include <chrono>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "redis/reply.h"

namespace crossover::net {
class ByteStream;
}

namespace crossover::redis {

class ReplyDecoder;

struct Address {
    std::string host;  ///< a name or an IP address, without brackets
    int port = 6379;
    std::string user;  ///< of an ACL; empty = "default"
    std::string password;
    int database = 0;
    bool tls = false;
    std::string ca_file;  ///< PEM, trusted instead of the system's authorities; for TLS only
};
/// Of "redis://user:password@host:port/number" or, for TLS, "rediss://…". All but the host may be left out;
/// what has a meaning in URLs is percent-encoded. Throws `usage`, without repeating any of it.
Address parse_url(const std::string& url);
/// "redis://host:port/number": without user and password.
std::string to_string(const Address& address);

/// One connection to a Redis server. One thread at a time.
///
/// Throws crossover::Error of System::redis: `unreachable`, `timeout` and `protocol`, after which it can't be
/// used any more (an answer may still be under way, and would be taken for that of the next call); and what
/// Redis refuses, see to_error.
class Connection {
  public:
    /// Connects, authenticates and selects the database. `timeout` is for all of this, and then for each
    /// call.
    Connection(const Address& address, std::chrono::milliseconds timeout);
    /// The same, but it must be connected by `connecting`.
    Connection(const Address& address, std::chrono::milliseconds timeout, Deadline connecting);
    /// The same over a stream that is connected already.
    Connection(const Address& address, std::unique_ptr<net::ByteStream> stream,
               std::chrono::milliseconds timeout);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// Words may hold any bytes. An answer that is an error is thrown; one inside an array is a value.
    Reply call(std::span<const std::string_view> words) { return call(words, Deadline::after(timeout_)); }
    Reply call(std::initializer_list<std::string_view> words) {
        return call(std::span(words.begin(), words.size()));
    }
    Reply call(std::span<const std::string_view> words, Deadline deadline);
    Reply call(std::initializer_list<std::string_view> words, Deadline deadline) {
        return call(std::span(words.begin(), words.size()), deadline);
    }

    /// For pipelines: sends commands that are encoded already, whose answers receive() then returns one by
    /// one, in order, errors as values. There may be no call() before the last one was received.
    void send(std::string_view encoded, std::size_t commands, Deadline deadline);
    Reply receive(Deadline deadline);

    /// False after a failure, or while answers are owed.
    bool usable() const noexcept { return !broken_ && owed_ == 0; }
    /// "redis://host:port/number"
    const std::string& name() const noexcept { return name_; }

  private:
    Connection(const Address& address, std::unique_ptr<net::ByteStream> stream,
               std::chrono::milliseconds timeout, Deadline connecting);
    void log_in(const Address& address, Deadline deadline);
    void check_usable() const;
    Error malformed(std::string_view why) const;

    const std::string name_;
    const std::chrono::milliseconds timeout_;
    std::unique_ptr<net::ByteStream> stream_;
    std::unique_ptr<ReplyDecoder> decoder_;
    std::unique_ptr<std::byte[]> buffer_;
    std::string command_;  ///< reused
    std::size_t owed_ = 0;
    bool broken_ = false;
};

}  // namespace crossover::redis
