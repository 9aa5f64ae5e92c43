#include <gmock/gmock.h>

#include "support/tls_identity.h"
#include "unit/http/client.h"

namespace crossover::http::test {
namespace {

using crossover::test::Key;
using crossover::test::PemFile;
using crossover::test::TlsIdentity;
using ::testing::HasSubstr;

std::string refusal(const ServerConfig& config) {
    try {
        const Server server(config, {});
    } catch (const Error& error) {
        EXPECT_EQ(error.system(), System::config);
        EXPECT_EQ(error.kind(), ErrorKind::usage);
        return error.what();
    }
    return "none";
}

ServerConfig with_tls(const std::string& certificate, const std::string& key) {
    ServerConfig config = any_port();
    config.tls = TlsFiles{certificate, key};
    return config;
}

TEST(ServerTls, ServesAsWithoutIt) {
    const TlsIdentity identity("IP:127.0.0.1");
    TestServer server(with_tls(identity.pem.path(), identity.key_pem.path()));
    Client client(server.port(), identity.pem.path());
    EXPECT_EQ(client.ask("GET /hello").read().body, "hello");
    const std::string large(1024 * 1024, 'x');
    EXPECT_TRUE(client.ask("POST /echo", large).read().body == large);
    EXPECT_EQ(client.ask("GET /nowhere").read().status, 404);
    client.send("GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    EXPECT_EQ(client.read().body, "hello");
    EXPECT_EQ(client.read_to_end(), "") << "an end that TLS knows to be one";
}

TEST(ServerTls, LimitsHoldToo) {
    const TlsIdentity identity("IP:127.0.0.1");
    ServerConfig config = with_tls(identity.pem.path(), identity.key_pem.path());
    config.limits = {.body_bytes = 10, .header_timeout = 500ms, .connections = 2};
    TestServer server(config);
    Client slow(server.port(), identity.pem.path());
    slow.send("GET /hel");
    EXPECT_EQ(slow.read().status, 408);
    EXPECT_EQ(slow.read_to_end(), "");

    Client large(server.port(), identity.pem.path());
    large.ask("POST /echo", std::string(256 * 1024, 'x'));
    EXPECT_EQ(large.read().status, 413);
}

TEST(ServerTls, ConnectionsBeyondTheLimitAreTurnedAway) {
    const TlsIdentity identity("IP:127.0.0.1");
    ServerConfig config = with_tls(identity.pem.path(), identity.key_pem.path());
    config.limits.connections = 1;
    TestServer server(config);
    Client first(server.port(), identity.pem.path());
    EXPECT_EQ(first.ask("GET /hello").read().status, 200);
    Client second(server.port(), identity.pem.path());
    EXPECT_EQ(second.read().status, 503);
    EXPECT_EQ(second.read_to_end(), "");
}

TEST(ServerTls, OtherClientsAreClosed) {
    const TlsIdentity identity("IP:127.0.0.1");
    ServerConfig config = with_tls(identity.pem.path(), identity.key_pem.path());
    config.limits.header_timeout = 50ms;
    TestServer server(config);
    Client plain(server.port());
    plain.ask("GET /hello");
    EXPECT_THAT(plain.read_to_end(), ::testing::Not(HasSubstr("HTTP/1.1"))) << "an alert at most";
    Client silent(server.port());
    EXPECT_EQ(silent.read_to_end(), "");
}

TEST(ServerTls, BadFilesAreNamed) {
    const TlsIdentity identity("IP:127.0.0.1");
    const TlsIdentity other("IP:127.0.0.1");
    const PemFile garbage([](std::FILE* out) { std::fputs("garbage", out); });
    const PemFile locked([&](std::FILE* out) {
        PEM_write_PrivateKey(out, identity.key.get(), EVP_aes_128_cbc(),
                             reinterpret_cast<const unsigned char*>("secret"), 6, nullptr, nullptr);
    });
    const std::string& good = identity.pem.path();
    const std::string& key = identity.key_pem.path();
    EXPECT_THAT(refusal(with_tls("/no/such/cert.pem", key)), HasSubstr("/no/such/cert.pem"));
    EXPECT_THAT(refusal(with_tls(garbage.path(), key)), HasSubstr(garbage.path()));
    EXPECT_THAT(refusal(with_tls(good, "/no/such/key.pem")), HasSubstr("/no/such/key.pem"));
    EXPECT_THAT(refusal(with_tls(good, garbage.path())), HasSubstr(garbage.path()));
    EXPECT_THAT(refusal(with_tls(good, locked.path())), HasSubstr(locked.path()));
    EXPECT_THAT(refusal(with_tls(good, other.key_pem.path())), HasSubstr("mismatch"));
    EXPECT_EQ(refusal(with_tls(good, key)), "none");
}

class ServerToken : public ::testing::Test {
  protected:
    static ServerConfig config() {
        ServerConfig config = any_port();
        config.token = "s3cret";
        return config;
    }
    static Router router() {
        Router router;
        router.add(
            "GET /healthz", [](const Request&) { return text("ok"); }, Access::anyone);
        return router;
    }

    int status(std::string_view line, std::string_view authorization) {
        client.send(std::string(line) +
                    " HTTP/1.1\r\nHost: a\r\nAuthorization: " + std::string(authorization) + "\r\n\r\n");
        return client.read().status;
    }

    TestServer server{config(), nullptr, router()};
    Client client{server.port()};
};

TEST_F(ServerToken, MustBeRight) {
    EXPECT_EQ(status("GET /hello", "Bearer s3cret"), 200);
    EXPECT_EQ(status("GET /hello", "Bearer s3cres"), 401);
    EXPECT_EQ(status("GET /hello", "Bearer s3cret2"), 401);
    EXPECT_EQ(status("GET /hello", "Basic s3cret"), 401);
    EXPECT_EQ(status("GET /hello", ""), 401);
    EXPECT_EQ(status("GET /nowhere", "Bearer s3cret"), 404);
    EXPECT_EQ(status("DELETE /hello", "Bearer s3cret"), 405);
}

TEST_F(ServerToken, IsAskedFor) {
    const Answer answer = client.ask("GET /hello").read();
    EXPECT_EQ(answer.status, 401);
    EXPECT_EQ(answer.headers.at("WWW-Authenticate"), "Bearer");
    EXPECT_EQ(answer.headers.at("Content-Type"), "application/problem+json");
    EXPECT_EQ(client.ask("GET /nowhere").read().status, 401)
        << "strangers do not learn which paths there are";
    EXPECT_EQ(client.ask("DELETE /healthz").read().status, 401);
}

TEST_F(ServerToken, IsNotAskedOfProbes) {
    EXPECT_EQ(client.ask("GET /healthz").read().body, "ok");
    EXPECT_EQ(client.ask("HEAD /healthz").read(false).status, 200);
    EXPECT_EQ(client.ask("GET /%68ealthz").read().body, "ok");
    EXPECT_EQ(client.ask("GET /healthz/").read().status, 401);
}

TEST_F(ServerToken, BodiesOfStrangersAreNotRead) {
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
    const Answer answer = client.read();
    EXPECT_EQ(answer.status, 401);
    EXPECT_EQ(answer.headers.at("Connection"), "close");
    EXPECT_EQ(client.read_to_end(), "");
}

TEST(ServerAddress, OffLoopbackATokenIsRequired) {
    ServerConfig config;
    for (const auto* address : {"0.0.0.0:0", "[::]:0", "192.0.2.1:8080"}) {
        config.token = "";
        config.listen = address;
        EXPECT_EQ(refusal(config),
                  "'" + config.listen +
                      "' can be reached from other machines, so requests must bring a token: "
                      "set a bearer token (SERVICE_TOKEN), or listen on 127.0.0.1");
        config.token = "s3cret";
        EXPECT_EQ(refusal(config), "none");
    }
    config.token = "";
    for (const auto* address : {"127.0.0.1:0", "127.9.9.9:0", "[::1]:0", "localhost:0"}) {
        config.listen = address;
        EXPECT_EQ(refusal(config), "none");
    }
}

TEST(ServerAddress, OffLoopbackNoTokenIsRequiredWhereNoRouteWantsOne) {
    const auto answer = [](const Request&) { return Response{}; };
    ServerConfig config;
    config.listen = "0.0.0.0:0";
    Router open;
    open.add("GET /metrics", answer, Access::anyone);
    EXPECT_NO_THROW(Server(config, open));
    open.add("GET /media", answer);
    EXPECT_THROW(Server(config, open), Error);
}

TEST(ServerAddress, MustBeOne) {
    ServerConfig config;
    config.listen = "8080";
    EXPECT_THAT(refusal(config), HasSubstr("'8080'"));
    config.listen = "no-such-host.invalid:80";
    EXPECT_THAT(refusal(config), HasSubstr("cannot listen on 'no-such-host.invalid:80'"));
}

}  // namespace
}  // namespace crossover::http::test
