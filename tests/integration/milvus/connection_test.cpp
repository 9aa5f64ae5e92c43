#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>

#include "base/retry.h"
#include "fixture.h"
#include "milvus/endpoint.h"
#include "support/tcp_proxy.h"

namespace crossover::milvus::test {
namespace {

/// Listens on loopback and answers every connection with the same bytes, as another kind of server would.
class OtherServer {
  public:
    explicit OtherServer(std::string answer) : answer_(std::move(answer)) {
        socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t length = sizeof address;
        if (::bind(socket_, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
            ::listen(socket_, 8) != 0 ||
            ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
            throw std::runtime_error("cannot listen");
        }
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this] { serve(); });
    }
    ~OtherServer() {
        ::shutdown(socket_, SHUT_RDWR);
        thread_.join();
        ::close(socket_);
    }
    std::string uri() const { return "http://127.0.0.1:" + std::to_string(port_); }

  private:
    void serve() {
        for (;;) {
            const int peer = ::accept(socket_, nullptr, nullptr);
            if (peer < 0) return;
            char received[4096];
            [[maybe_unused]] const auto got = ::read(peer, received, sizeof received);
            [[maybe_unused]] const auto sent = ::write(peer, answer_.data(), answer_.size());
            ::close(peer);
        }
    }
    std::string answer_;
    int socket_ = -1;
    int port_ = 0;
    std::thread thread_;
};

ErrorKind check(const ClientConfig& wrong, std::string& message) {
    return kind_thrown_by([&] { Client(wrong).check_connection(Deadline::after(std::chrono::seconds(10))); },
                          &message);
}

TEST(MilvusConnection, CheckReturnsTheVersion) {
    Client client(config());
    const auto version = client.check_connection(soon());
    EXPECT_TRUE(version.at_least(2, 3)) << version.text;
    EXPECT_TRUE(client.health(soon()).healthy);
}

TEST(MilvusConnection, WrongPasswordIsNamedAndNotRepeated) {
    auto wrong = config();
    wrong.token = "root:opensesame-7";
    std::string message;
    EXPECT_EQ(check(wrong, message), ErrorKind::authentication) << message;
    EXPECT_EQ(message.find("opensesame"), std::string::npos) << message;
    wrong.token = "nobody:opensesame-7";
    EXPECT_EQ(check(wrong, message), ErrorKind::authentication) << message;
    wrong.token = "";
    EXPECT_EQ(check(wrong, message), ErrorKind::authentication) << message;
    wrong.token = "opensesame-api-key";
    EXPECT_EQ(check(wrong, message), ErrorKind::authentication) << message;
}

TEST(MilvusConnection, UnknownDatabaseIsNotFound) {
    auto wrong = config();
    wrong.database = "no_such_database";
    std::string message;
    EXPECT_EQ(check(wrong, message), ErrorKind::not_found) << message;
    EXPECT_NE(message.find("no_such_database"), std::string::npos) << message;
}

TEST(MilvusConnection, NothingListeningIsUnreachable) {
    auto wrong = config();
    wrong.uri = "http://127.0.0.1:1";
    std::string message;
    EXPECT_EQ(check(wrong, message), ErrorKind::unreachable) << message;
    EXPECT_NE(message.find("127.0.0.1:1"), std::string::npos) << message;
    wrong.uri = "http://no-such-host.invalid:19530";
    EXPECT_EQ(check(wrong, message), ErrorKind::unreachable) << message;
}

TEST(MilvusConnection, AnotherServerIsAProtocolError) {
    auto wrong = config();
    std::string message;
    const OtherServer http("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    wrong.uri = http.uri();
    EXPECT_EQ(check(wrong, message), ErrorKind::protocol) << message;
    const OtherServer redis("-ERR unknown command\r\n");
    wrong.uri = redis.uri();
    EXPECT_EQ(check(wrong, message), ErrorKind::protocol) << message;
}

TEST(MilvusConnection, AServerThatComesBackIsFoundAgain) {
    const Endpoint server = parse_endpoint(config().uri);
    crossover::test::TcpProxy proxy(server.port);
    auto through_proxy = config();
    through_proxy.uri = "http://127.0.0.1:" + std::to_string(proxy.port());
    Client client(through_proxy);
    for (int round = 0; round < 3; ++round) {
        client.version(soon());
        proxy.refuse(true);
        proxy.cut();
        Backoff backoff(std::chrono::milliseconds(100), std::chrono::seconds(2));
        const auto ask = [&] {
            try {
                client.version(soon());
                return true;
            } catch (const Error& error) {
                EXPECT_EQ(error.kind(), ErrorKind::unreachable) << error.what();
                sleep_for(backoff.next(), {});
                return false;
            }
        };
        for (int call = 0; call < 6; ++call) EXPECT_FALSE(ask());
        proxy.refuse(false);
        int calls = 1;
        while (!ask()) ASSERT_LT(++calls, 5) << "round " << round;
    }
}

TEST(MilvusConnection, APassedDeadlineIsATimeout) {
    Client client(config());
    EXPECT_EQ(kind_thrown_by([&] { client.version(Deadline::after(std::chrono::milliseconds(0))); }),
              ErrorKind::timeout);
}

TEST(MilvusConnection, NodeMetricsNameMemoryAndCores) {
    Client client(config());
    const auto nodes = client.node_metrics(soon());
    ASSERT_FALSE(nodes.empty());
    const auto query_node =
        std::find_if(nodes.begin(), nodes.end(), [](const auto& node) { return node.role == "querynode"; });
    ASSERT_NE(query_node, nodes.end());
    EXPECT_GT(query_node->memory_total, 1'000'000'000U);
    EXPECT_GT(query_node->memory_used, 0U);
    EXPECT_LT(query_node->memory_used, query_node->memory_total);
    EXPECT_EQ(query_node->disk_total, 0U);  // 2.3 does not know
    EXPECT_GT(query_node->cores, 0U);
    EXPECT_FALSE(query_node->ip.empty());
    EXPECT_EQ(query_node->deploy_mode, "STANDALONE");
}

}  // namespace
}  // namespace crossover::milvus::test
