#pragma once

#include <cstddef>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "redis/reply.h"

namespace crossover::redis {

class Connection;

/// Commands that go to Redis together and are answered in order. Each is encoded once, as it is added; a
/// connection then sends all of them from where they lie. clear() keeps the memory for the next ones.
class Pipeline {
  public:
    /// Where it should be sent: Redis holds the answers of all its commands in memory.
    static constexpr std::size_t kMostCommands = 100'000;
    static constexpr std::size_t kMostBytes = 64 << 20;

    /// Words may hold any bytes. `words[key_at]` is the key by which a cluster is told where the command goes
    /// (Keyspace::run): 3 for EVALSHA. Throws `too_large` when full; a command of any size fits in before.
    void add(std::span<const std::string_view> words, std::size_t key_at = 1);
    void add(std::initializer_list<std::string_view> words, std::size_t key_at = 1) {
        add(std::span(words.begin(), words.size()), key_at);
    }
    bool full() const { return commands_.size() >= kMostCommands || bytes_.size() >= kMostBytes; }
    bool empty() const { return commands_.empty(); }
    std::size_t size() const { return commands_.size(); }
    void clear();

    /// Sends all and returns one answer a command, in their order; an error that Redis answers is a value.
    /// Throws when the connection fails: then nobody knows which of the commands were carried out.
    std::vector<Reply> run(Connection& connection, Deadline deadline) const;

    /// All commands as they are sent.
    std::string_view encoded() const { return bytes_; }
    /// One of them, and its key; empty where it has none.
    std::string_view encoded(std::size_t command) const;
    std::string_view key(std::size_t command) const;

  private:
    struct Command {
        std::size_t end;  ///< in bytes_; it begins where the one before ends
        std::size_t key_begin, key_size;
    };
    std::string bytes_;
    std::vector<Command> commands_;
};

}  // namespace crossover::redis
