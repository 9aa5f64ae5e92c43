#pragma once

#include <gtest/gtest.h>

#include <charconv>
#include <condition_variable>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "http/server.h"
#include "net/tcp.h"
#include "net/tls.h"

namespace crossover::http::test {

using namespace std::chrono_literals;

inline Deadline soon() {
    return Deadline::after(10s);
}

struct Answer {
    int status = 0;
    std::map<std::string, std::string> headers;
    std::string body;
};

/// One connection, byte by byte as the test wants it.
class Client {
  public:
    explicit Client(std::uint16_t port)
        : stream_(net::tcp_connect("127.0.0.1", port, soon(), System::internal)) {}
    Client(std::uint16_t port, const std::string& ca_file)
        : stream_(net::tls_connect("127.0.0.1", port, {net::TlsTrust::verified, ca_file}, soon(),
                                   System::internal)) {}

    Client& send(std::string_view bytes) {
        stream_->write(std::as_bytes(std::span(bytes)), soon());
        return *this;
    }
    /// "GET /path", with a Host and no body.
    Client& ask(std::string_view line) { return send(std::string(line) + " HTTP/1.1\r\nHost: test\r\n\r\n"); }
    Client& ask(std::string_view line, std::string_view body) {
        return send(std::string(line) + " HTTP/1.1\r\nHost: test\r\nContent-Length: " +
                    std::to_string(body.size()) + "\r\n\r\n" + std::string(body));
    }

    /// Up to and with this text.
    std::string read_through(std::string_view end) {
        std::size_t at = 0;
        while ((at = received_.find(end)) == std::string::npos) receive();
        return take(at + end.size());
    }

    /// `has_body` is false for the answer to HEAD.
    Answer read(bool has_body = true) {
        Answer answer;
        std::string head = read_through("\r\n\r\n");
        EXPECT_TRUE(head.starts_with("HTTP/1.1 ")) << head;
        std::from_chars(head.data() + 9, head.data() + 12, answer.status);
        for (std::size_t at = head.find("\r\n") + 2; head.compare(at, 2, "\r\n") != 0;) {
            const auto colon = head.find(": ", at);
            const auto end = head.find("\r\n", at);
            answer.headers[head.substr(at, colon - at)] = head.substr(colon + 2, end - colon - 2);
            at = end + 2;
        }
        if (const auto length = answer.headers.find("Content-Length");
            has_body && length != answer.headers.end()) {
            const std::size_t size = std::stoul(length->second);
            while (received_.size() < size) receive();
            answer.body = take(size);
        }
        return answer;
    }

    /// What comes until the server ends the connection.
    std::string read_to_end() {
        try {
            while (true) receive();
        } catch (const Error& error) {
            EXPECT_EQ(error.kind(), ErrorKind::unreachable) << error.what();
            EXPECT_NE(std::string(error.what()).find("closed"), std::string::npos) << error.what();
        }
        return take(received_.size());
    }

    net::ByteStream& stream() { return *stream_; }

  private:
    void receive() {
        std::byte buffer[16 * 1024];
        const std::size_t count = stream_->read_some(buffer, soon());
        received_.append(reinterpret_cast<const char*>(buffer), count);
    }
    std::string take(std::size_t size) {
        std::string text = received_.substr(0, size);
        received_.erase(0, size);
        return text;
    }

    std::unique_ptr<net::ByteStream> stream_;
    std::string received_;
};

/// Waits for a number of things that other threads tell it.
template <class T>
class Collector {
  public:
    void add(T value) {
        const std::lock_guard lock(mutex_);
        values_.push_back(std::move(value));
        changed_.notify_all();
    }
    std::vector<T> wait_for(std::size_t count) {
        std::unique_lock lock(mutex_);
        if (!changed_.wait_for(lock, 10s, [&] { return values_.size() >= count; })) {
            throw std::runtime_error("the test waited in vain");
        }
        return values_;
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<T> values_;
};

/// Holds handlers up until the test lets them go.
class Gate {
  public:
    void pass() {
        std::unique_lock lock(mutex_);
        ++waiting_;
        changed_.notify_all();
        changed_.wait_for(lock, 10s, [&] { return open_; });
    }
    void wait_for(int handlers) {
        std::unique_lock lock(mutex_);
        EXPECT_TRUE(changed_.wait_for(lock, 10s, [&] { return waiting_ >= handlers; }));
    }
    void open() {
        const std::lock_guard lock(mutex_);
        open_ = true;
        changed_.notify_all();
    }
    int passed() {
        const std::lock_guard lock(mutex_);
        return waiting_;
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    int waiting_ = 0;
    bool open_ = false;
};

inline ServerConfig any_port() {
    ServerConfig config;
    config.listen = "127.0.0.1:0";
    config.workers = 4;
    return config;
}

inline Response text(std::string body) {
    return {.content_type = "text/plain", .body = std::move(body)};
}

/// Started with what tests ask for most: GET /hello, POST /echo, and GET /gate where there is a gate.
class TestServer {
  public:
    explicit TestServer(ServerConfig config = any_port(), Gate* gate = nullptr, Router router = {})
        : server(std::make_unique<Server>(std::move(config), with_defaults(std::move(router), gate))) {
        server->start();
    }
    std::uint16_t port() const { return server->port(); }

    std::unique_ptr<Server> server;

  private:
    static Router with_defaults(Router router, Gate* gate) {
        router.add("GET /hello", [](const Request&) { return text("hello"); });
        router.add("POST /echo", [](const Request& request) { return text(request.body); });
        if (gate != nullptr) {
            router.add("GET /gate", [gate](const Request&) {
                gate->pass();
                return text("passed");
            });
        }
        return router;
    }
};

}  // namespace crossover::http::test
