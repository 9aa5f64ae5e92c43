#include <gtest/gtest.h>

#include "unit/packstream/bytes.h"

namespace crossover::bolt::test {
namespace {

TEST(Decoding, LargerFormsThanNeededAreUnderstood) {
    for (const char* form : {"05", "C8 05", "C9 00 05", "CA 00 00 00 05", "CB 00 00 00 00 00 00 00 05"}) {
        const Bytes bytes = hex(form);
        Decoder decoder(bytes);
        std::int64_t value = 0;
        EXPECT_TRUE(decoder.read_int(value)) << form;
        EXPECT_EQ(value, 5) << form;
    }
    for (const char* form : {"81 61", "D0 01 61", "D1 00 01 61", "D2 00 00 00 01 61"}) {
        const Bytes bytes = hex(form);
        Decoder decoder(bytes);
        std::string_view value;
        EXPECT_TRUE(decoder.read_string(value)) << form;
        EXPECT_EQ(value, "a") << form;
    }
}

TEST(Decoding, PeekNamesEachType) {
    const std::pair<const char*, Type> cases[] = {
        {"C0", Type::null},    {"C2", Type::boolean}, {"C3", Type::boolean},  {"F0", Type::integer},
        {"7F", Type::integer}, {"CB", Type::integer}, {"C1", Type::floating}, {"CC", Type::bytes},
        {"8F", Type::string},  {"D2", Type::string},  {"9F", Type::list},     {"D6", Type::list},
        {"AF", Type::map},     {"DA", Type::map},     {"BF", Type::structure}};
    for (const auto& [bytes, type] : cases) EXPECT_EQ(Decoder(hex(bytes)).peek(), type) << bytes;
    EXPECT_EQ(Decoder({}).peek(), Type::end);
}

TEST(Decoding, ReservedMarkersAreRefused) {
    for (const char* marker :
         {"C4", "C5", "C6", "C7", "CF", "D3", "D7", "DB", "DC", "DD", "DE", "DF", "E0", "E7", "EF"}) {
        EXPECT_EQ(decode_error(hex(marker) + repeat(16, "00")), DecodeError::reserved_marker) << marker;
        const Bytes bytes = hex(marker);
        Decoder decoder(bytes);
        EXPECT_FALSE(decoder.skip());
        EXPECT_EQ(decoder.error(), DecodeError::reserved_marker);
    }
}

TEST(Decoding, TheFirstErrorSticksAndTheCursorStays) {
    const Bytes bytes = hex("01 81 61");
    Decoder decoder(bytes);
    std::string_view text = "untouched";
    std::int64_t number = 0;
    EXPECT_FALSE(decoder.read_string(text));
    EXPECT_EQ(text, "untouched");
    EXPECT_EQ(decoder.error(), DecodeError::unexpected_type);
    EXPECT_EQ(decoder.position(), 0U);
    EXPECT_EQ(decoder.peek(), Type::end);
    EXPECT_FALSE(decoder.read_int(number));
    EXPECT_FALSE(decoder.skip());
    EXPECT_FALSE(decoder.advance(1));
    EXPECT_EQ(decoder.error(), DecodeError::unexpected_type);
}

TEST(Decoding, ReadsFieldAfterField) {
    // RECORD [[1, "a", null, true, 1.5, {k: []}, #01]]
    const Bytes bytes = hex("B1 71 97 01 81 61 C0 C3 C1 3FF8000000000000 A1 81 6B 90 CC 01 01");
    Decoder decoder(bytes);
    StructHeader header;
    std::size_t size = 0;
    std::int64_t number = 0;
    std::string_view text;
    bool flag = false;
    double real = 0;
    std::span<const std::byte> blob;
    ASSERT_TRUE(decoder.read_struct_header(header));
    EXPECT_EQ(header.fields, 1U);
    EXPECT_EQ(header.tag, 0x71);
    ASSERT_TRUE(decoder.read_list_header(size));
    EXPECT_EQ(size, 7U);
    ASSERT_TRUE(decoder.read_int(number) && decoder.read_string(text) && decoder.read_null());
    ASSERT_TRUE(decoder.read_bool(flag) && decoder.read_float(real));
    EXPECT_EQ(number, 1);
    EXPECT_EQ(text, "a");
    EXPECT_TRUE(flag);
    EXPECT_EQ(real, 1.5);
    ASSERT_TRUE(decoder.read_map_header(size));
    EXPECT_EQ(size, 1U);
    ASSERT_TRUE(decoder.read_string(text) && decoder.read_list_header(size) && decoder.read_bytes(blob));
    EXPECT_EQ(text, "k");
    EXPECT_EQ(size, 0U);
    EXPECT_EQ(to_hex(blob), "01");
    EXPECT_TRUE(decoder.at_end());
}

TEST(Decoding, SizesBeyondTheBytesAreRefusedBeforeAllocating) {
    for (const char* hostile : {
             "D6 FFFFFFFF C0C0C0C0C0",     // list
             "DA FFFFFFFF C0C0C0C0C0",     // map
             "D2 FFFFFFFF 6161616161",     // string
             "CE FFFFFFFF 6161616161",     // bytes
             "D6 00000006 C0C0C0C0C0",     // list, one short
             "A3 80C0 80C0 80",            // map, half an entry short
             "B2 7A 01",                   // structure, one field short
             "B2 56 CC01C6 CEFFFFFFFF00",  // Vector
             "B3 4E 01 D6FFFFFFFF A0",     // labels of a node
         }) {
        const Bytes bytes = hex(hostile);
        EXPECT_EQ(decode_error(bytes), DecodeError::truncated) << hostile;
        Decoder decoder(bytes);
        EXPECT_FALSE(decoder.skip()) << hostile;
        EXPECT_EQ(decoder.error(), DecodeError::truncated) << hostile;
        EXPECT_EQ(decoder.position(), 0U);
    }
}

TEST(Decoding, HeadersAreRefusedThatPromiseMoreThanIsThere) {
    std::size_t size = 0;
    StructHeader header;
    const Bytes list = hex("93 C0C0"), map = hex("A3 80C0 80C0 80"), structure = hex("B2 7A 01");
    EXPECT_FALSE(Decoder(list).read_list_header(size));
    EXPECT_FALSE(Decoder(map).read_map_header(size));
    EXPECT_FALSE(Decoder(structure).read_struct_header(header));
    EXPECT_EQ(size, 0U);
}

TEST(Decoding, ManyPromisesInsideOfEachOtherEndAtOnce) {
    // Each list promises all that is left: 65,535 lists of 65,535 and so on.
    Bytes bytes;
    for (int i = 0; i < 60; ++i) bytes = bytes + hex("D5 FFFF");
    bytes = bytes + repeat(70'000, "C0");
    EXPECT_EQ(decode_error(bytes), DecodeError::truncated);
    Decoder decoder(bytes);
    EXPECT_FALSE(decoder.skip());
}

TEST(Decoding, DepthIsLimitedForValuesAndFreeForSkipping) {
    for (const char* opening : {"91", "A1 80", "B1 7A"}) {
        const Bytes deepest = repeat(kMaxDepth, opening) + hex("C0");
        EXPECT_EQ(decode_error(deepest), DecodeError::none) << opening;
        const Bytes beyond = repeat(kMaxDepth + 1, opening) + hex("C0");
        EXPECT_EQ(decode_error(beyond), DecodeError::too_deep) << opening;
        const Bytes bomb = repeat(1'000'000, opening) + hex("C0");
        EXPECT_EQ(decode_error(bomb), DecodeError::too_deep) << opening;
        Decoder decoder(bomb);
        EXPECT_TRUE(decoder.skip()) << opening;
        EXPECT_TRUE(decoder.at_end()) << opening;
    }
}

TEST(Decoding, AMapsKeysAreStrings) {
    EXPECT_EQ(decode_error(hex("A1 01 01")), DecodeError::unexpected_type);
}

TEST(Decoding, OfAKeyTwiceTheLaterIsFound) {
    const Bytes bytes = hex("A2 81 61 01 81 61 02");
    Decoder decoder(bytes);
    Map map;
    ASSERT_TRUE(decoder.read_map(map));
    EXPECT_EQ(map.size(), 2U);
    EXPECT_EQ(*map.get_if<std::int64_t>("a"), 2);
}

TEST(Decoding, AFailedMapLeavesTheCallersAlone) {
    Map map{{"kept", 1}};
    const Bytes bytes = hex("A2 81 61 01 81");
    Decoder decoder(bytes);
    EXPECT_FALSE(decoder.read_map(map));
    EXPECT_EQ(map, (Map{{"kept", 1}}));
}

TEST(Decoding, StringsMayHoldAnything) {
    const std::string text("a\0\"\\\n\xF0\x9F\x8E\xAC", 9);
    const Bytes bytes = encode(text);
    Decoder decoder(bytes);
    std::string_view decoded;
    ASSERT_TRUE(decoder.read_string(decoded));
    EXPECT_EQ(decoded, text);
}

}  // namespace
}  // namespace crossover::bolt::test
