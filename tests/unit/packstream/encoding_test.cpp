#include <gtest/gtest.h>

#include <limits>

#include "unit/packstream/bytes.h"

namespace crossover::bolt::test {
namespace {

template <class Write>
std::string written(Write write) {
    Bytes bytes;
    Encoder encoder(bytes);
    write(encoder);
    EXPECT_TRUE(encoder.ok());
    return to_hex(bytes);
}

TEST(Encoding, NullAndBooleans) {
    EXPECT_EQ(written([](Encoder& e) { e.write_null(); }), "C0");
    EXPECT_EQ(written([](Encoder& e) { e.write_bool(false); }), "C2");
    EXPECT_EQ(written([](Encoder& e) { e.write_bool(true); }), "C3");
}

TEST(Encoding, IntegersTakeTheSmallestForm) {
    const std::pair<std::int64_t, std::string> cases[] = {
        {0, "00"},
        {1, "01"},
        {42, "2A"},
        {127, "7F"},
        {128, "C9 00 80"},
        {-1, "FF"},
        {-16, "F0"},
        {-17, "C8 EF"},
        {-128, "C8 80"},
        {-129, "C9 FF 7F"},
        {32'767, "C9 7F FF"},
        {32'768, "CA 00 00 80 00"},
        {-32'768, "C9 80 00"},
        {-32'769, "CA FF FF 7F FF"},
        {2'147'483'647, "CA 7F FF FF FF"},
        {2'147'483'648, "CB 00 00 00 00 80 00 00 00"},
        {-2'147'483'648LL, "CA 80 00 00 00"},
        {-2'147'483'649LL, "CB FF FF FF FF 7F FF FF FF"},
        {std::numeric_limits<std::int64_t>::max(), "CB 7F FF FF FF FF FF FF FF"},
        {std::numeric_limits<std::int64_t>::min(), "CB 80 00 00 00 00 00 00 00"},
    };
    for (const auto& [number, bytes] : cases) {
        EXPECT_EQ(written([n = number](Encoder& e) { e.write_int(n); }), bytes) << number;
        const Bytes encoded = hex(bytes);
        Decoder decoder(encoded);
        std::int64_t decoded = 0;
        ASSERT_TRUE(decoder.read_int(decoded)) << number;
        EXPECT_EQ(decoded, number);
        EXPECT_TRUE(decoder.at_end());
    }
}

TEST(Encoding, FloatsAreBigEndianDoubles) {
    EXPECT_EQ(written([](Encoder& e) { e.write_float(1.23); }), "C1 3F F3 AE 14 7A E1 47 AE");
    EXPECT_EQ(written([](Encoder& e) { e.write_float(-0.0); }), "C1 80 00 00 00 00 00 00 00");
}

TEST(Encoding, FloatListsAreOrdinaryLists) {
    const float singles[] = {1.0F, -2.5F};
    const double doubles[] = {1.0, -2.5};
    const std::string expected = "92 C1 3F F0 00 00 00 00 00 00 C1 C0 04 00 00 00 00 00 00";
    EXPECT_EQ(written([&](Encoder& e) { e.write_float_list(singles); }), expected);
    EXPECT_EQ(written([&](Encoder& e) { e.write_float_list(doubles); }), expected);
    EXPECT_EQ(to_hex(encode(List{1.0, -2.5})), expected);
    EXPECT_EQ(written([](Encoder& e) { e.write_float_list(std::span<const float>()); }), "90");
}

struct SizedCase {
    std::size_t size;
    std::string string, bytes, list, map;
};

class SizedTypes : public ::testing::TestWithParam<SizedCase> {};

TEST_P(SizedTypes, TakeTheSmallestHeaderAndComeBack) {
    const SizedCase& c = GetParam();

    const std::string text(c.size, 'x');
    const Bytes string = encode(text);
    EXPECT_EQ(to_hex(string), to_hex(hex(c.string) + repeat(c.size, "78")));

    const Bytes blob(c.size, std::byte{0xAB});
    const Bytes bytes = encode(blob);
    EXPECT_EQ(to_hex(bytes), to_hex(hex(c.bytes) + repeat(c.size, "AB")));

    const List elements(c.size, Value(1));
    const Bytes list = encode(elements);
    EXPECT_EQ(to_hex(list), to_hex(hex(c.list) + repeat(c.size, "01")));

    Map entries;
    for (std::size_t i = 0; i < c.size; ++i) entries.append("k", nullptr);
    const Bytes map = encode(entries);
    EXPECT_EQ(to_hex(map), to_hex(hex(c.map) + repeat(c.size, "81 6B C0")));

    for (const Bytes* encoded : {&string, &bytes, &list, &map}) {
        Decoder decoder(*encoded);
        Value value;
        ASSERT_TRUE(decoder.read_value(value));
        EXPECT_TRUE(decoder.at_end());
        EXPECT_EQ(encode(value), *encoded);
        Decoder skipper(*encoded);
        EXPECT_TRUE(skipper.skip());
        EXPECT_TRUE(skipper.at_end());
    }
}

INSTANTIATE_TEST_SUITE_P(Boundaries, SizedTypes,
                         ::testing::Values(SizedCase{0, "80", "CC 00", "90", "A0"},
                                           SizedCase{1, "81", "CC 01", "91", "A1"},
                                           SizedCase{15, "8F", "CC 0F", "9F", "AF"},
                                           SizedCase{16, "D0 10", "CC 10", "D4 10", "D8 10"},
                                           SizedCase{255, "D0 FF", "CC FF", "D4 FF", "D8 FF"},
                                           SizedCase{256, "D1 01 00", "CD 01 00", "D5 01 00", "D9 01 00"},
                                           SizedCase{65'535, "D1 FF FF", "CD FF FF", "D5 FF FF", "D9 FF FF"},
                                           SizedCase{65'536, "D2 00 01 00 00", "CE 00 01 00 00",
                                                     "D6 00 01 00 00", "DA 00 01 00 00"}),
                         [](const auto& info) { return std::to_string(info.param.size); });

TEST(Encoding, StructureHeadersHoldFifteenFieldsAtMost) {
    EXPECT_EQ(written([](Encoder& e) { e.write_struct_header(15, 0x70); }), "BF 70");
    Bytes bytes;
    Encoder encoder(bytes);
    encoder.write_struct_header(16, 0x70);
    EXPECT_EQ(encoder.error(), EncodeError::too_large);
    EXPECT_TRUE(bytes.empty());
}

TEST(Encoding, SizesOver32BitsAreRefused) {
    Bytes bytes;
    Encoder encoder(bytes);
    encoder.write_list_header(0x1'0000'0000);
    EXPECT_EQ(encoder.error(), EncodeError::too_large);
    encoder.write_map_header(1);
    EXPECT_EQ(encoder.error(), EncodeError::too_large) << "the first error stays";
}

TEST(Encoding, NestingIsLimited) {
    Value nested = List{};
    for (int depth = 1; depth < kMaxDepth; ++depth) nested = List{nested};
    Bytes bytes;
    Encoder deepest(bytes);
    deepest.write_value(nested);
    EXPECT_TRUE(deepest.ok());
    EXPECT_EQ(decode_error(bytes), DecodeError::none);

    Bytes beyond;
    Encoder too_deep(beyond);
    too_deep.write_value(Map{{"a", nested}});
    EXPECT_EQ(too_deep.error(), EncodeError::too_deep);
}

TEST(Encoding, AMapKeepsItsOrder) {
    EXPECT_EQ(to_hex(encode(Map{{"b", 1}, {"a", true}})), "A2 81 62 01 81 61 C3");
}

}  // namespace
}  // namespace crossover::bolt::test
