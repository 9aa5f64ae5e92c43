#include "http/target.h"

#include <gmock/gmock.h>

namespace crossover::http::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

Target parsed(std::string_view text) {
    Target target;
    const auto wrong = parse_target(text, target);
    EXPECT_EQ(wrong, std::nullopt) << text;
    return target;
}

std::string wrong_with(std::string_view text) {
    Target target;
    return std::string(parse_target(text, target).value_or("nothing"));
}

TEST(Target, SegmentsLieBetweenTheSlashes) {
    EXPECT_THAT(parsed("/").segments, IsEmpty());
    EXPECT_THAT(parsed("/a").segments, ElementsAre("a"));
    EXPECT_THAT(parsed("/v1/media/42").segments, ElementsAre("v1", "media", "42"));
    EXPECT_THAT(parsed("/a/").segments, ElementsAre("a", ""));
    EXPECT_THAT(parsed("//a").segments, ElementsAre("", "a"));
    EXPECT_THAT(parsed("/./..").segments, ElementsAre(".", ".."));
}

TEST(Target, SegmentsHoldAnyText) {
    EXPECT_THAT(parsed("/a%2Fb%2fc/d").segments, ElementsAre("a/b/c", "d"));
    EXPECT_THAT(parsed("/%F0%9F%8E%AC").segments, ElementsAre("🎬"));
    EXPECT_THAT(parsed("/🎬").segments, ElementsAre("🎬"));
    EXPECT_THAT(parsed("/%22'%0A%5C%7f").segments, ElementsAre("\"'\n\\\x7f"));
    EXPECT_THAT(parsed("/a+b%2Bc%25%3Fd").segments, ElementsAre("a+b+c%?d"));
}

TEST(Target, QueriesComeInOrder) {
    EXPECT_THAT(parsed("/?").query, IsEmpty());
    EXPECT_THAT(parsed("/?k=5").query, ElementsAre(Pair("k", "5")));
    EXPECT_THAT(parsed("/a?b=2&a=1&&b=3&flag&e=").query,
                ElementsAre(Pair("b", "2"), Pair("a", "1"), Pair("b", "3"), Pair("flag", ""), Pair("e", "")));
    EXPECT_THAT(parsed("/?a+b%2B=c%26d=e/f?g").query, ElementsAre(Pair("a b+", "c&d=e/f?g")));
    EXPECT_THAT(parsed("/?=x").query, ElementsAre(Pair("", "x")));
}

TEST(Target, MayNameTheHost) {
    EXPECT_THAT(parsed("http://host:80/a?b").segments, ElementsAre("a"));
    EXPECT_THAT(parsed("https://host").segments, IsEmpty());
    EXPECT_EQ(wrong_with("ftp://host/"), "The request target is not a path.");
    EXPECT_EQ(wrong_with("*"), "The request target is not a path.");
    EXPECT_EQ(wrong_with("host:80"), "The request target is not a path.");
    EXPECT_EQ(wrong_with(""), "The request target is not a path.");
}

TEST(Target, BadEscapesAreRefused) {
    for (const auto* text : {"/%", "/%4", "/%4/", "/%g0", "/%0g", "/%%41", "/?a=%", "/?%zz=1"}) {
        EXPECT_EQ(wrong_with(text), "In the request target, '%' is not followed by two hex digits.") << text;
    }
}

TEST(Target, NulIsRefused) {
    EXPECT_EQ(wrong_with("/a%00"), "The request target holds a NUL byte.");
    EXPECT_EQ(wrong_with("/?a%00=1"), "The request target holds a NUL byte.");
    EXPECT_EQ(wrong_with("/?a=%00"), "The request target holds a NUL byte.");
}

TEST(Target, OnlyUtf8IsTaken) {
    for (const auto* text :
         {"/%80", "/%C3", "/%C3/%A9", "/%C0%80", "/%C1%BF", "/%E0%9F%BF", "/%ED%A0%80", "/%F0%8F%BF%BF",
          "/%F4%90%80%80", "/%F5%80%80%80", "/%FF", "/%E2%82", "/%E2%28%A1", "/?a=%FF", "/?%FF=a", "/\xff"}) {
        EXPECT_EQ(wrong_with(text), "The request target is not UTF-8.") << text;
    }
    EXPECT_THAT(parsed("/%C2%80%DF%BF%E0%A0%80%ED%9F%BF%EE%80%80%EF%BF%BF%F0%90%80%80%F4%8F%BF%BF").segments,
                ElementsAre("\u0080\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff"));
}

}  // namespace
}  // namespace crossover::http::test
