#include "net/tcp.h"

#include <gmock/gmock.h>
#include <netinet/tcp.h>

#include <cstring>
#include <future>
#include <thread>
#include <vector>

#include "support/error_of.h"
#include "unit/net/listener.h"

namespace crossover::net::test {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

Deadline soon() {
    return Deadline::after(10s);
}

struct Connection {
    Listener listener;
    std::unique_ptr<ByteStream> client = tcp_connect("127.0.0.1", listener.port(), soon(), System::neo4j);
    Descriptor server = listener.accept();
};

void send_all(const Descriptor& socket, std::string_view text) {
    ASSERT_EQ(::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
}

TEST(Tcp, CarriesBytesBothWays) {
    Connection c;
    c.client->write(std::as_bytes(std::span("ping", 4)), soon());
    char received[4];
    ASSERT_EQ(::recv(c.server.get(), received, 4, MSG_WAITALL), 4);
    EXPECT_EQ(std::string_view(received, 4), "ping");

    send_all(c.server, "pong!");
    std::byte buffer[64];
    std::string text;
    while (text.size() < 5) {
        const std::size_t count = c.client->read_some(buffer, soon());
        text.append(reinterpret_cast<const char*>(buffer), count);
    }
    EXPECT_EQ(text, "pong!");
    EXPECT_EQ(c.client->peer(), "127.0.0.1:" + std::to_string(c.listener.port()));
}

TEST(Tcp, WritesMoreThanTheKernelBuffers) {
    Connection c;
    std::vector<std::byte> sent(32 * 1024 * 1024);
    for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<std::byte>(i * 2654435761U >> 24);
    std::vector<std::byte> received(sent.size());
    std::jthread reader([&] {
        EXPECT_EQ(::recv(c.server.get(), received.data(), received.size(), MSG_WAITALL),
                  static_cast<ssize_t>(received.size()));
    });
    c.client->write(sent, soon());
    reader.join();
    EXPECT_TRUE(sent == received);
}

TEST(Tcp, FindsNamesAndTriesEachAddress) {
    // "localhost" may mean ::1 first, where nobody listens.
    Listener listener;
    const auto client = tcp_connect("localhost", listener.port(), soon(), System::neo4j);
    EXPECT_EQ(client->peer(), "localhost:" + std::to_string(listener.port()));
}

TEST(Tcp, ARefusedConnectionNamesTheServerAndWhatToDo) {
    Listener listener;
    const std::uint16_t port = listener.port();
    listener.close();
    const Error error = error_of([&] { tcp_connect("127.0.0.1", port, soon(), System::milvus); });
    EXPECT_EQ(error.kind(), ErrorKind::unreachable);
    EXPECT_EQ(error.system(), System::milvus);
    EXPECT_THAT(error.what(), HasSubstr("127.0.0.1:" + std::to_string(port)));
    EXPECT_THAT(error.what(), HasSubstr("Connection refused"));
    EXPECT_THAT(error.what(), HasSubstr("is the server up"));
}

TEST(Tcp, AnUnknownNameIsSaidToBeOne) {
    const Error error = error_of([] { tcp_connect("no-such-host.invalid", 7687, soon(), System::neo4j); });
    EXPECT_EQ(error.kind(), ErrorKind::unreachable);
    EXPECT_THAT(error.what(), HasSubstr("no-such-host.invalid:7687"));
    EXPECT_THAT(error.what(), HasSubstr("host name was not found"));
}

TEST(Tcp, ConnectingEndsAtTheDeadline) {
    // A listener whose queue is full lets further connections wait.
    Listener listener(0);
    std::vector<std::unique_ptr<ByteStream>> queued;
    const Error error = error_of([&] {
        for (int i = 0; i < 16; ++i) {
            queued.push_back(
                tcp_connect("127.0.0.1", listener.port(), Deadline::after(200ms), System::neo4j));
        }
    });
    EXPECT_EQ(error.kind(), ErrorKind::timeout);
    EXPECT_THAT(error.what(), HasSubstr(std::to_string(listener.port())));
}

TEST(Tcp, ReadingEndsAtTheDeadline) {
    Connection c;
    std::byte buffer[1];
    const Deadline deadline = Deadline::after(50ms);
    const Error error = error_of([&] { c.client->read_some(buffer, deadline); });
    EXPECT_TRUE(deadline.passed());
    EXPECT_EQ(error.kind(), ErrorKind::timeout);
    EXPECT_EQ(error.system(), System::neo4j);
    EXPECT_THAT(error.what(), HasSubstr(c.client->peer()));
}

TEST(Tcp, WritingEndsAtTheDeadline) {
    Connection c;
    const std::vector<std::byte> much(64 * 1024 * 1024);
    EXPECT_EQ(error_of([&] { c.client->write(much, Deadline::after(50ms)); }).kind(), ErrorKind::timeout);
}

TEST(Tcp, ADeadlineThatHasPassedStillTakesWhatIsThere) {
    Connection c;
    send_all(c.server, "x");
    std::byte buffer[1];
    while (c.client->idle_and_open()) std::this_thread::yield();
    EXPECT_EQ(c.client->read_some(buffer, Deadline::at(Deadline::Clock::now())), 1U);
}

TEST(Tcp, TheEndOfTheStreamIsAnError) {
    Connection c;
    c.server.close();
    std::byte buffer[1];
    const Error error = error_of([&] { c.client->read_some(buffer, soon()); });
    EXPECT_EQ(error.kind(), ErrorKind::unreachable);
    EXPECT_THAT(error.what(), HasSubstr("closed"));
    EXPECT_TRUE(error.retryable());
}

TEST(Tcp, WritingToAClosedPeerRaisesNoSignal) {
    Connection c;
    c.server.close();
    const std::vector<std::byte> some(1024);
    const Error error = error_of([&] {
        while (true) c.client->write(some, soon());
    });
    EXPECT_EQ(error.kind(), ErrorKind::unreachable);
    // The connection is reset now, which is where SIGPIPE would come.
    EXPECT_EQ(error_of([&] { c.client->write(some, soon()); }).kind(), ErrorKind::unreachable);
}

TEST(Tcp, ShutdownWakesAReaderAndAWriter) {
    Connection c;
    auto reading = std::async(std::launch::async, [&] {
        std::byte buffer[1];
        return error_of([&] { c.client->read_some(buffer, Deadline::after(60s)); }).kind();
    });
    auto writing = std::async(std::launch::async, [&] {
        const std::vector<std::byte> much(64 * 1024 * 1024);
        return error_of([&] { c.client->write(much, Deadline::after(60s)); }).kind();
    });
    // Once the kernel's buffers are full the writer waits; the reader waits from the start.
    int queued = 0;
    for (int before = -1; queued == 0 || queued != before;) {
        before = queued;
        char probe[1 << 16];
        queued = static_cast<int>(::recv(c.server.get(), probe, sizeof probe, MSG_PEEK | MSG_DONTWAIT));
    }
    const auto start = Deadline::Clock::now();
    c.client->shutdown();
    EXPECT_EQ(reading.get(), ErrorKind::unreachable);
    EXPECT_EQ(writing.get(), ErrorKind::unreachable);
    EXPECT_LT(Deadline::Clock::now() - start, 30s);
}

TEST(Tcp, IdleAndOpenSeesBytesAndClosing) {
    Connection c;
    EXPECT_TRUE(c.client->idle_and_open());
    send_all(c.server, "x");
    while (c.client->idle_and_open()) std::this_thread::yield();
    std::byte buffer[1];
    EXPECT_EQ(c.client->read_some(buffer, soon()), 1U);
    EXPECT_TRUE(c.client->idle_and_open());
    c.server.close();
    while (c.client->idle_and_open()) std::this_thread::yield();
    EXPECT_THROW(c.client->read_some(buffer, soon()), Error);
}

}  // namespace
}  // namespace crossover::net::test
