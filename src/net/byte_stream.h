#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "base/deadline.h"

namespace crossover::net {

/// A connected, reliable stream of bytes to one server. One thread at a time may read and one may write;
/// `shutdown` may come from any thread and makes both fail at once.
///
/// All calls throw crossover::Error (kind `unreachable` for a lost connection, `timeout` past the deadline;
/// the system is the one given on connecting). After an error the stream is of no more use.
class ByteStream {
  public:
    virtual ~ByteStream() = default;

    /// Reads at least one byte, at most `buffer.size()`. Never returns 0: end of stream is an error.
    virtual std::size_t read_some(std::span<std::byte> buffer, Deadline deadline) = 0;
    /// Writes everything.
    virtual void write(std::span<const std::byte> bytes, Deadline deadline) = 0;
    /// Closes both directions; wakes a thread that waits in read_some or write.
    virtual void shutdown() noexcept = 0;
    /// "host:port" for messages.
    virtual const std::string& peer() const noexcept = 0;
    /// False when the peer has closed or bytes arrive unasked: for liveness checks of idle connections. Never
    /// waits.
    virtual bool idle_and_open() noexcept = 0;
};

}  // namespace crossover::net
