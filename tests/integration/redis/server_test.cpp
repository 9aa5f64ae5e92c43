#include <gmock/gmock.h>

#include "integration/redis/servers.h"
#include "support/tls_identity.h"

namespace crossover::redis::test {
namespace {

using crossover::test::TlsIdentity;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST(RedisServer, LetsInWhoKnowsThePassword) {
    const Server server({"requirepass s3cret"});
    auto address = server.address();
    const auto none = error_of([&] { Connection(address, 10s).call({"GET", "k"}); });
    EXPECT_EQ(none.kind(), ErrorKind::authentication);
    EXPECT_EQ(none.native_code(), "NOAUTH");
    address.password = "wr0ng";
    const auto wrong = error_of([&] { Connection(address, 10s); });
    EXPECT_EQ(wrong.kind(), ErrorKind::authentication);
    EXPECT_THAT(wrong.what(), Not(HasSubstr("wr0ng")));
    address.password = "s3cret";
    address.database = 3;
    Connection third(address, 10s);
    third.call({"SET", "k", std::string_view("\0\r\n\xff", 4)});
    EXPECT_EQ(third.call({"GET", "k"}).text, std::string("\0\r\n\xff", 4));
    address.database = 0;
    EXPECT_TRUE(Connection(address, 10s).call({"GET", "k"}).is_nil());
    address.database = 99;
    EXPECT_EQ(error_of([&] { Connection(address, 10s); }).kind(), ErrorKind::rejected);
}

TEST(RedisServer, SpeaksTlsAndIsVerified) {
    const TlsIdentity identity("IP:127.0.0.1"), stranger("IP:127.0.0.1");
    const Server server({"tls-cert-file " + identity.pem.path(), "tls-key-file " + identity.key_pem.path(),
                         "tls-ca-cert-file " + identity.pem.path(), "tls-auth-clients no", "requirepass pw"},
                        true);
    auto address = server.address();
    address.password = "pw";
    address.tls = true;
    address.ca_file = identity.pem.path();
    Connection connection(address, 10s);
    const std::string large(3 << 20, 'x');
    connection.call({"SET", "k", large});
    EXPECT_EQ(connection.call({"GET", "k"}).text, large);
    EXPECT_THAT(connection.name(), HasSubstr("rediss://127.0.0.1:"));
    EXPECT_EQ(Keyspace(address).masters().size(), 1u);

    const auto kind = [](const Address& wrong) { return error_of([&] { Connection(wrong, 10s); }).kind(); };
    auto wrong = address;
    wrong.ca_file = stranger.pem.path();
    EXPECT_EQ(kind(wrong), ErrorKind::authentication) << "another authority";
    wrong = address;
    wrong.ca_file.clear();
    EXPECT_EQ(kind(wrong), ErrorKind::authentication) << "the system's authorities";
    wrong = address;
    wrong.host = "localhost";
    EXPECT_EQ(kind(wrong), ErrorKind::authentication) << "the certificate is for an address";
    wrong = address;
    wrong.ca_file = "/does/not/exist";
    EXPECT_EQ(kind(wrong), ErrorKind::usage);
    wrong = address;
    wrong.tls = false;
    EXPECT_TRUE(error_of([&] { Connection(wrong, 10s); }).retryable()) << "no TLS where it is asked for";
}

TEST(RedisServer, AUserOfFewRightsIsToldWhichIsMissing) {
    const Server server;
    const auto admin = server.connect();
    admin->call({"SET", "rl:agent:1", "{}"});
    admin->call({"ACL", "SETUSER", "reader", "on", ">pw", "~rl:*", "+get", "+scan", "+hgetall", "+pttl"});
    auto address = server.address();
    address.user = "reader";
    address.password = "pw";
    Connection connection(address, 10s);
    EXPECT_EQ(connection.call({"GET", "rl:agent:1"}).text, "{}");
    const auto refused = error_of([&] { connection.call({"SET", "rl:agent:1", "x"}); });
    EXPECT_EQ(refused.kind(), ErrorKind::authentication);
    EXPECT_EQ(refused.native_code(), "NOPERM");
    EXPECT_THAT(refused.what(), AllOf(HasSubstr("'set' command"), HasSubstr("ACL SETUSER")));
    EXPECT_EQ(error_of([&] { connection.call({"GET", "other"}); }).native_code(), "NOPERM");
    // Enough for a copy: neither INFO nor PEXPIRETIME.
    Keyspace keyspace(address);
    EXPECT_FALSE(keyspace.is_cluster());
    const std::vector<std::string> keys{"rl:agent:1"};
    EXPECT_EQ(texts_of(keyspace, keys).at(0), "{}");
    const std::vector<std::string> others{"other"};
    EXPECT_EQ(error_of([&] { texts_of(keyspace, others); }).native_code(), "NOPERM");
    address.password = "wrong";
    EXPECT_EQ(error_of([&] { Connection(address, 10s); }).native_code(), "WRONGPASS");
}

TEST(RedisServer, AnAnswerThatIsLateEndsTheConnection) {
    const Server server;
    const auto connection = server.connect();
    const auto late = error_of([&] { connection->call({"BLPOP", "nothing", "0"}, Deadline::after(50ms)); });
    EXPECT_EQ(late.kind(), ErrorKind::timeout);
    EXPECT_FALSE(connection->usable());
    EXPECT_EQ(error_of([&] { connection->call({"PING"}); }).kind(), ErrorKind::unreachable);
}

TEST(RedisServer, AServerThatEndsIsUnreachable) {
    Server server;
    const auto connection = server.connect();
    server.kill();
    EXPECT_EQ(error_of([&] { connection->call({"PING"}); }).kind(), ErrorKind::unreachable);
    EXPECT_EQ(error_of([&] { server.connect(); }).kind(), ErrorKind::unreachable);
    server.start();
    EXPECT_EQ(server.connect()->call({"PING"}).text, "PONG");
}

}  // namespace
}  // namespace crossover::redis::test
