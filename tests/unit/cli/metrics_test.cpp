#include "migrate/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace crossover::migrate {
namespace {

std::string refusal(const std::string& address) {
    try {
        const MigrationMetrics metrics(address);
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::usage);
        return error.what();
    }
    ADD_FAILURE() << address << " was accepted";
    return {};
}

TEST(Metrics, SaysOnWhichPortItListens) {
    const MigrationMetrics metrics("127.0.0.1:0");
    EXPECT_THAT(metrics.url(), testing::MatchesRegex("http://127.0.0.1:[1-9][0-9]*/metrics"));
}

TEST(Metrics, BadAddressesAndPortsInUseAreErrors) {
    EXPECT_THAT(refusal("nonsense"), testing::HasSubstr("must be host:port"));
    EXPECT_THAT(refusal("127.0.0.1:70000"), testing::HasSubstr("must be host:port"));
    const MigrationMetrics first("127.0.0.1:0");
    const auto address = first.url().substr(7, first.url().rfind('/') - 7);
    EXPECT_THAT(refusal(address), testing::HasSubstr("the port is in use"));
}

}  // namespace
}  // namespace crossover::migrate
