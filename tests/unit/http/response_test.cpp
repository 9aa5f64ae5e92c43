#include "http/response.h"

#include <gtest/gtest.h>

namespace crossover::http::test {
namespace {

TEST(Problem, IsADocument) {
    const Response response = problem(404, "There is no \"a\".");
    EXPECT_EQ(response.status, 404U);
    EXPECT_EQ(response.content_type, "application/problem+json");
    EXPECT_EQ(response.body,
              R"({"type":"about:blank","title":"Not Found","status":404,"detail":"There is no \"a\"."})");
}

TEST(Problem, BytesThatAreNoTextAreReplaced) {
    EXPECT_EQ(problem(400, "\xff").body,
              "{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400,\"detail\":\"\ufffd\"}");
}

}  // namespace
}  // namespace crossover::http::test
