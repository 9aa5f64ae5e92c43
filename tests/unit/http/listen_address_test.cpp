#include "http/listen_address.h"

#include <gmock/gmock.h>

#include "base/error.h"

namespace crossover::http::test {
namespace {

using ::testing::HasSubstr;

TEST(ListenAddress, HasHostAndPort) {
    EXPECT_EQ(parse_listen_address("127.0.0.1:8080").host, "127.0.0.1");
    EXPECT_EQ(parse_listen_address("127.0.0.1:8080").port, 8080);
    EXPECT_EQ(parse_listen_address("localhost:0").host, "localhost");
    EXPECT_EQ(parse_listen_address("localhost:0").port, 0);
    EXPECT_EQ(parse_listen_address("[::1]:65535").host, "::1");
    EXPECT_EQ(parse_listen_address("[::1]:65535").port, 65535);
}

TEST(ListenAddress, OthersAreRefusedByName) {
    for (const auto* text : {"", "8080", "localhost", ":8080", "[]:1", "a:", "a:65536", "a:-1", "a:80x",
                             "a: 80", "::1", "::1:80", "[::1]", "[::1", "::1]:80", "a:b:80"}) {
        try {
            parse_listen_address(text);
            ADD_FAILURE() << text;
        } catch (const Error& error) {
            EXPECT_EQ(error.system(), System::config);
            EXPECT_EQ(error.kind(), ErrorKind::usage);
            EXPECT_THAT(error.what(), HasSubstr("'" + std::string(text) + "'"));
            EXPECT_THAT(error.what(), HasSubstr("host:port"));
        }
    }
}

}  // namespace
}  // namespace crossover::http::test
