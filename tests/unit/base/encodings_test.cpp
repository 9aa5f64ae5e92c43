#include "base/encodings.h"

#include <gtest/gtest.h>

namespace crossover {
namespace {

using namespace std::string_view_literals;

TEST(Encodings, Base64IsThatOfRfc4648) {
    EXPECT_EQ(base64(""), "");
    EXPECT_EQ(base64("f"), "Zg==");
    EXPECT_EQ(base64("fo"), "Zm8=");
    EXPECT_EQ(base64("foo"), "Zm9v");
    EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
    EXPECT_EQ(base64("\0\xFF\xFE"sv), "AP/+");
}

TEST(Encodings, HexGoesThereAndBack) {
    EXPECT_EQ(hex("\0\x7F\xAB"sv), "007fab");
    EXPECT_EQ(from_hex("007fab"), "\0\x7F\xAB"sv);
    EXPECT_EQ(from_hex(""), "");
}

TEST(Encodings, Utf8IsJudgedStrictly) {
    for (const auto text : {""sv, "plain"sv, "\0"sv, "\xC3\xA4"sv, "\xED\x9F\xBF"sv, "\xF4\x8F\xBF\xBF"sv}) {
        EXPECT_TRUE(is_utf8(text)) << hex(text);
    }
    for (const auto text : {"\x80"sv, "\xC3"sv, "\xC0\x80"sv, "\xE0\x80\x80"sv, "\xED\xA0\x80"sv,
                            "\xF4\x90\x80\x80"sv, "\xF5\x80\x80\x80"sv}) {
        EXPECT_FALSE(is_utf8(text)) << hex(text);
    }
}

}  // namespace
}  // namespace crossover
