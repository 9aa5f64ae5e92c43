#include <gmock/gmock.h>

#include "unit/http/client.h"

namespace crossover::http::test {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

ServerConfig with_limits(const Limits& limits) {
    ServerConfig config = any_port();
    config.limits = limits;
    return config;
}

/// A problem after which the connection has ended.
void expect_last(Client& client, int status) {
    const Answer answer = client.read();
    EXPECT_EQ(answer.status, status) << answer.body;
    EXPECT_EQ(answer.headers.at("Content-Type"), "application/problem+json");
    EXPECT_EQ(answer.headers.at("Connection"), "close");
    EXPECT_THAT(answer.body, HasSubstr("\"status\":" + std::to_string(status)));
    EXPECT_EQ(client.read_to_end(), "");
}

TEST(ServerLimits, WhatIsNotHttpIsRefused) {
    TestServer server;
    for (const auto* bytes : {
             "garbage\r\n\r\n",
             "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
             "GET /hello\r\n\r\n",
             "GET /hello HTTP/2.0\r\nHost: a\r\n\r\n",
             "GET  /hello HTTP/1.1\r\nHost: a\r\n\r\n",
             "GET /hello HTTP/1.1\nHost: a\n\n",
             "GET /hello HTTP/1.1\r\nHost : a\r\n\r\n",
             "GET /hello HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n",
             "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
             "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
             "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
             "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
             "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
             "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
             "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\naa\r\n0\r\n\r\n",
             "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
         }) {
        SCOPED_TRACE(bytes);
        Client client(server.port());
        client.send(bytes);
        expect_last(client, 400);
    }
}

TEST(ServerLimits, RequestsThatMakeNoSenseAreRefusedAndTheConnectionGoesOn) {
    TestServer server;
    Client client(server.port());
    for (const auto* bytes : {
             "GET /hello HTTP/1.1\r\n\r\n",
             "GET /hello HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
             "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n",
             "GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n",
             "GET /%FF HTTP/1.1\r\nHost: a\r\n\r\n",
             "GET /hello?a=%C3 HTTP/1.1\r\nHost: a\r\n\r\n",
             "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
             "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
         }) {
        EXPECT_EQ(client.send(bytes).read().status, 400) << bytes;
    }
    EXPECT_EQ(client.ask("GET /hello").read().body, "hello");
}

TEST(ServerLimits, OtherTransferCodingsAreNotTakenForNoBody) {
    TestServer server;
    for (const auto* coding : {"gzip", "gzip, chunked", "chunked, identity", "identity", "chunkedx"}) {
        SCOPED_TRACE(coding);
        Client client(server.port());
        client.send("POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: " +
                    std::string(coding) + "\r\n\r\n");
        expect_last(client, 501);
    }
}

TEST(ServerLimits, LongHeadersAreRefused) {
    TestServer server(with_limits({.header_bytes = 1000}));
    const std::string fits = "GET /hello HTTP/1.1\r\nHost: a\r\nX: " + std::string(900, 'x') + "\r\n\r\n";
    EXPECT_EQ(Client(server.port()).send(fits).read().status, 200);
    for (const std::string& bytes :
         {"GET /hello HTTP/1.1\r\nHost: a\r\nX: " + std::string(1000, 'x') + "\r\n\r\n",
          "GET /" + std::string(1000, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n",
          "GET /hello HTTP/1.1\r\nX: " + std::string(1024 * 1024, 'x')}) {
        Client client(server.port());
        client.send(bytes);
        expect_last(client, 431);
    }
}

TEST(ServerLimits, LongBodiesAreRefusedByTheirLength) {
    TestServer server(with_limits({.body_bytes = 10}));
    Client client(server.port());
    EXPECT_EQ(client.ask("POST /echo", "0123456789").read().body, "0123456789");
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n");
    expect_last(client, 413);
    Client busy(server.port());
    busy.ask("POST /echo", std::string(1024 * 1024, 'x'));
    expect_last(busy, 413);
}

TEST(ServerLimits, LongBodiesAreRefusedByTheirChunks) {
    TestServer server(with_limits({.body_bytes = 10}));
    const std::string header = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    Client client(server.port());
    client.send(header + "6\r\n012345\r\n4\r\n6789\r\n0\r\n\r\n");
    EXPECT_EQ(client.read().body, "0123456789");
    client.send(header + "6\r\n012345\r\n5\r\n");
    expect_last(client, 413);
    Client at_once(server.port());
    at_once.send(header + "ffffffffffffffff\r\n");
    expect_last(at_once, 413);
}

TEST(ServerLimits, LinesBetweenChunksAreBoundedToo) {
    TestServer server;
    const std::string header = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (const std::string& line :
         {"1;" + std::string(256 * 1024, 'x'), "0\r\nX: " + std::string(256 * 1024, 'x')}) {
        Client client(server.port());
        client.send(header + line);
        expect_last(client, 431);
    }
}

TEST(ServerLimits, TrailersDoNotBecomeHeaders) {
    Router router;
    router.add("POST /authorization",
               [](const Request& request) { return text(std::string(request.header("authorization"))); });
    TestServer server(any_port(), nullptr, std::move(router));
    const Answer answer =
        Client(server.port())
            .send(
                "POST /authorization HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                "1\r\nx\r\n0\r\nAuthorization: Bearer x\r\n\r\n")
            .read();
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, "");
}

TEST(ServerLimits, ASlowHeaderTimesOut) {
    TestServer server(with_limits({.header_timeout = 50ms}));
    Client client(server.port());
    EXPECT_EQ(client.ask("GET /hello").read().status, 200);
    client.send("GET /hello HTTP/1.1\r\nHo");
    expect_last(client, 408);
}

TEST(ServerLimits, ASlowBodyTimesOut) {
    TestServer server(with_limits({.body_timeout = 50ms}));
    for (const auto* framing : {"Content-Length: 5\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n5\r\n"}) {
        Client client(server.port());
        client.send("POST /echo HTTP/1.1\r\nHost: a\r\n" + std::string(framing) + "slow");
        expect_last(client, 408);
    }
}

TEST(ServerLimits, IdleConnectionsAreClosedWithoutAWord) {
    TestServer server(with_limits({.idle_timeout = 50ms}));
    EXPECT_EQ(Client(server.port()).read_to_end(), "");
    Client used(server.port());
    EXPECT_EQ(used.ask("GET /hello").read().status, 200);
    EXPECT_EQ(used.read_to_end(), "");
}

TEST(ServerLimits, TimeWithAHandlerIsNotLimited) {
    Gate gate;
    TestServer server(
        with_limits(
            {.header_timeout = 50ms, .body_timeout = 50ms, .idle_timeout = 50ms, .write_timeout = 10s}),
        &gate);
    Client client(server.port());
    client.ask("GET /gate");
    gate.wait_for(1);
    Client idle(server.port());
    EXPECT_EQ(idle.read_to_end(), "") << "which takes as long as the other could be idle";
    gate.open();
    EXPECT_EQ(client.read().body, "passed");
}

TEST(ServerLimits, AClientThatDoesNotReadIsGivenUp) {
    Collector<unsigned> seen;
    ServerConfig config = with_limits({.write_timeout = 50ms});
    config.observe = [&](const Observation& observation) { seen.add(observation.status); };
    Router router;
    router.add("GET /large", [](const Request&) { return text(std::string(64 * 1024 * 1024, 'x')); });
    TestServer server(config, nullptr, std::move(router));
    Client client(server.port());
    client.ask("GET /large");
    seen.wait_for(1);
    EXPECT_LT(client.read_to_end().size(), 64U * 1024 * 1024);
}

TEST(ServerLimits, RequestsBeyondTheQueueAreRefused) {
    Gate gate;
    Collector<unsigned> seen;
    ServerConfig config = with_limits({.waiting_requests = 1});
    config.workers = 1;
    config.observe = [&](const Observation& observation) { seen.add(observation.status); };
    TestServer server(config, &gate);
    Client running(server.port());
    running.ask("GET /gate");
    gate.wait_for(1);
    Client one(server.port());
    Client other(server.port());
    one.ask("GET /hello");
    other.ask("GET /hello");
    EXPECT_EQ(seen.wait_for(1).front(), 503U);
    gate.open();
    EXPECT_EQ(running.read().body, "passed");
    const std::vector<Answer> answers = {one.read(), other.read()};
    EXPECT_THAT((std::vector<int>{answers[0].status, answers[1].status}), UnorderedElementsAre(200, 503));
    const Answer& refused = answers[0].status == 503 ? answers[0] : answers[1];
    EXPECT_EQ(refused.headers.at("Retry-After"), "1");
    EXPECT_EQ(refused.headers.at("Content-Type"), "application/problem+json");
    EXPECT_EQ(one.ask("GET /hello").read().status, 200) << "the connection stays";
    EXPECT_EQ(other.ask("GET /hello").read().status, 200) << "the connection stays";
}

TEST(ServerLimits, ProbesAreAnsweredWhileAllWorkersAreBusy) {
    Gate gate;
    ServerConfig config = with_limits({.waiting_requests = 0});
    config.workers = 1;
    Router router;
    router.add(
        "GET /alive", [](const Request&) { return text("yes"); }, Access::anyone);
    TestServer server(config, &gate, std::move(router));
    Client running(server.port());
    running.ask("GET /gate");
    gate.wait_for(1);
    Client client(server.port());
    EXPECT_EQ(client.ask("GET /hello").read().status, 503);
    EXPECT_EQ(client.ask("GET /alive").read().body, "yes");
    gate.open();
    EXPECT_EQ(running.read().body, "passed");
}

TEST(ServerLimits, ConnectionsBeyondTheLimitAreTurnedAway) {
    TestServer server(with_limits({.connections = 2}));
    auto first = std::make_unique<Client>(server.port());
    Client second(server.port());
    EXPECT_EQ(first->ask("GET /hello").read().status, 200);
    EXPECT_EQ(second.ask("GET /hello").read().status, 200);
    Client third(server.port());
    third.ask("GET /hello");
    const Answer answer = third.read();
    EXPECT_EQ(answer.status, 503);
    EXPECT_EQ(answer.headers.at("Retry-After"), "1");
    EXPECT_EQ(answer.headers.at("Connection"), "close");
    EXPECT_EQ(third.read_to_end(), "");
    EXPECT_EQ(second.ask("GET /hello").read().status, 200);

    first.reset();
    const Deadline deadline = soon();
    int status = 503;
    while (status == 503 && !deadline.passed())
        status = Client(server.port()).ask("GET /hello").read().status;
    EXPECT_EQ(status, 200) << "there is room again";
}

}  // namespace
}  // namespace crossover::http::test
