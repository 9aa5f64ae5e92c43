#include "migration/copy/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <span>

#include "net/tcp.h"

namespace crossover::migration {
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

std::string served_by(const MigrationMetrics& metrics) {
    const auto url = metrics.url();
    const auto port = static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
    const auto deadline = Deadline::after(std::chrono::seconds(10));
    const auto stream = net::tcp_connect("127.0.0.1", port, deadline, System::internal);
    const std::string_view request = "GET /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
    stream->write(std::as_bytes(std::span(request)), deadline);
    std::string text;
    std::array<std::byte, 4096> part{};
    try {
        for (;;) {
            const std::size_t size = stream->read_some(part, deadline);
            text.append(reinterpret_cast<const char*>(part.data()), size);
        }
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::unreachable);  // the end: the server has closed
    }
    return text;
}

TEST(Metrics, SaysOnWhichPortItListens) {
    const MigrationMetrics metrics("127.0.0.1:0");
    EXPECT_THAT(metrics.url(), testing::MatchesRegex("http://127.0.0.1:[1-9][0-9]*/metrics"));
}

TEST(Metrics, BadAddressesAndPortsInUseAreErrors) {
    EXPECT_THAT(refusal("nonsense"), testing::HasSubstr("Give it as host:port"));
    EXPECT_THAT(refusal("127.0.0.1:70000"), testing::HasSubstr("Give it as host:port"));
    const MigrationMetrics first("127.0.0.1:0");
    const auto address = first.url().substr(7, first.url().rfind('/') - 7);
    EXPECT_THAT(refusal(address), testing::HasSubstr("ddress already in use"));
}

TEST(Metrics, CountsAnErrorUnderTheSystemThatItIsOf) {
    RiddenOut errors;
    errors.count(Error(System::neo4j, ErrorKind::timeout, ""));
    errors.count(Error(System::neo4j, ErrorKind::unreachable, ""));
    errors.count(Error(System::milvus, ErrorKind::timeout, ""));
    EXPECT_EQ(errors, (RiddenOut{2, 1}));
    EXPECT_EQ(errors.total(), 3);
    MigrationMetrics metrics("127.0.0.1:0");
    Progress progress;
    progress.errors = errors;
    metrics.update(progress);
    const auto text = served_by(metrics);
    EXPECT_THAT(text, testing::HasSubstr(R"(crossover_errors_total{kind="retried",system="neo4j"} 2)"));
    EXPECT_THAT(text, testing::HasSubstr(R"(crossover_errors_total{kind="retried",system="milvus"} 1)"));
}

}  // namespace
}  // namespace crossover::migration
