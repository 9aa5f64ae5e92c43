#include "http/router.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace crossover::http::test {
namespace {

Router::Handler answering(std::string text) {
    return [text = std::move(text)](const Request&) { return Response{.body = text}; };
}

std::string answer_of(const Router& router, std::string_view method,
                      const std::vector<std::string>& segments) {
    const auto match = router.find(method, segments);
    return match.route == nullptr ? "none" : match.route->handler({}).body;
}

TEST(Router, FindsTheRouteOfMethodAndPath) {
    Router router;
    router.add("GET /", answering("root"));
    router.add("GET /v1/media/{id}", answering("get"));
    router.add("PUT /v1/media/{id}", answering("put"));
    router.add("GET /v1/media/{id}/similar", answering("similar"));
    EXPECT_EQ(answer_of(router, "GET", {}), "root");
    EXPECT_EQ(answer_of(router, "GET", {"v1", "media", "a/b"}), "get");
    EXPECT_EQ(answer_of(router, "PUT", {"v1", "media", "a/b"}), "put");
    EXPECT_EQ(answer_of(router, "HEAD", {"v1", "media", "a/b"}), "get");
    EXPECT_EQ(answer_of(router, "GET", {"v1", "media", "a", "similar"}), "similar");
    EXPECT_EQ(router.find("PUT", {"v1", "media", "x"}).pattern, "/v1/media/{id}");
}

TEST(Router, OtherPathsHaveNoRoute) {
    Router router;
    router.add("GET /v1/media/{id}", answering("get"));
    for (const std::vector<std::string>& segments :
         std::vector<std::vector<std::string>>{{},
                                               {"v1"},
                                               {"v1", "media"},
                                               {"v1", "media", ""},
                                               {"v1", "media", "a", ""},
                                               {"v2", "media", "a"}}) {
        const auto match = router.find("GET", segments);
        EXPECT_EQ(match.route, nullptr);
        EXPECT_EQ(match.pattern, "");
        EXPECT_EQ(match.allow, "");
    }
}

TEST(Router, TellsTheMethodsOfAPath) {
    Router router;
    router.add("GET /v1/media/{id}", answering("get"));
    router.add("DELETE /v1/media/{id}", answering("delete"));
    router.add("POST /v1/search", answering("search"));
    const auto match = router.find("POST", {"v1", "media", "a"});
    EXPECT_EQ(match.route, nullptr);
    EXPECT_EQ(match.pattern, "/v1/media/{id}");
    EXPECT_EQ(match.allow, "GET, HEAD, DELETE");
    EXPECT_EQ(router.find("HEAD", {"v1", "search"}).allow, "POST");
    EXPECT_EQ(router.find("post", {"v1", "search"}).route, nullptr) << "methods have a case";
}

TEST(Router, TheFirstAddedWins) {
    Router router;
    router.add("GET /media/newest", answering("newest"));
    router.add("GET /media/{id}", answering("any"));
    EXPECT_EQ(answer_of(router, "GET", {"media", "newest"}), "newest");
    EXPECT_EQ(answer_of(router, "GET", {"media", "oldest"}), "any");
}

TEST(Router, WhatIsNoRouteIsABug) {
    Router router;
    router.add("GET /a", answering("a"));
    for (const auto* route : {"", "GET", "GET ", " /a", "GET a", "GET /%", "GET /a"}) {
        EXPECT_THROW(router.add(route, answering("b")), Error) << route;
    }
}

TEST(Request, HeadersHaveNoCase) {
    Request request;
    request.headers = {{"Content-Type", "application/json"}, {"X-A", "1"}, {"x-a", "2"}};
    EXPECT_EQ(request.header("content-type"), "application/json");
    EXPECT_EQ(request.header("X-a"), "1");
    EXPECT_EQ(request.header("x"), "");
}

TEST(Request, TellsAbsentFromEmptyInQueries) {
    Request request;
    request.query = {{"k", ""}, {"k", "2"}};
    EXPECT_EQ(request.query_value("k"), "");
    EXPECT_EQ(request.query_value("K"), std::nullopt);
}

}  // namespace
}  // namespace crossover::http::test
