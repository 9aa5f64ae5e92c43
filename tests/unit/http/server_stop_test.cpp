#include <gmock/gmock.h>

#include <future>

#include "support/tls_identity.h"
#include "unit/http/client.h"

namespace crossover::http::test {
namespace {

ErrorKind connecting_fails_with(std::uint16_t port) {
    try {
        Client client(port);
    } catch (const Error& error) {
        return error.kind();
    }
    return ErrorKind::internal;
}

TEST(ServerStop, RequestsUnderWayAreAnsweredAndNoneTaken) {
    Gate gate;
    TestServer server(any_port(), &gate);
    Client unused(server.port());
    Client idle(server.port());
    EXPECT_EQ(idle.ask("GET /hello").read().status, 200);
    Client begun(server.port());
    begun.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\nGET /hello HTTP/1.1\r\nHo");
    EXPECT_EQ(begun.read().status, 200);
    Client running(server.port());
    running.ask("GET /gate");
    gate.wait_for(1);

    auto drained = std::async(std::launch::async, [&] { return server.server->drain(soon()); });
    EXPECT_EQ(idle.read_to_end(), "");
    EXPECT_EQ(unused.read_to_end(), "");
    EXPECT_EQ(connecting_fails_with(server.port()), ErrorKind::unreachable);
    begun.send("st: a\r\n\r\n");
    const Answer late = begun.read();
    EXPECT_EQ(late.body, "hello");
    EXPECT_EQ(late.headers.at("Connection"), "close");
    EXPECT_EQ(drained.wait_for(0s), std::future_status::timeout);
    gate.open();
    const Answer answer = running.read();
    EXPECT_EQ(answer.body, "passed");
    EXPECT_EQ(answer.headers.at("Connection"), "close");
    EXPECT_EQ(running.read_to_end(), "");
    EXPECT_TRUE(drained.get());
    EXPECT_TRUE(server.server->drain(soon())) << "nothing is left to be done";
}

TEST(ServerStop, WithoutConnectionsItTakesNoTime) {
    TestServer server;
    EXPECT_TRUE(server.server->drain(Deadline::after(60s)));
    EXPECT_EQ(connecting_fails_with(server.port()), ErrorKind::unreachable);
}

TEST(ServerStop, IdleTlsConnectionsAreClosed) {
    const crossover::test::TlsIdentity identity("IP:127.0.0.1");
    ServerConfig config = any_port();
    config.tls = TlsFiles{identity.pem.path(), identity.key_pem.path()};
    TestServer server(config);
    Client silent(server.port());
    Client client(server.port(), identity.pem.path());
    EXPECT_EQ(client.ask("GET /hello").read().status, 200);
    auto drained = std::async(std::launch::async, [&] { return server.server->drain(soon()); });
    EXPECT_EQ(client.read_to_end(), "");
    EXPECT_EQ(silent.read_to_end(), "");
    client.stream().shutdown();
    EXPECT_TRUE(drained.get());
}

TEST(ServerStop, AtTheDeadlineTheRestIsClosed) {
    Gate gate;
    TestServer server(any_port(), &gate);
    Client client(server.port());
    client.ask("GET /gate");
    gate.wait_for(1);
    EXPECT_FALSE(server.server->drain(Deadline::after(50ms)));
    EXPECT_EQ(client.read_to_end(), "");
    gate.open();
}

TEST(ServerStop, RequestsThatWaitedAreNotBegun) {
    Gate gate;
    Collector<unsigned> seen;
    ServerConfig config = any_port();
    config.workers = 1;
    config.limits.waiting_requests = 1;
    config.observe = [&](const Observation& observation) { seen.add(observation.status); };
    TestServer server(config, &gate);
    Client running(server.port());
    running.ask("GET /gate");
    gate.wait_for(1);
    Client one(server.port());
    Client other(server.port());
    one.ask("GET /gate");
    other.ask("GET /gate");
    EXPECT_EQ(seen.wait_for(1).front(), 503U) << "so that the other one waits";
    auto destroyed = std::async(std::launch::async, [&] { server.server.reset(); });
    EXPECT_EQ(running.read_to_end(), "");
    EXPECT_EQ(destroyed.wait_for(0s), std::future_status::timeout) << "a handler runs";
    gate.open();
    destroyed.get();
    EXPECT_EQ(gate.passed(), 1);
}

TEST(ServerStop, OneThatNeverStartedJustGoes) {
    Server server(any_port(), {});
    EXPECT_TRUE(server.drain(soon()));
}

}  // namespace
}  // namespace crossover::http::test
