#include "http/bearer_token.h"

#include <gtest/gtest.h>

namespace crossover::http::test {
namespace {

TEST(BearerToken, TakesItselfOnly) {
    const BearerToken token("s3cret");
    EXPECT_TRUE(token.matches("Bearer s3cret"));
    EXPECT_TRUE(token.matches("bearer   s3cret"));
    for (const auto* other : {"", "Bearer", "Bearer ", "s3cret", "Bearer s3cre", "Bearer s3crett",
                              "Bearer S3CRET", "Basic s3cret", "Bearers3cret", "Bearer s3cret "}) {
        EXPECT_FALSE(token.matches(other)) << other;
    }
}

}  // namespace
}  // namespace crossover::http::test
