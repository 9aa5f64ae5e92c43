#include "net/tls.h"

#include <gmock/gmock.h>
#include <openssl/ssl.h>

#include <csignal>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "support/tls_identity.h"
#include "unit/net/listener.h"

namespace crossover::net::test {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

using crossover::test::Free;
using Identity = crossover::test::TlsIdentity;
using Context = std::unique_ptr<SSL_CTX, Free<SSL_CTX_free>>;
using Session = std::unique_ptr<SSL, Free<SSL_free>>;

Deadline soon() {
    return Deadline::after(10s);
}

/// Serves one connection in a thread: shakes hands, notes the name asked for, then sends back what it
/// receives.
class EchoServer {
  public:
    explicit EchoServer(const Identity& identity, int highest_version = 0)
        : context_(SSL_CTX_new(TLS_server_method())) {
        SSL_CTX_use_certificate(context_.get(), identity.certificate.get());
        SSL_CTX_use_PrivateKey(context_.get(), identity.key.get());
        if (highest_version != 0) {
            SSL_CTX_set_security_level(context_.get(), 0);
            SSL_CTX_set_min_proto_version(context_.get(), TLS1_VERSION);
            SSL_CTX_set_max_proto_version(context_.get(), highest_version);
        }
        thread_ = std::jthread([this] { serve(); });
    }
    ~EchoServer() {
        if (!thread_.joinable()) return;
        // Wakes accept() where the test never connected.
        ::shutdown(listener_.descriptor(), SHUT_RDWR);
    }

    std::uint16_t port() const { return listener_.port(); }
    /// The server name of the client's hello; waits for the connection to end.
    std::string name_asked_for() {
        thread_.join();
        return name_;
    }

  private:
    void serve() {
        // OpenSSL's own sockets raise SIGPIPE; blocked in this thread only, so that the client's would be
        // seen.
        sigset_t pipe;
        sigemptyset(&pipe);
        sigaddset(&pipe, SIGPIPE);
        pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
        const Descriptor socket = listener_.accept();
        if (socket.get() < 0) return;
        const Session session(SSL_new(context_.get()));
        SSL_set_fd(session.get(), socket.get());
        if (SSL_accept(session.get()) != 1) return;
        const char* name = SSL_get_servername(session.get(), TLSEXT_NAMETYPE_host_name);
        if (name != nullptr) name_ = name;
        std::vector<char> buffer(64 * 1024);
        while (true) {
            const int count = SSL_read(session.get(), buffer.data(), static_cast<int>(buffer.size()));
            if (count <= 0) return;
            if (count == 4 && std::string_view(buffer.data(), 4) == "quit") return;
            if (SSL_write(session.get(), buffer.data(), count) <= 0) return;
        }
    }

    Listener listener_;
    Context context_;
    std::string name_;
    std::jthread thread_;
};

Error refusal(const std::string& host, std::uint16_t port, const TlsOptions& options) {
    try {
        tls_connect(host, port, options, soon(), System::neo4j);
    } catch (const Error& error) {
        return error;
    }
    ADD_FAILURE() << "the connection was accepted";
    return Error(System::internal, ErrorKind::internal, "none");
}

std::string read_exactly(ByteStream& stream, std::size_t size) {
    std::string text;
    std::vector<std::byte> buffer(64 * 1024);
    while (text.size() < size) {
        const std::size_t count = stream.read_some(buffer, soon());
        text.append(reinterpret_cast<const char*>(buffer.data()), count);
    }
    return text;
}

void write_text(ByteStream& stream, std::string_view text) {
    stream.write(std::as_bytes(std::span(text)), soon());
}

TEST(Tls, ATrustedCertificateOfTheRightHostIsAccepted) {
    const Identity identity("DNS:localhost");
    EchoServer server(identity);
    {
        const auto client = tls_connect("localhost", server.port(), {TlsTrust::verified, identity.pem.path()},
                                        soon(), System::neo4j);
        write_text(*client, "hello");
        EXPECT_EQ(read_exactly(*client, 5), "hello");
        EXPECT_EQ(client->peer(), "localhost:" + std::to_string(server.port()));
    }
    EXPECT_EQ(server.name_asked_for(), "localhost");
}

TEST(Tls, AnAddressIsVerifiedAsOne) {
    const Identity identity("IP:127.0.0.1");
    EchoServer server(identity);
    {
        const auto client = tls_connect("127.0.0.1", server.port(), {TlsTrust::verified, identity.pem.path()},
                                        soon(), System::neo4j);
        write_text(*client, "hello");
        EXPECT_EQ(read_exactly(*client, 5), "hello");
    }
    EXPECT_EQ(server.name_asked_for(), "") << "addresses are no server names";
}

TEST(Tls, TheWrongHostIsRefused) {
    const Identity identity("DNS:other.example");
    EchoServer server(identity);
    const Error error = refusal("localhost", server.port(), {TlsTrust::verified, identity.pem.path()});
    EXPECT_EQ(error.kind(), ErrorKind::authentication);
    EXPECT_THAT(error.what(), HasSubstr("localhost:" + std::to_string(server.port())));
    EXPECT_THAT(error.what(), HasSubstr("hostname mismatch"));
}

TEST(Tls, TheWrongAddressIsRefused) {
    const Identity identity("DNS:localhost");
    EchoServer server(identity);
    const Error error = refusal("127.0.0.1", server.port(), {TlsTrust::verified, identity.pem.path()});
    EXPECT_EQ(error.kind(), ErrorKind::authentication);
    EXPECT_THAT(error.what(), HasSubstr("IP address mismatch"));
}

TEST(Tls, AnUnknownAuthorityIsRefused) {
    const Identity identity("DNS:localhost");
    EchoServer server(identity);
    const Error error = refusal("localhost", server.port(), {});
    EXPECT_EQ(error.kind(), ErrorKind::authentication);
    EXPECT_THAT(error.what(), HasSubstr("self-signed certificate"));
}

TEST(Tls, ACertificateOfAnotherAuthorityIsRefused) {
    const Identity identity("DNS:localhost");
    const Identity other("DNS:localhost");
    EchoServer server(identity);
    EXPECT_EQ(refusal("localhost", server.port(), {TlsTrust::verified, other.pem.path()}).kind(),
              ErrorKind::authentication);
}

TEST(Tls, AnyCertificateWillDoWhereAskedFor) {
    const Identity identity("DNS:other.example");
    EchoServer server(identity);
    const auto client =
        tls_connect("localhost", server.port(), {TlsTrust::any_certificate, ""}, soon(), System::neo4j);
    write_text(*client, "hello");
    EXPECT_EQ(read_exactly(*client, 5), "hello");
}

TEST(Tls, OldVersionsAreRefused) {
    const Identity identity("DNS:localhost");
    EchoServer server(identity, TLS1_1_VERSION);
    const Error error = refusal("localhost", server.port(), {TlsTrust::any_certificate, ""});
    EXPECT_EQ(error.kind(), ErrorKind::unreachable);
}

TEST(Tls, Version12IsAccepted) {
    const Identity identity("DNS:localhost");
    EchoServer server(identity, TLS1_2_VERSION);
    const auto client = tls_connect("localhost", server.port(), {TlsTrust::verified, identity.pem.path()},
                                    soon(), System::neo4j);
    write_text(*client, "hello");
    EXPECT_EQ(read_exactly(*client, 5), "hello");
}

TEST(Tls, AMissingCaFileIsNamed) {
    const Listener listener;
    const Error error = refusal("localhost", listener.port(), {TlsTrust::verified, "/no/such/ca.pem"});
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_THAT(error.what(), HasSubstr("/no/such/ca.pem"));
}

TEST(Tls, AServerWithoutTlsIsFoundOut) {
    const Listener listener;
    std::jthread server([&] {
        const Descriptor socket = listener.accept();
        EXPECT_GT(::send(socket.get(), "HTTP/1.1 400\r\n", 14, MSG_NOSIGNAL), 0);
        char buffer[1024];
        while (::recv(socket.get(), buffer, sizeof buffer, 0) > 0) continue;
    });
    const Error error = refusal("localhost", listener.port(), {TlsTrust::any_certificate, ""});
    EXPECT_EQ(error.kind(), ErrorKind::unreachable);
    EXPECT_THAT(error.what(), HasSubstr("does the server offer TLS on this port"));
}

TEST(Tls, TheHandshakeEndsAtTheDeadline) {
    const Listener listener;
    try {
        tls_connect("localhost", listener.port(), {}, Deadline::after(100ms), System::neo4j);
        ADD_FAILURE() << "nobody answered";
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::timeout);
    }
}

TEST(Tls, ReadsAndWritesAtTheSameTime) {
    const Identity identity("DNS:localhost");
    EchoServer server(identity);
    const auto client = tls_connect("localhost", server.port(), {TlsTrust::verified, identity.pem.path()},
                                    soon(), System::neo4j);
    std::string sent(16 * 1024 * 1024, '\0');
    for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>(i * 2654435761U >> 24);
    std::jthread writer([&] { write_text(*client, sent); });
    EXPECT_TRUE(read_exactly(*client, sent.size()) == sent);
}

TEST(Tls, ShutdownWakesAReader) {
    const Identity identity("DNS:localhost");
    EchoServer server(identity);
    const auto client = tls_connect("localhost", server.port(), {TlsTrust::verified, identity.pem.path()},
                                    soon(), System::neo4j);
    auto reading = std::async(std::launch::async, [&] {
        std::byte buffer[1];
        try {
            client->read_some(buffer, Deadline::after(60s));
        } catch (const Error& error) {
            return error.kind();
        }
        return ErrorKind::internal;
    });
    client->shutdown();
    EXPECT_EQ(reading.get(), ErrorKind::unreachable);
}

TEST(Tls, WritingToAClosedPeerRaisesNoSignal) {
    const Identity identity("DNS:localhost");
    EchoServer server(identity);
    const auto client = tls_connect("localhost", server.port(), {TlsTrust::verified, identity.pem.path()},
                                    soon(), System::neo4j);
    write_text(*client, "quit");
    server.name_asked_for();
    const auto write_until_it_fails = [&] {
        while (true) write_text(*client, "more");
    };
    EXPECT_THROW(write_until_it_fails(), Error);
    EXPECT_THROW(write_until_it_fails(), Error);
}

TEST(Tls, SessionTicketsDoNotMakeAConnectionBusyAndClosingIsSeen) {
    const Identity identity("DNS:localhost");
    EchoServer server(identity);
    const auto client = tls_connect("localhost", server.port(), {TlsTrust::verified, identity.pem.path()},
                                    soon(), System::neo4j);
    EXPECT_TRUE(client->idle_and_open());
    write_text(*client, "hello");
    // The echo comes behind the tickets of TLS 1.3.
    while (client->idle_and_open()) std::this_thread::yield();
    EXPECT_EQ(read_exactly(*client, 5), "hello");
    EXPECT_TRUE(client->idle_and_open());
    write_text(*client, "quit");
    while (client->idle_and_open()) std::this_thread::yield();
    std::byte buffer[1];
    EXPECT_THROW(client->read_some(buffer, soon()), Error);
}

}  // namespace
}  // namespace crossover::net::test
