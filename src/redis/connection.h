#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct redisContext;

namespace crossover::redis {

struct Address {
    std::string host;
    int port = 6379;
    std::string user;  ///< of an ACL; empty = "default"
    std::string password;
    int database = 0;
};
/// Of "redis://user:password@host:port/number", of which all but the host may be left out. Throws `usage`.
Address parse_url(const std::string& url);
/// "redis://host:port/number": without user and password.
std::string to_string(const Address& address);

/// What Redis answered: one text (nothing where it is nil; an integer in digits), or several answers.
struct Reply {
    std::optional<std::string> text;
    std::vector<Reply> elements;
};

/// One connection to a Redis server, over hiredis. One thread at a time. Throws crossover::Error of
/// System::redis: `unreachable` and `timeout` (after which it can't be used any more), `authentication`,
/// `rejected` (Redis's own errors).
class Connection {
  public:
    /// Connects, authenticates and selects the database. `timeout` is for this, and then for each call.
    Connection(const Address& address, std::chrono::milliseconds timeout);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// Words may hold any bytes.
    Reply call(std::span<const std::string_view> words);
    Reply call(std::initializer_list<std::string_view> words) {
        return call(std::span(words.begin(), words.size()));
    }

  private:
    const std::string name_;
    struct Free {
        void operator()(redisContext* context) const;
    };
    std::unique_ptr<redisContext, Free> context_;
};

}  // namespace crossover::redis
