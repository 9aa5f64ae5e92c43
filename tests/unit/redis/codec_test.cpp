#include "redis/codec.h"

#include <gmock/gmock.h>
#include <hiredis/hiredis.h>

#include <random>

#include "redis/pipeline.h"

namespace crossover::redis {
namespace {

using Outcome = ReplyDecoder::Outcome;

constexpr std::string_view kAllKinds =
    "*7\r\n$3\r\na\r\n\r\n$-1\r\n:-42\r\n-ERR inside\r\n*2\r\n+OK\r\n*0\r\n*-1\r\n$0\r\n\r\n";

void feed(ReplyDecoder& decoder, std::string_view bytes) {
    decoder.feed(std::as_bytes(std::span(bytes)));
}

void expect_all_kinds(const Reply& reply) {
    ASSERT_EQ(reply.kind, Reply::Kind::array);
    ASSERT_EQ(reply.elements.size(), 7u);
    EXPECT_EQ(reply.elements[0].text, "a\r\n");
    EXPECT_TRUE(reply.elements[1].is_nil() && !reply.elements[1].text);
    EXPECT_EQ(reply.elements[2].integer, -42);
    EXPECT_EQ(reply.elements[2].text, "-42");
    EXPECT_TRUE(reply.elements[3].is_error());
    EXPECT_EQ(reply.elements[3].error_code(), "ERR");
    ASSERT_EQ(reply.elements[4].elements.size(), 2u);
    EXPECT_EQ(reply.elements[4].elements[0].text, "OK");
    EXPECT_EQ(reply.elements[4].elements[1].kind, Reply::Kind::array);
    EXPECT_TRUE(reply.elements[5].is_nil());
    EXPECT_EQ(reply.elements[6].text, "");
}

TEST(AppendCommand, WritesWhatHiredisWrites) {
    std::mt19937 random(7);
    for (int n = 1; n <= 50; ++n) {
        std::vector<std::string> words(static_cast<std::size_t>(n));
        for (auto& word : words) {
            word.resize(random() % 300);
            for (auto& c : word) c = static_cast<char>(random());
        }
        std::vector<std::string_view> views(words.begin(), words.end());
        std::vector<const char*> texts;
        std::vector<std::size_t> sizes;
        for (const auto& word : words) {
            texts.push_back(word.data());
            sizes.push_back(word.size());
        }
        char* made = nullptr;
        const int size = redisFormatCommandArgv(&made, n, texts.data(), sizes.data());
        std::string ours;
        append_command(ours, views);
        EXPECT_EQ(ours, std::string(made, static_cast<std::size_t>(size)));
        redisFreeCommand(made);
    }
}

TEST(ReplyDecoder, ReadsEveryKindHoweverItIsCut) {
    for (std::size_t cut = 0; cut <= kAllKinds.size(); ++cut) {
        ReplyDecoder decoder;
        Reply reply;
        feed(decoder, kAllKinds.substr(0, cut));
        const bool whole = cut == kAllKinds.size();
        ASSERT_EQ(decoder.next(reply), whole ? Outcome::reply : Outcome::incomplete) << cut;
        if (!whole) {
            EXPECT_EQ(decoder.drained(), cut == 0);
            feed(decoder, kAllKinds.substr(cut));
            ASSERT_EQ(decoder.next(reply), Outcome::reply) << cut;
        }
        expect_all_kinds(reply);
        EXPECT_TRUE(decoder.drained());
    }
}

TEST(ReplyDecoder, ReadsManyInOrder) {
    ReplyDecoder decoder;
    std::string bytes;
    for (int i = 0; i < 5'000; ++i) bytes += "$4\r\nabcd\r\n:" + std::to_string(i) + "\r\n";
    feed(decoder, bytes);
    Reply reply;
    for (int i = 0; i < 5'000; ++i) {
        ASSERT_EQ(decoder.next(reply), Outcome::reply);
        EXPECT_EQ(reply.text, "abcd");
        ASSERT_EQ(decoder.next(reply), Outcome::reply);
        EXPECT_EQ(reply.integer, i);
    }
    EXPECT_EQ(decoder.next(reply), Outcome::incomplete);
    EXPECT_TRUE(decoder.drained());
}

TEST(ReplyDecoder, GarbageBreaksItForGood) {
    for (const char* bytes : {"hello\r\n", "HTTP/1.1 400\r\n", "$x\r\n", "$-2\r\n", "*-2\r\n", ":1x\r\n",
                              "*1\r\n!3\r\n", "*99999999999\r\n", "$99999999999999999999\r\n"}) {
        ReplyDecoder decoder;
        Reply reply;
        feed(decoder, bytes);
        EXPECT_EQ(decoder.next(reply), Outcome::broken) << bytes;
        EXPECT_NE(decoder.fault(), "") << bytes;
        feed(decoder, "+OK\r\n");
        EXPECT_EQ(decoder.next(reply), Outcome::broken) << bytes;
    }
}

TEST(ReplyDecoder, ASizeThatIsOnlyClaimedCostsNothing) {
    ReplyDecoder decoder;
    Reply reply;
    feed(decoder, "*2147483647\r\n:1\r\n");
    EXPECT_EQ(decoder.next(reply), Outcome::incomplete);
}

TEST(ReplyDecoder, RandomBytesNeverHarm) {
    const auto seed = std::random_device{}();
    std::mt19937 random(seed);
    SCOPED_TRACE(seed);
    const std::string alphabet("*$:+-0123456789\r\n\r\n\r\nax\0", 24);
    for (int run = 0; run < 20'000; ++run) {
        ReplyDecoder decoder;
        std::string bytes(random() % 40, ' ');
        for (auto& c : bytes) c = alphabet[random() % alphabet.size()];
        feed(decoder, bytes);
        Reply reply;
        for (int n = 0; n < 50 && decoder.next(reply) == Outcome::reply; ++n) {
        }
    }
}

TEST(Pipeline, KnowsItsCommandsAndTheirKeys) {
    Pipeline pipeline;
    pipeline.add({"GET", "one"});
    pipeline.add({"EVALSHA", "digest", "1", std::string_view("k\r\n$", 4), "12345678901234567890"}, 3);
    pipeline.add({"PING"});
    ASSERT_EQ(pipeline.size(), 3u);
    EXPECT_EQ(pipeline.key(0), "one");
    EXPECT_EQ(pipeline.key(1), "k\r\n$");
    EXPECT_EQ(pipeline.key(2), "");
    EXPECT_EQ(pipeline.encoded(0), "*2\r\n$3\r\nGET\r\n$3\r\none\r\n");
    EXPECT_EQ(pipeline.encoded(2), "*1\r\n$4\r\nPING\r\n");
    EXPECT_EQ(std::string(pipeline.encoded(0)) + std::string(pipeline.encoded(1)) +
                  std::string(pipeline.encoded(2)),
              pipeline.encoded());
    pipeline.clear();
    EXPECT_TRUE(pipeline.empty());
    EXPECT_EQ(pipeline.encoded(), "");
}

TEST(Pipeline, IsBounded) {
    Pipeline pipeline;
    const std::string large(Pipeline::kMostBytes + 1, 'x');
    pipeline.add({"SET", "k", large});
    EXPECT_TRUE(pipeline.full());
    try {
        pipeline.add({"PING"});
        FAIL() << "taken";
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::too_large);
    }
    pipeline.clear();
    for (std::size_t i = 0; i < Pipeline::kMostCommands; ++i) {
        ASSERT_FALSE(pipeline.full());
        pipeline.add({"PING"});
    }
    EXPECT_TRUE(pipeline.full());
}

}  // namespace
}  // namespace crossover::redis
