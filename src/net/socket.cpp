#include "net/socket.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>

#include "net/resolve.h"

namespace crossover::net {
namespace {

/// False when the deadline came first.
bool poll_until(int descriptor, short events, Deadline deadline) {
    pollfd entry{descriptor, events, 0};
    while (true) {
        const auto left = deadline.remaining().count();
        const auto capped = static_cast<int>(std::min<decltype(left)>(left, std::numeric_limits<int>::max()));
        const int count = ::poll(&entry, 1, capped);
        if (count > 0) return true;
        if (count == 0 && deadline.passed()) return false;
        // Any error but an interruption shows again, with its errno, in the attempt that follows.
        if (count < 0 && errno != EINTR) return true;
    }
}

void set_option(int descriptor, int level, int option) {
    const int on = 1;
    // Both options only improve matters: a socket without them still works.
    static_cast<void>(::setsockopt(descriptor, level, option, &on, sizeof on));
}

/// 0, or the errno of the failure; ETIMEDOUT with `*timed_out` set if it was our own deadline.
int connect_one(int descriptor, const addrinfo& address, Deadline deadline, bool& timed_out) {
    if (::connect(descriptor, address.ai_addr, address.ai_addrlen) == 0) return 0;
    if (errno != EINPROGRESS && errno != EINTR) return errno;
    if (!poll_until(descriptor, POLLOUT, deadline)) {
        timed_out = true;
        return ETIMEDOUT;
    }
    int code = 0;
    socklen_t size = sizeof code;
    if (::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size) != 0) return errno;
    return code;
}

std::string display(const std::string& host, std::uint16_t port) {
    const bool bracket = host.find(':') != std::string::npos;
    return bracket ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

/// The time for the next of `left` addresses: a dead first address must not use up all of it.
Deadline share_of(Deadline deadline, std::size_t left) {
    return deadline.earlier(Deadline::after(deadline.remaining() / static_cast<long>(left)));
}

std::size_t count(const addrinfo* list) {
    std::size_t number = 0;
    for (; list != nullptr; list = list->ai_next) ++number;
    return number;
}

}  // namespace

Socket Socket::connect(const std::string& host, std::uint16_t port, Deadline deadline, System system) {
    const std::string peer = display(host, port);
    const Resolution resolution = resolve(host, port, deadline);
    if (resolution.timed_out) {
        throw Error(
            system, ErrorKind::timeout,
            fmt::format("cannot connect to {}: looking up the host name took too long; check the name "
                        "and this machine's DNS settings",
                        peer));
    }
    if (!resolution.addresses) {
        throw Error(
            system, ErrorKind::unreachable,
            fmt::format("cannot connect to {}: the host name was not found ({}); check its spelling and "
                        "this machine's DNS settings",
                        peer, resolution.failure));
    }
    int code = 0;
    bool timed_out = false;
    std::size_t left = count(resolution.addresses.get());
    for (const addrinfo* address = resolution.addresses.get(); address != nullptr;
         address = address->ai_next, --left) {
        const int descriptor = ::socket(
            address->ai_family, address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, address->ai_protocol);
        if (descriptor < 0) {
            code = errno;
            continue;
        }
        Socket socket(descriptor, peer, system);
        code = connect_one(descriptor, *address, share_of(deadline, left), timed_out);
        if (code != 0) continue;
        set_option(descriptor, IPPROTO_TCP, TCP_NODELAY);
        set_option(descriptor, SOL_SOCKET, SO_KEEPALIVE);
        return socket;
    }
    if (timed_out && deadline.passed()) {
        throw Error(
            system, ErrorKind::timeout,
            fmt::format("cannot connect to {}: no answer in time; is the server up, and does a firewall "
                        "let this machine through?",
                        peer));
    }
    throw Error(
        system, ErrorKind::unreachable,
        fmt::format("cannot connect to {}: {}; is the server up and listening on this address and port?",
                    peer, std::strerror(code)));
}

Socket::Socket(int descriptor, std::string peer, System system) noexcept
    : descriptor_(descriptor), peer_(std::move(peer)), system_(system) {}

Socket::Socket(Socket&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      peer_(std::move(other.peer_)),
      system_(other.system_) {}

Socket::~Socket() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

Socket::Attempt Socket::try_read(std::span<std::byte> buffer) noexcept {
    while (true) {
        const ssize_t count = ::recv(descriptor_, buffer.data(), buffer.size(), 0);
        if (count > 0) return {Progress::done, static_cast<std::size_t>(count), 0};
        if (count == 0) return {Progress::closed, 0, 0};
        if (errno == EAGAIN || errno == EWOULDBLOCK) return {Progress::would_block, 0, 0};
        if (errno != EINTR) return {Progress::failed, 0, errno};
    }
}

Socket::Attempt Socket::try_write(std::span<const std::byte> bytes) noexcept {
    while (true) {
        const ssize_t count = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (count >= 0) return {Progress::done, static_cast<std::size_t>(count), 0};
        if (errno == EAGAIN || errno == EWOULDBLOCK) return {Progress::would_block, 0, 0};
        if (errno != EINTR) return {Progress::failed, 0, errno};
    }
}

void Socket::wait(Ready ready, Deadline deadline, std::string_view doing) const {
    if (poll_until(descriptor_, ready == Ready::read ? POLLIN : POLLOUT, deadline)) return;
    throw Error(
        system_, ErrorKind::timeout,
        fmt::format("{} {} took too long; is the server overloaded or stopped, or the network broken?", doing,
                    peer_));
}

bool Socket::quiet() noexcept {
    std::byte probe;
    while (true) {
        if (::recv(descriptor_, &probe, 1, MSG_PEEK) >= 0) return false;
        if (errno != EINTR) return errno == EAGAIN || errno == EWOULDBLOCK;
    }
}

void Socket::shutdown() noexcept {
    ::shutdown(descriptor_, SHUT_RDWR);
}

Error Socket::lost(std::string_view doing, std::string_view why) const {
    return Error(
        system_, ErrorKind::unreachable,
        fmt::format("{} {} failed: {}; is the server still up? Its log may say why", doing, peer_, why));
}

Error Socket::lost(std::string_view doing, const Attempt& attempt) const {
    return lost(doing, attempt.progress == Progress::closed ? "the connection was closed"
                                                            : std::strerror(attempt.code));
}

}  // namespace crossover::net
