#include "bolt/handshake.h"

#include <gtest/gtest.h>

#include "unit/packstream/bytes.h"

namespace crossover::bolt::test {
namespace {

using State = Handshake::State;

/// Feeds all at once and byte by byte; both must agree.
Handshake after(const Bytes& bytes, std::size_t expected_used) {
    Handshake whole;
    std::size_t used = 0;
    whole.feed(bytes, used);
    EXPECT_EQ(used, expected_used);
    Handshake single;
    std::size_t total = 0;
    for (const std::byte& byte : bytes) {
        single.feed(std::span(&byte, 1), used);
        total += used;
    }
    EXPECT_EQ(single.state(), whole.state());
    EXPECT_EQ(single.version(), whole.version());
    EXPECT_EQ(total, expected_used);
    return whole;
}

TEST(HandshakeTest, OffersManifestAndLegacyVersions) {
    EXPECT_EQ(to_hex(Handshake::greeting()), "60 60 B0 17 00 00 01 FF 00 00 00 06 00 08 08 05 00 00 00 00");
}

TEST(HandshakeTest, AcceptsALegacyVersion) {
    const auto handshake = after(hex("00 00 04 05 AA"), 4);
    EXPECT_EQ(handshake.state(), State::done);
    EXPECT_EQ(handshake.version(), (Version{5, 4}));
    EXPECT_TRUE(handshake.reply().empty());
}

TEST(HandshakeTest, ChoosesTheHighestOfTheManifest) {
    // 4.4 to 4.2, 5.8 to 5.0, 6.0; capabilities as a varint of two bytes.
    const auto handshake = after(hex("00 00 01 FF 03 00 02 04 04 00 08 08 05 00 00 00 06 89 01"), 19);
    EXPECT_EQ(handshake.state(), State::done);
    EXPECT_EQ(handshake.version(), (Version{6, 0}));
    EXPECT_EQ(to_hex(handshake.reply()), "00 00 00 06 00");
}

TEST(HandshakeTest, ChoosesInsideARangeThatEndsBeyondUs) {
    // 5.11 to 5.6, 6.3 to 6.1: the highest that we know is 5.8.
    const auto handshake = after(hex("00 00 01 FF 02 00 05 0B 05 00 02 03 06 00"), 14);
    EXPECT_EQ(handshake.version(), (Version{5, 8}));
    EXPECT_EQ(to_hex(handshake.reply()), "00 00 08 05 00");
}

TEST(HandshakeTest, TakesTheLargestCapabilities) {
    EXPECT_EQ(after(hex("00 00 01 FF 01 00 00 08 05 FF FF FF FF FF FF FF FF FF 01"), 19).state(),
              State::done);
    EXPECT_EQ(after(hex("00 00 01 FF 01 00 00 08 05 FF FF FF FF FF FF FF FF FF 02"), 19).state(),
              State::malformed);
}

TEST(HandshakeTest, RefusesWhatIsNotCommonOrNotBolt) {
    EXPECT_EQ(after(hex("00 00 00 00"), 4).state(), State::no_common_version);
    EXPECT_EQ(after(hex("00 00 01 FF 01 00 02 04 04 00"), 10).state(), State::no_common_version);
    EXPECT_EQ(after(hex("00 00 01 FF 00 00"), 6).state(), State::no_common_version);
    EXPECT_EQ(after(hex("00 00 03 07"), 4).state(), State::malformed);
    EXPECT_EQ(after(hex("00 00 01 FF FF FF 7F"), 7).state(), State::malformed);
    const auto http = after(hex("48 54 54 50 2F"), 4);
    EXPECT_EQ(http.state(), State::not_bolt);
    EXPECT_EQ(http.peer(), Handshake::Peer::http);
    EXPECT_EQ(after(hex("15 03 03 00"), 4).peer(), Handshake::Peer::tls);
    EXPECT_EQ(after(hex("53 53 48 2D"), 4).peer(), Handshake::Peer::unknown);
}

TEST(HandshakeTest, WaitsForMore) {
    EXPECT_EQ(after(hex("00 00 01 FF 02 00 08 08"), 8).state(), State::need_more);
}

}  // namespace
}  // namespace crossover::bolt::test
