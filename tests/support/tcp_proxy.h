#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace crossover::test {

/// Forwards TCP connections from a free port of 127.0.0.1 to another one, until they are cut.
class TcpProxy {
  public:
    explicit TcpProxy(std::uint16_t target_port) : target_port_(target_port) {
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address = loopback(0);
        socklen_t size = sizeof address;
        if (listener_ < 0 || ::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
            ::listen(listener_, 16) != 0 ||
            ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
            throw std::runtime_error("the proxy cannot listen");
        }
        port_ = ntohs(address.sin_port);
        acceptor_ = std::thread([this] { accept_all(); });
    }
    ~TcpProxy() {
        stopping_ = true;
        ::shutdown(listener_, SHUT_RDWR);
        cut();
        acceptor_.join();
        for (auto& forwarder : forwarders_) forwarder.join();
        ::close(listener_);
    }

    std::uint16_t port() const { return port_; }
    /// Bytes that came back from the target.
    std::uint64_t received() const { return received_; }
    /// While refusing, new connections are closed at once.
    void refuse(bool refusing) { refusing_ = refusing; }
    /// Ends all connections there are; new ones are forwarded.
    void cut() {
        std::lock_guard lock(mutex_);
        for (const int open : open_) ::shutdown(open, SHUT_RDWR);
    }

  private:
    static sockaddr_in loopback(std::uint16_t port) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return address;
    }

    void accept_all() {
        while (!stopping_) {
            const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
            if (client < 0) continue;
            if (refusing_) {
                ::close(client);
                continue;
            }
            const int target = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
            const sockaddr_in address = loopback(target_port_);
            if (::connect(target, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
                ::close(client);
                ::close(target);
                continue;
            }
            {
                std::lock_guard lock(mutex_);
                open_.insert({client, target});
            }
            forwarders_.emplace_back([this, client, target] { forward(client, target); });
        }
    }

    void forward(int client, int target) {
        std::array<char, 65536> buffer;
        const int ends[2] = {client, target};
        pollfd waiting[2] = {{client, POLLIN, 0}, {target, POLLIN, 0}};
        bool open = true;
        while (open && !stopping_) {
            ::poll(waiting, 2, -1);
            for (int i = 0; i < 2 && open; ++i) {
                if (waiting[i].revents == 0) continue;
                const ssize_t count = ::recv(ends[i], buffer.data(), buffer.size(), 0);
                if (count > 0 && i == 1) received_ += static_cast<std::uint64_t>(count);
                open = count > 0 && send_all(ends[1 - i], buffer.data(), static_cast<std::size_t>(count));
            }
        }
        std::lock_guard lock(mutex_);
        for (const int end : ends) {
            open_.erase(end);
            ::close(end);
        }
    }

    static bool send_all(int to, const char* bytes, std::size_t size) {
        while (size > 0) {
            const ssize_t sent = ::send(to, bytes, size, MSG_NOSIGNAL);
            if (sent <= 0) return false;
            bytes += sent;
            size -= static_cast<std::size_t>(sent);
        }
        return true;
    }

    const std::uint16_t target_port_;
    int listener_ = -1;
    std::uint16_t port_ = 0;
    std::atomic<bool> stopping_ = false;
    std::atomic<bool> refusing_ = false;
    std::atomic<std::uint64_t> received_ = 0;
    std::thread acceptor_;
    std::vector<std::thread> forwarders_;
    std::mutex mutex_;
    std::set<int> open_;
};

}  // namespace crossover::test
