#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "bolt/value.h"

/// Bolt's transfer encoding: a message travels as chunks of a 16-bit big-endian size and so many bytes, and
/// ends with an empty chunk. An empty chunk between messages is a keep-alive (github.com/neo4j/docs-bolt,
/// "Chunking").
namespace crossover::bolt {

inline constexpr std::size_t kMaxChunkBytes = 65'535;

/// Appends `message` (not empty) to `out` in chunks, with the terminator.
void append_chunked(std::span<const std::byte> message, Bytes& out);

/// Receives bytes and hands out messages, from the one buffer that it owns. Does no I/O, never throws on
/// account of bytes.
///
///     while (!(message = dechunker.next_message()) && dechunker.ok())
///         dechunker.commit(stream.read_some(dechunker.prepare(), deadline));
///
/// A message of one chunk is not copied; one of several is joined in place. What is left of a message when
/// the buffer is full moves to the front, once for a refill. Not thread-safe.
class Dechunker {
  public:
    static constexpr std::size_t kDefaultBufferBytes = 256 * 1024;
    static constexpr std::size_t kDefaultMaxMessageBytes = 64 * 1024 * 1024;

    /// Memory grows with the largest message, to about `max_message_bytes` plus one refill.
    explicit Dechunker(std::size_t max_message_bytes = kDefaultMaxMessageBytes,
                       std::size_t buffer_bytes = kDefaultBufferBytes);

    /// Room to receive into, at least `minimum` bytes; often much more. Ends the life of the last message.
    std::span<std::byte> prepare(std::size_t minimum = 64 * 1024);
    /// Says how many bytes were received into what prepare() returned.
    void commit(std::size_t received) noexcept;

    /// The next whole message, valid until the next call of prepare() or next_message(); nothing when more
    /// bytes are needed, or after an error.
    std::optional<std::span<const std::byte>> next_message() noexcept;

    /// False when a message was larger than allowed. Sticks: the connection is of no more use.
    bool ok() const noexcept { return !too_large_; }
    std::size_t max_message_bytes() const noexcept { return max_message_bytes_; }
    /// Keep-alives seen so far.
    std::uint64_t keep_alives() const noexcept { return keep_alives_; }
    /// True when no part of a message has arrived that was not handed out.
    bool empty() const noexcept { return !in_message_ && parsed_ == received_; }

  private:
    // [message_, message_ + message_size_) the joined part of the message under way;
    // [parsed_, received_) bytes not looked at yet, beginning with a chunk's size.
    std::unique_ptr<std::byte[]> buffer_;
    std::size_t capacity_;
    std::size_t message_ = 0;
    std::size_t message_size_ = 0;
    std::size_t parsed_ = 0;
    std::size_t received_ = 0;
    std::size_t max_message_bytes_;
    std::uint64_t keep_alives_ = 0;
    bool in_message_ = false;
    bool too_large_ = false;
};

}  // namespace crossover::bolt
