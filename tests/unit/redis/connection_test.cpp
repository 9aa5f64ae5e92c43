#include "redis/connection.h"

#include <gmock/gmock.h>

#include <deque>

#include "base/error.h"
#include "net/byte_stream.h"
#include "redis/pipeline.h"
#include "support/error_of.h"

namespace crossover::redis {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

/// A peer whose answers are written down beforehand, piece by piece; after the last it does what `end` says.
struct Script {
    enum class End { cut, silent };

    std::deque<std::string> pieces = {};
    End end = End::cut;
    int writes_until_cut = -1;
    std::string written = {};
    int writes = 0;
};

class ScriptedStream final : public net::ByteStream {
  public:
    explicit ScriptedStream(Script& script) : script_(script) {}

    std::size_t read_some(std::span<std::byte> buffer, Deadline) override {
        if (script_.pieces.empty()) {
            const bool cut = script_.end == Script::End::cut;
            throw Error(System::redis, cut ? ErrorKind::unreachable : ErrorKind::timeout,
                        "end of the script");
        }
        auto& piece = script_.pieces.front();
        const auto size = std::min(piece.size(), buffer.size());
        std::copy_n(reinterpret_cast<const std::byte*>(piece.data()), size, buffer.begin());
        piece.erase(0, size);
        if (piece.empty()) script_.pieces.pop_front();
        return size;
    }
    void write(std::span<const std::byte> bytes, Deadline) override {
        if (script_.writes_until_cut == script_.writes)
            throw Error(System::redis, ErrorKind::unreachable, "cut in writing");
        ++script_.writes;
        script_.written.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    }
    void shutdown() noexcept override {}
    const std::string& peer() const noexcept override { return peer_; }
    bool idle_and_open() noexcept override { return true; }

  private:
    Script& script_;
    std::string peer_ = "scripted:1";
};

Address nobody() {
    Address address;
    address.host = "scripted";
    return address;
}

std::unique_ptr<Connection> connect(Script& script, const Address& address = nobody()) {
    return std::make_unique<Connection>(address, std::make_unique<ScriptedStream>(script), 10s);
}

TEST(RedisConnection, LogsInAsAUserAndSelects) {
    auto address = nobody();
    address.user = "reader";
    address.password = "p w";
    address.database = 3;
    Script script{{"+OK\r\n", "+OK\r\n"}};
    connect(script, address);
    EXPECT_EQ(script.written,
              "*3\r\n$4\r\nAUTH\r\n$6\r\nreader\r\n$3\r\np w\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n");
}

TEST(RedisConnection, APasswordAloneIsForTheDefaultUser) {
    auto address = nobody();
    address.password = "pw";
    Script script{{"+OK\r\n"}};
    connect(script, address);
    EXPECT_EQ(script.written, "*2\r\n$4\r\nAUTH\r\n$2\r\npw\r\n");
}

TEST(RedisConnection, ARefusalIsThrownAndTheConnectionStaysGood) {
    const std::vector<std::pair<std::string, ErrorKind>> refusals = {
        {"NOAUTH Authentication required.", ErrorKind::authentication},
        {"WRONGPASS invalid", ErrorKind::authentication},
        {"NOPERM this user", ErrorKind::authentication},
        {"LOADING Redis is loading", ErrorKind::unavailable},
        {"BUSY Redis is busy", ErrorKind::unavailable},
        {"BUSYKEY Target key name already exists.", ErrorKind::rejected},
        {"READONLY You can't write", ErrorKind::unavailable},
        {"MISCONF Redis is configured", ErrorKind::unavailable},
        {"CLUSTERDOWN The cluster is down", ErrorKind::unavailable},
        {"OOM command not allowed", ErrorKind::overloaded},
        {"MOVED 1 h:1", ErrorKind::rejected},
        {"WRONGTYPE Operation", ErrorKind::rejected},
    };
    Script script;
    for (const auto& [text, kind] : refusals) script.pieces.push_back("-" + text + "\r\n");
    script.pieces.push_back("+PONG\r\n");
    auto connection = connect(script);
    for (const auto& [text, kind] : refusals) {
        const auto error = error_of([&] { connection->call({"PING"}); });
        EXPECT_EQ(error.kind(), kind) << text;
        EXPECT_EQ(error.native_code(), text.substr(0, text.find(' ')));
        EXPECT_THAT(error.what(), HasSubstr("redis://scripted:6379/0 refused: "));
    }
    EXPECT_EQ(connection->call({"PING"}).text, "PONG");
    EXPECT_TRUE(connection->usable());
}

TEST(RedisConnection, IsNotUsedAgainAfterAFault) {
    struct Case {
        Script script;
        ErrorKind kind;
    };
    for (const auto& [given, kind] : {Case{{{}, Script::End::cut}, ErrorKind::unreachable},
                                      Case{{{"$5\r\nhel"}, Script::End::cut}, ErrorKind::unreachable},
                                      Case{{{}, Script::End::silent}, ErrorKind::timeout},
                                      Case{{{"*2\r\n:1\r\n"}, Script::End::silent}, ErrorKind::timeout},
                                      Case{{{"SSH-2.0\r\n"}, Script::End::silent}, ErrorKind::protocol},
                                      Case{{{"+OK\r\n"}, Script::End::cut, 0}, ErrorKind::unreachable}}) {
        Script script = given;
        auto connection = connect(script);
        EXPECT_EQ(error_of([&] { connection->call({"PING"}); }).kind(), kind);
        EXPECT_FALSE(connection->usable());
        script.pieces = {"+LATE\r\n"};
        const auto writes = script.writes;
        const auto error = error_of([&] { connection->call({"PING"}); });
        EXPECT_EQ(error.kind(), ErrorKind::unreachable);
        EXPECT_THAT(error.what(), HasSubstr("not used again"));
        EXPECT_EQ(script.writes, writes) << "a late answer would be taken for that of another command";
    }
}

TEST(RedisConnection, AnAnswerThatNothingAskedForIsAFault) {
    Script script{{"+PONG\r\n+AGAIN\r\n"}};
    auto connection = connect(script);
    EXPECT_EQ(connection->call({"PING"}).text, "PONG");
    EXPECT_EQ(error_of([&] { connection->call({"PING"}); }).kind(), ErrorKind::protocol);
    EXPECT_FALSE(connection->usable());
}

TEST(RedisConnection, AServerThatNeverStopsSendingMeetsTheDeadline) {
    Script script;
    for (int i = 0; i < 1'000'000; ++i) script.pieces.push_back("x");
    script.pieces.front() = "+";
    auto connection = connect(script);
    const auto error = error_of([&] { connection->call({"PING"}, Deadline::after(1ms)); });
    EXPECT_EQ(error.kind(), ErrorKind::timeout);
}

TEST(RedisPipeline, OneWriteAnswersInOrderErrorsAsValues) {
    Script script{{"+OK\r\n-WRONGTYPE no\r\n*1\r\n-ERR in", "side\r\n$-1", "\r\n"}};
    auto connection = connect(script);
    Pipeline pipeline;
    for (const char* word : {"a", "b", "c", "d"}) pipeline.add({"GET", word});
    const auto replies = pipeline.run(*connection, Deadline::after(10s));
    EXPECT_EQ(script.writes, 1);
    EXPECT_EQ(script.written, pipeline.encoded());
    ASSERT_EQ(replies.size(), 4u);
    EXPECT_EQ(replies[0].text, "OK");
    EXPECT_EQ(replies[1].error_code(), "WRONGTYPE");
    EXPECT_TRUE(replies[2].elements.at(0).is_error());
    EXPECT_TRUE(replies[3].is_nil());
    EXPECT_TRUE(connection->usable());
}

TEST(RedisPipeline, AFaultAtAnyByteIsAnErrorAndTheEndOfTheConnection) {
    const std::string answers = "+OK\r\n:12\r\n$3\r\nabc\r\n*2\r\n$1\r\nx\r\n-ERR e\r\n";
    Pipeline pipeline;
    for (int i = 0; i < 4; ++i) pipeline.add({"PING"});
    for (std::size_t cut = 0; cut < answers.size(); ++cut) {
        for (const auto end : {Script::End::cut, Script::End::silent}) {
            Script script{{}, end};
            if (cut > 0) script.pieces = {answers.substr(0, cut)};
            auto connection = connect(script);
            const auto error = error_of([&] { pipeline.run(*connection, Deadline::after(10s)); });
            EXPECT_EQ(error.kind(), end == Script::End::cut ? ErrorKind::unreachable : ErrorKind::timeout);
            EXPECT_FALSE(connection->usable()) << cut;
        }
    }
}

}  // namespace
}  // namespace crossover::redis
