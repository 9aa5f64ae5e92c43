#include "learning/store/redis_store.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <thread>

#include "support/error_of.h"
#include "unit/net/listener.h"

namespace crossover::learning {
namespace {

/// The caller's deadline is one for connecting, too: where it is over, no script is sent, though the server
/// answers the log-in.
TEST(RedisStore, ConnectsWithinTheCallersDeadline) {
    const net::test::Listener listener;
    std::string heard;
    std::thread server([&] {
        const auto client = listener.accept();
        std::array<char, 4096> buffer{};
        for (ssize_t size = 0; (size = ::recv(client.get(), buffer.data(), buffer.size(), 0)) > 0;) {
            heard.append(buffer.data(), static_cast<std::size_t>(size));
            if (::send(client.get(), "+OK\r\n", 5, MSG_NOSIGNAL) < 0) break;
        }
    });
    {
        redis::Address address;
        address.host = "127.0.0.1";
        address.port = listener.port();
        address.password = "secret";
        RedisStore store(address);
        EXPECT_EQ(error_of([&] { store.control(Deadline::at({})); }).kind(), ErrorKind::timeout);
    }
    server.join();
    EXPECT_EQ(heard.find("EVAL"), std::string::npos) << heard;
}

}  // namespace
}  // namespace crossover::learning
