#include "bolt/chunking.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "unit/packstream/bytes.h"

namespace crossover::bolt::test {
namespace {

void feed(Dechunker& dechunker, std::span<const std::byte> bytes) {
    const std::span<std::byte> room = dechunker.prepare(bytes.size());
    ASSERT_GE(room.size(), bytes.size());
    std::copy(bytes.begin(), bytes.end(), room.begin());
    dechunker.commit(bytes.size());
}

std::vector<Bytes> drain(Dechunker& dechunker) {
    std::vector<Bytes> messages;
    while (const auto message = dechunker.next_message())
        messages.emplace_back(message->begin(), message->end());
    return messages;
}

Bytes pattern(std::size_t size, unsigned seed = 1) {
    std::minstd_rand random(seed);
    Bytes bytes(size);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
    return bytes;
}

TEST(Chunking, FramesAMessage) {
    Bytes out = hex("AA");
    append_chunked(hex("01 02 03"), out);
    EXPECT_EQ(to_hex(out), "AA 00 03 01 02 03 00 00");
}

TEST(Chunking, SplitsAtTheLargestChunk) {
    for (const std::size_t size : {65'534U, 65'535U, 65'536U, 131'070U, 131'071U}) {
        const Bytes message = pattern(size);
        Bytes out;
        append_chunked(message, out);
        const std::size_t chunks = (size + kMaxChunkBytes - 1) / kMaxChunkBytes;
        EXPECT_EQ(out.size(), size + 2 * chunks + 2) << size;
        Dechunker dechunker;
        feed(dechunker, out);
        EXPECT_EQ(drain(dechunker), std::vector<Bytes>{message}) << size;
        EXPECT_TRUE(dechunker.empty());
    }
    Bytes out;
    append_chunked(pattern(65'536), out);
    EXPECT_EQ(to_hex(std::span(out).first(2)), "FF FF");
    EXPECT_EQ(to_hex(std::span(out).subspan(65'537, 2)), "00 01");
}

TEST(Dechunker, SplitAtEveryByteGivesTheSame) {
    // Keep-alive, one chunk, keep-alive twice, three chunks, one chunk.
    const Bytes wire = hex("0000  0003 010203 0000  0000 0000  0001 04 0002 0506 0001 07 0000  0001 08 0000");
    const std::vector<Bytes> expected{hex("010203"), hex("04050607"), hex("08")};
    for (std::size_t first = 0; first <= wire.size(); ++first) {
        for (std::size_t second = first; second <= wire.size(); ++second) {
            // A buffer of 4 bytes moves and grows all the time.
            for (const std::size_t buffer : {4U, 256U}) {
                Dechunker dechunker(1000, buffer);
                std::vector<Bytes> messages;
                const std::span all(wire);
                for (const auto part :
                     {all.first(first), all.subspan(first, second - first), all.subspan(second)}) {
                    feed(dechunker, part);
                    for (Bytes& message : drain(dechunker)) messages.push_back(std::move(message));
                }
                ASSERT_EQ(messages, expected) << first << ' ' << second << ' ' << buffer;
                EXPECT_EQ(dechunker.keep_alives(), 3U);
                EXPECT_TRUE(dechunker.empty());
                EXPECT_TRUE(dechunker.ok());
            }
        }
    }
}

TEST(Dechunker, TakesBytesOneByOne) {
    Bytes wire;
    const Bytes large = pattern(70'000);
    append_chunked(hex("01"), wire);
    append_chunked(large, wire);
    Dechunker dechunker(100'000, 16);
    std::vector<Bytes> messages;
    for (const std::byte byte : wire) {
        feed(dechunker, {&byte, 1});
        for (Bytes& message : drain(dechunker)) messages.push_back(std::move(message));
    }
    EXPECT_EQ(messages, (std::vector<Bytes>{hex("01"), large}));
}

TEST(Dechunker, AMessageOfOneChunkIsNotCopied) {
    Dechunker dechunker;
    const std::span<std::byte> room = dechunker.prepare(7);
    const Bytes wire = hex("0003 010203 0000");
    std::copy(wire.begin(), wire.end(), room.begin());
    dechunker.commit(wire.size());
    const auto message = dechunker.next_message();
    ASSERT_TRUE(message);
    EXPECT_EQ(message->data(), room.data() + 2);
}

TEST(Dechunker, UsesItsBufferFromTheStartWhenAllIsRead) {
    Dechunker dechunker(1000, 128 * 1024);
    const std::byte* start = dechunker.prepare().data();
    Bytes wire;
    append_chunked(pattern(900), wire);
    for (int i = 0; i < 1000; ++i) {
        feed(dechunker, wire);
        ASSERT_EQ(drain(dechunker).size(), 1U);
        EXPECT_EQ(dechunker.prepare().data(), start);
    }
}

TEST(Dechunker, StreamsOfAllSizesPassThrough) {
    constexpr unsigned kSeed = 20240607;
    SCOPED_TRACE(kSeed);
    std::minstd_rand random(kSeed);
    Bytes wire;
    std::vector<Bytes> expected;
    for (int i = 0; i < 300; ++i) {
        Bytes message = pattern(1 + random() % (i % 50 == 0 ? 200'000 : 7'000), random());
        // Chunks of random sizes, as a server may make them.
        std::span<const std::byte> rest(message);
        while (!rest.empty()) {
            const std::size_t size = std::min<std::size_t>(rest.size(), 1 + random() % kMaxChunkBytes);
            wire.push_back(static_cast<std::byte>(size >> 8));
            wire.push_back(static_cast<std::byte>(size));
            wire.insert(wire.end(), rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(size));
            rest = rest.subspan(size);
        }
        wire.insert(wire.end(), 2, std::byte{0});
        expected.push_back(std::move(message));
    }
    Dechunker dechunker;
    std::vector<Bytes> messages;
    for (std::span<const std::byte> rest(wire); !rest.empty();) {
        const auto room = dechunker.prepare();
        const std::size_t size = std::min({rest.size(), room.size(), std::size_t{1} + random() % 100'000});
        std::copy_n(rest.begin(), size, room.begin());
        dechunker.commit(size);
        rest = rest.subspan(size);
        for (Bytes& message : drain(dechunker)) messages.push_back(std::move(message));
    }
    EXPECT_TRUE(messages == expected);
}

TEST(Dechunker, RefusesAMessageOverItsLimitAsSoonAsItsSizeIsKnown) {
    Dechunker one(10);
    feed(one, hex("000B"));
    EXPECT_FALSE(one.next_message());
    EXPECT_FALSE(one.ok());

    Dechunker joined(10);
    feed(joined, hex("0006 010203040506 0005"));
    EXPECT_FALSE(joined.next_message());
    EXPECT_FALSE(joined.ok());

    Dechunker exact(10);
    feed(exact, hex("0006 010203040506 0004 0708090A 0000"));
    EXPECT_EQ(drain(exact).size(), 1U);
    EXPECT_TRUE(exact.ok());
}

TEST(Dechunker, KeepAlivesAreCountedAndLeaveNothing) {
    Dechunker dechunker;
    feed(dechunker, hex("0000 0000 00"));
    EXPECT_FALSE(dechunker.next_message());
    EXPECT_EQ(dechunker.keep_alives(), 2U);
    EXPECT_FALSE(dechunker.empty());
    feed(dechunker, hex("00"));
    EXPECT_FALSE(dechunker.next_message());
    EXPECT_EQ(dechunker.keep_alives(), 3U);
    EXPECT_TRUE(dechunker.empty());
}

}  // namespace
}  // namespace crossover::bolt::test
