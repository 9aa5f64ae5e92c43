#include <gmock/gmock.h>

#include <thread>

#include "unit/http/client.h"

namespace crossover::http::test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Key;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::Pair;

TEST(Server, AnswersWithTheHeadersOfHttp) {
    TestServer server;
    const Answer answer = Client(server.port()).ask("GET /hello").read();
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, "hello");
    EXPECT_EQ(answer.headers.at("Content-Type"), "text/plain");
    EXPECT_EQ(answer.headers.at("Content-Length"), "5");
    EXPECT_THAT(answer.headers.at("Date"),
                MatchesRegex("[A-Z][a-z]+, [0-9]+ [A-Z][a-z]+ [0-9]+ [0-9:]+ GMT"));
    EXPECT_EQ(answer.headers.size(), 3U);
}

TEST(Server, HandlersGetTheWholeRequest) {
    Collector<Request> requests;
    Router router;
    router.add("PUT /v1/media/{id}/of/{kind}", [&](const Request& request) {
        requests.add(request);
        return Response{.status = 201, .headers = {{"Location", "/x"}, {"X-Other", "y"}}};
    });
    TestServer server(any_port(), nullptr, std::move(router));
    const Answer answer = Client(server.port())
                              .send(
                                  "PUT /v1/media/a%2Fb%F0%9F%8E%AC%22%0A/of/film?k=5&f=a+b HTTP/1.1\r\n"
                                  "host: test\r\ncontent-type: application/json\r\nX-A:  b \r\n"
                                  "CONTENT-LENGTH: 3\r\n\r\n{}\n")
                              .read();
    EXPECT_EQ(answer.status, 201);
    EXPECT_EQ(answer.body, "");
    EXPECT_EQ(answer.headers.at("Location"), "/x");
    EXPECT_EQ(answer.headers.at("X-Other"), "y");
    const Request request = requests.wait_for(1).front();
    EXPECT_EQ(request.method, "PUT");
    EXPECT_THAT(request.segments, ElementsAre("v1", "media", "a/b🎬\"\n", "of", "film"));
    EXPECT_THAT(request.parameters, ElementsAre(Pair("id", "a/b🎬\"\n"), Pair("kind", "film")));
    EXPECT_EQ(request.parameter("id"), "a/b🎬\"\n");
    EXPECT_THAT(request.query, ElementsAre(Pair("k", "5"), Pair("f", "a b")));
    EXPECT_EQ(request.header("Content-Type"), "application/json");
    EXPECT_EQ(request.header("X-A"), "b");
    EXPECT_EQ(request.body, "{}\n");
    EXPECT_THAT(request.peer, MatchesRegex("127\\.0\\.0\\.1:[0-9]+"));
}

TEST(Server, UnknownPathsAndMethodsAreProblems) {
    TestServer server;
    Client client(server.port());
    const Answer missing = client.ask("GET /nowhere").read();
    EXPECT_EQ(missing.status, 404);
    EXPECT_EQ(missing.headers.at("Content-Type"), "application/problem+json");
    EXPECT_EQ(missing.body, R"({"type":"about:blank","title":"Not Found","status":404,)"
                            R"("detail":"There is nothing at this path."})");
    const Answer method = client.ask("DELETE /hello").read();
    EXPECT_EQ(method.status, 405);
    EXPECT_EQ(method.headers.at("Allow"), "GET, HEAD");
    EXPECT_EQ(method.headers.at("Content-Type"), "application/problem+json");
    EXPECT_EQ(client.ask("BREW /hello").read().status, 405);
    EXPECT_EQ(client.ask("GET /hello").read().status, 200) << "on the same connection";
}

TEST(Server, KeepsTheConnectionUntilAskedToClose) {
    TestServer server;
    Client client(server.port());
    for (int i = 0; i < 100; ++i) {
        const Answer answer = client.ask("POST /echo", std::to_string(i)).read();
        EXPECT_EQ(answer.body, std::to_string(i));
        EXPECT_THAT(answer.headers, Not(Contains(Key("Connection"))));
    }
    client.send("GET /hello HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    const Answer last = client.read();
    EXPECT_EQ(last.body, "hello");
    EXPECT_EQ(last.headers.at("Connection"), "close");
    EXPECT_EQ(client.read_to_end(), "");
}

TEST(Server, OldClientsCloseUnlessTheyAsk) {
    TestServer server;
    Client client(server.port());
    client.send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_EQ(client.read().headers.at("Connection"), "keep-alive");
    client.send("GET /hello HTTP/1.0\r\n\r\n");
    EXPECT_EQ(client.read().headers.at("Connection"), "close");
    EXPECT_EQ(client.read_to_end(), "");
}

TEST(Server, PipelinedRequestsAreAnsweredInOrder) {
    Gate gate;
    TestServer server(any_port(), &gate);
    Client client(server.port());
    client.send(
        "GET /gate HTTP/1.1\r\nHost: a\r\n\r\n"
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\none"
        "HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n"
        "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n"
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
        "chunked\r\n\r\n2\r\ntw\r\n1;x=y\r\no\r\n0\r\n\r\n"
        "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    gate.wait_for(1);
    gate.open();
    EXPECT_EQ(client.read().body, "passed");
    EXPECT_EQ(client.read().body, "one");
    EXPECT_EQ(client.read(false).headers.at("Content-Length"), "5");
    EXPECT_EQ(client.read().status, 404);
    EXPECT_EQ(client.read().body, "two");
    EXPECT_EQ(client.read().body, "hello");
    EXPECT_EQ(client.read_to_end(), "") << "what follows Connection: close is not answered";
}

TEST(Server, HeadIsGetWithoutTheBody) {
    Collector<std::string> methods;
    Router router;
    router.add("GET /m", [&](const Request& request) {
        methods.add(request.method);
        return text("body");
    });
    TestServer server(any_port(), nullptr, std::move(router));
    Client client(server.port());
    const Answer answer = client.ask("HEAD /m").read(false);
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.headers.at("Content-Length"), "4");
    EXPECT_EQ(client.ask("HEAD /nowhere").read(false).status, 404);
    EXPECT_EQ(client.ask("GET /m").read().body, "body");
    EXPECT_THAT(methods.wait_for(2), ElementsAre("GET", "GET"));
}

TEST(Server, NoContentHasNoLength) {
    Router router;
    router.add("DELETE /m", [](const Request&) { return Response{.status = 204, .body = "ignored"}; });
    TestServer server(any_port(), nullptr, std::move(router));
    Client client(server.port());
    const Answer answer = client.ask("DELETE /m").read();
    EXPECT_EQ(answer.status, 204);
    EXPECT_THAT(answer.headers, ElementsAre(Pair("Date", ::testing::_)));
    EXPECT_EQ(client.ask("GET /hello").read().body, "hello");
}

TEST(Server, CarriesLargeBodiesBothWays) {
    TestServer server;
    Client client(server.port());
    std::string body(1024 * 1024, '\0');
    for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(i * 2654435761U >> 24);
    for (const std::size_t size : {16384UL, 16385UL, body.size()}) {
        EXPECT_TRUE(client.ask("POST /echo", std::string_view(body).substr(0, size)).read().body ==
                    std::string_view(body).substr(0, size));
    }
}

TEST(Server, TellsAClientThatAsksToSendItsBody) {
    TestServer server;
    Client client(server.port());
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    EXPECT_EQ(client.read_through("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    EXPECT_EQ(client.send("body").read().body, "body");

    client.send("POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    const Answer refused = client.read();
    EXPECT_EQ(refused.status, 405) << "no 100 where the header is enough to refuse";
    EXPECT_EQ(refused.headers.at("Connection"), "close");
    EXPECT_EQ(client.read_to_end(), "");
}

TEST(Server, WhatHandlersThrowStaysInside) {
    Collector<std::string> reports;
    ServerConfig config = any_port();
    config.report = [&](std::string_view where, const std::exception& error) {
        reports.add(std::string(where) + ": " + error.what());
    };
    Router router;
    router.add("GET /error/{id}", [](const Request&) -> Response {
        throw Error(System::neo4j, ErrorKind::unreachable, "no server at secret:7687");
    });
    router.add("GET /bug", [](const Request&) -> Response { throw std::out_of_range("secret index"); });
    router.add("GET /seven", [](const Request&) -> Response { throw 7; });
    router.add("GET /split", [](const Request&) {
        return Response{.headers = {{"Location", "/a\r\nSet-Cookie: b"}}};
    });
    TestServer server(config, nullptr, std::move(router));
    Client client(server.port());
    for (const auto* line : {"GET /error/1", "GET /bug", "GET /seven", "GET /split"}) {
        const Answer answer = client.ask(line).read();
        EXPECT_EQ(answer.status, 500);
        EXPECT_EQ(answer.headers.at("Content-Type"), "application/problem+json");
        EXPECT_THAT(answer.headers, Not(Contains(Key("Location"))));
        EXPECT_EQ(answer.body, R"({"type":"about:blank","title":"Internal Server Error","status":500,)"
                               R"("detail":"The server failed to answer this request; its log says why."})");
    }
    EXPECT_EQ(client.ask("GET /hello").read().body, "hello") << "on the same connection";
    EXPECT_THAT(reports.wait_for(4),
                ElementsAre("GET /error/{id}: no server at secret:7687", "GET /bug: secret index",
                            "GET /seven: something was thrown that is no exception",
                            "GET /split: the answer has a header with characters that no header may have"));
}

TEST(Server, EachAnswerIsObserved) {
    Collector<std::string> seen;
    ServerConfig config = any_port();
    config.observe = [&](const Observation& o) {
        EXPECT_GE(o.duration.count(), 0);
        EXPECT_LT(o.duration, 10s);
        seen.add(std::string(o.method) + " " + std::string(o.pattern) + " " + std::to_string(o.status));
    };
    Router router;
    router.add("GET /v1/media/{id}", [](const Request&) { return text("x"); });
    TestServer server(config, nullptr, std::move(router));
    Client client(server.port());
    client.ask("GET /v1/media/1").read();
    client.ask("HEAD /v1/media/2").read(false);
    client.ask("PUT /v1/media/3").read();
    client.ask("BREW /v1/media/3").read();
    client.ask("GET /v1/%FF").read();
    client.ask("GET /nowhere").read();
    client.send("garbage\r\n\r\n").read();
    EXPECT_THAT(seen.wait_for(7),
                ElementsAre("GET /v1/media/{id} 200", "HEAD /v1/media/{id} 200", "PUT /v1/media/{id} 405",
                            "other /v1/media/{id} 405", "GET  400", "GET  404", "other  400"));
}

TEST(Server, ManyClientsGetTheirOwnAnswers) {
    TestServer server;
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 8; ++thread) {
        threads.emplace_back([&, thread] {
            for (int connection = 0; connection < 5; ++connection) {
                Client client(server.port());
                for (int i = 0; i < 40; ++i) {
                    const std::string body = std::to_string(thread * 1000 + i);
                    EXPECT_EQ(client.ask("POST /echo", body).read().body, body);
                }
            }
        });
    }
}

TEST(Server, AnAddressInUseIsNamed) {
    TestServer first;
    ServerConfig config;
    config.listen = "127.0.0.1:" + std::to_string(first.port());
    Server second(config, {});
    try {
        second.start();
        ADD_FAILURE() << "two servers on one port";
    } catch (const Error& error) {
        EXPECT_EQ(error.system(), System::config);
        EXPECT_EQ(error.kind(), ErrorKind::usage);
        EXPECT_EQ(std::string(error.what()),
                  "cannot listen on '" + config.listen +
                      "': Address already in use; stop what listens there, or choose another port");
    }
}

TEST(Server, ListensOnIpv6AndNames) {
    ServerConfig config = any_port();
    config.listen = "localhost:0";
    EXPECT_GT(TestServer(config).port(), 0);
    config.listen = "[::1]:0";
    Server server(config, {});
    try {
        server.start();
    } catch (const Error& error) {
        GTEST_SKIP() << "no IPv6 here: " << error.what();
    }
    const auto stream = net::tcp_connect("::1", server.port(), soon(), System::internal);
    EXPECT_TRUE(stream->idle_and_open());
}

}  // namespace
}  // namespace crossover::http::test
