#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "base/error.h"

namespace crossover::net {

/// A connected, non-blocking TCP socket: what plain and TLS streams have in common.
class Socket {
  public:
    enum class Ready { read, write };
    /// Outcome of one attempt that never waits.
    enum class Progress { done, would_block, closed, failed };
    struct Attempt {
        Progress progress = Progress::failed;
        std::size_t bytes = 0;
        int code = 0;  ///< errno if failed
    };

    /// See tcp_connect.
    static Socket connect(const std::string& host, std::uint16_t port, Deadline deadline, System system);

    Socket(Socket&& other) noexcept;
    Socket& operator=(Socket&&) = delete;
    ~Socket();

    Attempt try_read(std::span<std::byte> buffer) noexcept;
    /// Never raises SIGPIPE.
    Attempt try_write(std::span<const std::byte> bytes) noexcept;
    /// Waits until an attempt is worth making. Throws `timeout` at the deadline; `doing` ("reading from") is
    /// for its message.
    void wait(Ready ready, Deadline deadline, std::string_view doing) const;
    /// True when nothing has arrived and the peer has not closed.
    bool quiet() noexcept;
    void shutdown() noexcept;

    const std::string& peer() const noexcept { return peer_; }
    System system() const noexcept { return system_; }
    Error lost(std::string_view doing, std::string_view why) const;
    Error lost(std::string_view doing, const Attempt& attempt) const;

  private:
    Socket(int descriptor, std::string peer, System system) noexcept;

    int descriptor_;
    std::string peer_;
    System system_;
};

}  // namespace crossover::net
