#include <gtest/gtest.h>

#include "unit/packstream/bytes.h"

namespace crossover::bolt::test {
namespace {

struct Case {
    const char* name;
    Value value;
    const char* bytes;
};

std::vector<Case> cases() {
    const Node alice{1, {"Person"}, {{"name", "Al"}}, "4:x:1"};
    const Node bob{2, {}, {}, "4:x:2"};
    const UnboundRelationship knows{7, "KNOWS", {{"since", 1999}}, "5:x:7"};
    using F32 = std::vector<float>;
    return {
        {"Node", alice, "B4 4E 01 91 86506572736F6E A1 846E616D65 82416C 85343A783A31"},
        {"NodeBefore5", Node{1, {"A", "B"}, {}, ""}, "B3 4E 01 92 8141 8142 A0"},
        {"Relationship", Relationship{11, 2, 3, "KNOWS", {{"name", "e"}}, "abc", "de", "gh"},
         "B8 52 0B 02 03 854B4E4F5753 A1 846E616D65 8165 83616263 826465 826768"},
        {"RelationshipBefore5", Relationship{11, 2, 3, "K", {}, "", "", ""}, "B5 52 0B 02 03 814B A0"},
        {"UnboundRelationship", knows, "B4 72 07 854B4E4F5753 A1 8573696E6365 C907CF 85353A783A37"},
        {"UnboundRelationshipBefore5", UnboundRelationship{7, "K", {}, ""}, "B3 72 07 814B A0"},
        {"Path", Path{{alice, bob}, {knows}, {1, 1, -1, 0}},
         "B3 50 92"
         "B4 4E 01 91 86506572736F6E A1 846E616D65 82416C 85343A783A31"
         "B4 4E 02 90 A0 85343A783A32"
         "91 B4 72 07 854B4E4F5753 A1 8573696E6365 C907CF 85353A783A37"
         "94 01 01 FF 00"},
        {"Date", Date{-1}, "B1 44 FF"},
        {"Time", Time{1, 3600}, "B2 54 01 C90E10"},
        {"LocalTime", LocalTime{1'000'000'000}, "B1 74 CA3B9ACA00"},
        {"DateTime", DateTime{4500, 42, 3600}, "B3 49 C91194 2A C90E10"},
        {"DateTimeZoneId", DateTimeZoneId{4500, 42, "Europe/Paris"},
         "B3 69 C91194 2A 8C4575726F70652F5061726973"},
        {"LegacyDateTime", LegacyDateTime{8100, 42, 3600}, "B3 46 C91FA4 2A C90E10"},
        {"LegacyDateTimeZoneId", LegacyDateTimeZoneId{8100, 42, "Europe/Paris"},
         "B3 66 C91FA4 2A 8C4575726F70652F5061726973"},
        {"LocalDateTime", LocalDateTime{1, 2}, "B2 64 01 02"},
        {"Duration", Duration{1, -2, 3, 4}, "B4 45 01 FE 03 04"},
        {"Point2D", Point2D{4326, 1.0, -2.5}, "B3 58 C910E6 C13FF0000000000000 C1C004000000000000"},
        {"Point3D", Point3D{4979, 1.0, -2.5, 0.0},
         "B4 59 C91373 C13FF0000000000000 C1C004000000000000 C10000000000000000"},
        {"VectorOfFloat32", Vector{F32{1.0F, -2.5F}}, "B2 56 CC01C6 CC08 3F800000 C0200000"},
        {"VectorOfFloat64", Vector{std::vector<double>{1.0}}, "B2 56 CC01C1 CC08 3FF0000000000000"},
        {"VectorOfInt8", Vector{std::vector<std::int8_t>{1, -1}}, "B2 56 CC01C8 CC02 01FF"},
        {"VectorOfInt16", Vector{std::vector<std::int16_t>{1, -2}}, "B2 56 CC01C9 CC04 0001FFFE"},
        {"VectorOfInt32", Vector{std::vector<std::int32_t>{-3}}, "B2 56 CC01CA CC04 FFFFFFFD"},
        {"VectorOfInt64", Vector{std::vector<std::int64_t>{-4}}, "B2 56 CC01CB CC08 FFFFFFFFFFFFFFFC"},
        {"EmptyVector", Vector{F32{}}, "B2 56 CC01C6 CC00"},
        {"UnsupportedType", UnsupportedType{"Q", 6, 1, "wait"},
         "B4 3F 8151 06 01 A1 876D657373616765 8477616974"},
        {"UnsupportedTypeWithoutMessage", UnsupportedType{"Q", 6, 1, ""}, "B4 3F 8151 06 01 A0"},
        {"UnknownStructure", Structure{0x7A, {1, "a", List{}}}, "B3 7A 01 8161 90"},
        {"StructureWithoutFields", Structure{0x7A, {}}, "B0 7A"},
        {"Mixed", List{nullptr, true, 1, 1.5, "s", Bytes{std::byte{1}}, Map{{"d", Date{3}}}},
         "97 C0 C3 01 C13FF8000000000000 8173 CC0101 A1 8164 B14403"},
    };
}

class Structures : public ::testing::TestWithParam<Case> {};

TEST_P(Structures, AreWrittenByteByByte) {
    EXPECT_EQ(to_hex(encode(GetParam().value)), to_hex(hex(GetParam().bytes)));
}

TEST_P(Structures, AreReadBack) {
    const Bytes bytes = hex(GetParam().bytes);
    Decoder decoder(bytes);
    Value value;
    ASSERT_TRUE(decoder.read_value(value)) << to_string(decoder.error());
    EXPECT_TRUE(decoder.at_end());
    EXPECT_TRUE(value == GetParam().value);
    EXPECT_EQ(value.type_name(), GetParam().value.type_name());
}

TEST_P(Structures, AreSkipped) {
    const Bytes bytes = hex(GetParam().bytes) + hex("2A");
    Decoder decoder(bytes);
    ASSERT_TRUE(decoder.skip());
    std::int64_t next = 0;
    ASSERT_TRUE(decoder.read_int(next));
    EXPECT_EQ(next, 42);
}

TEST_P(Structures, TruncatedAnywhereAreAnError) {
    const Bytes whole = hex(GetParam().bytes);
    for (std::size_t size = 0; size < whole.size(); ++size) {
        // A copy of its own, so that a sanitizer sees any read beyond it.
        const Bytes bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
        EXPECT_EQ(decode_error(bytes), DecodeError::truncated) << size;
        Decoder decoder(bytes);
        EXPECT_FALSE(decoder.skip()) << size;
        EXPECT_EQ(decoder.error(), DecodeError::truncated) << size;
    }
}

TEST_P(Structures, WithAnyByteChangedNeverCrash) {
    const Bytes whole = hex(GetParam().bytes);
    for (std::size_t i = 0; i < whole.size(); ++i) {
        for (int byte = 0; byte < 256; ++byte) {
            Bytes bytes = whole;
            bytes[i] = static_cast<std::byte>(byte);
            Decoder decoder(bytes);
            Value value;
            // What is accepted can be written and says the same again.
            if (decoder.read_value(value)) {
                const Bytes again = encode(value);
                Decoder second(again);
                Value copy;
                ASSERT_TRUE(second.read_value(copy));
                EXPECT_EQ(encode(copy), again);
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(All, Structures, ::testing::ValuesIn(cases()),
                         [](const auto& info) { return info.param.name; });

TEST(MalformedStructures, AreNamedSo) {
    for (const char* bytes : {
             "B2 4E 01 90",                                 // node without properties
             "B5 4E 01 90 A0 80 80",                        // node with a field too many
             "B3 4E 80 90 A0",                              // id is a string
             "B3 4E 01 91 01 A0",                           // label is a number
             "B6 52 01 02 03 80 A0 80",                     // relationship of six fields
             "B2 44 01 02",                                 // date of two
             "B1 44 C1 0000000000000000",                   // date of a float
             "B3 58 01 01 C1 0000000000000000",             // coordinate is an integer
             "B2 56 CC02C6C6 CC00",                         // two type markers
             "B2 56 CC01C7 CC00",                           // no such type
             "B2 56 CC01C6 CC03 000000",                    // three bytes of a float32
             "B2 56 01 CC00",                               // type is no bytes
             "B3 50 90 90 90",                              // path without a node
             "B3 50 91 B34E0190A0 90 91 01",                // odd number of indices
             "B3 50 91 B34E0190A0 90 92 01 00",             // no such relationship
             "B3 50 91 B34E0190A0 90 92 00 00",             // relationships count from one
             "B3 50 91 B14401 90 90",                       // a date among the nodes
             "B3 50 91 01 90 90",                           // a number among the nodes
             "B3 50 91 B34E0190A0 91 B3720180A0 92 01 FF",  // no such node
             "B3 50 91 B34E0190A0 91 B3720180A0 92 CB8000000000000000 00",
         }) {
        const DecodeError error = decode_error(hex(bytes));
        EXPECT_TRUE(
            error == DecodeError::malformed_structure ||
            // A wrong element type inside a list of strings or numbers.
            (std::string_view(bytes).starts_with("B3 4E 01 91") && error == DecodeError::unexpected_type))
            << bytes << ": " << to_string(error);
    }
}

}  // namespace
}  // namespace crossover::bolt::test
