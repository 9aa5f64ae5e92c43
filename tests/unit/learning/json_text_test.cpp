#include "learning/store/json_text.h"

#include <gtest/gtest.h>

namespace crossover::learning {
namespace {

TEST(JsonText, TakesWhatIsJson) {
    for (const char* text :
         {"0", "-0", "1.5e-3", "\"\"", "\"\\u00e9\\n\\ud83d\\ude00\"", "[]", "{}", " [1, {\"a\": null}] ",
          "true", "\"\xC3\xA9\xF0\x9F\x98\x80\"", "1e1000", "\"\\\\u0000\""}) {
        EXPECT_EQ(json_fault(text), std::nullopt) << text;
    }
}

TEST(JsonText, RefusesWhatIsNot) {
    for (const char* text :
         {"",       " ",       "01",       "1.",         ".5",    "+1",        "1e", "tru",     "nul",
          "[1,]",   "{\"a\"}", "{a:1}",    "{\"a\":1,}", "[1 2]", "1 2",       "\"", "\"\\x\"", "\"\\u12\"",
          "\"\t\"", "'a'",     "{\"a\":1", "[",          "NaN",   "-Infinity", "--1"}) {
        EXPECT_NE(json_fault(text), std::nullopt) << text;
    }
}

TEST(JsonText, SaysWhatPostgresCannotKeep) {
    EXPECT_EQ(json_fault("\"a\\u0000\""), "\\u0000 in a text, which PostgreSQL cannot keep");
    EXPECT_EQ(json_fault("\"\\ud800x\""), "a lone surrogate \\ud800 in a text");
    EXPECT_EQ(json_fault("\"\\ud800\\u0041\""), "a lone surrogate \\ud800 in a text");
    EXPECT_EQ(json_fault("\"\\udc00\""), "a lone surrogate \\udc00 in a text");
    EXPECT_EQ(json_fault("[NaN]"), "bad JSON: NaN, which is not finite");
    EXPECT_EQ(json_fault("1e1001"), "a number with more digits than PostgreSQL can keep");
    EXPECT_EQ(json_fault("1e-99999999999999999999"), "a number with more digits than PostgreSQL can keep");
    EXPECT_EQ(json_fault("0." + std::string(16'384, '1')),
              "a number with more digits than PostgreSQL can keep");
    EXPECT_EQ(json_fault(std::string(1001, '[') + std::string(1001, ']')),
              "nested more than 1,000 levels deep");
    EXPECT_EQ(json_fault(std::string(1000, '[') + std::string(1000, ']')), std::nullopt);
}

TEST(JsonText, RefusesInvalidUtf8) {
    for (const char* bytes : {"\x80", "\xC0\xAF", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80",
                              "\xF4\x90\x80\x80", "\xFF", "\xC3"}) {
        EXPECT_EQ(json_fault("\"" + std::string(bytes) + "\""), "invalid UTF-8 at byte 1");
        EXPECT_FALSE(is_text(bytes));
    }
    EXPECT_FALSE(is_text(std::string_view("a\0", 2)));
}

TEST(JsonText, TakesAnObjectApart) {
    std::vector<JsonField> fields;
    ASSERT_EQ(json_object(R"( {"a" : [1, 2] ,"b\u0041":"x","a":null} )", fields), std::nullopt);
    ASSERT_EQ(fields.size(), 3U);
    EXPECT_EQ(fields[0].name, "a");
    EXPECT_EQ(fields[0].value, "[1, 2]");
    EXPECT_EQ(fields[0].type, JsonType::array);
    EXPECT_EQ(fields[1].name, "bA");
    EXPECT_EQ(fields[1].value, "\"x\"");
    EXPECT_EQ(fields[2].type, JsonType::null);
    EXPECT_EQ(json_object("[]", fields), "an object is expected, such as {\"agent_id\": …}");
    EXPECT_EQ(json_object("{\"reward\":NaN}", fields), "reward: bad JSON: NaN, which is not finite");
}

TEST(JsonText, ComparesByContent) {
    EXPECT_EQ(canonical_json(R"( {"b": [1.0, -0, 100], "a": "\u0041\/", "b": [10e-1,0.0,1E2]} )"),
              R"({"a":"A/","b":[1,0,1e2]})");
    EXPECT_NE(canonical_json("9007199254740993"), canonical_json("9007199254740992"));
    EXPECT_NE(canonical_json("\"1\""), canonical_json("1"));
    EXPECT_EQ(canonical_number("-0012.50e1"), "0");  // no number
    EXPECT_EQ(canonical_number("-12.50e1"), "-125");
    EXPECT_EQ(unquoted("\"\\ud83d\\ude00\\t\""), "\xF0\x9F\x98\x80\t");
    std::string out;
    append_quoted(out, "a\"\\\n\x7F");
    EXPECT_EQ(out, "\"a\\\"\\\\\\u000a\x7F\"");
}

TEST(JsonText, KnowsWhatADoubleLoses) {
    EXPECT_TRUE(nearest_double("0.1")->exact);
    EXPECT_TRUE(nearest_double("1.50")->exact);
    EXPECT_TRUE(nearest_double("1e300")->exact);
    EXPECT_FALSE(nearest_double("9007199254740993")->exact);
    EXPECT_FALSE(nearest_double("0.1000000000000000055")->exact);
    EXPECT_EQ(nearest_double("1e-999")->value, 0);
    EXPECT_FALSE(nearest_double("1e-999")->exact);
    EXPECT_EQ(nearest_double("1e999"), std::nullopt);
    EXPECT_EQ(nearest_double("-1e309"), std::nullopt);
}

TEST(JsonText, ReadsSecondsAsMicroseconds) {
    const auto micros = [](std::string_view text) { return nearest_micros(text)->value; };
    EXPECT_EQ(micros("1700000000.5"), 1'700'000'000'500'000);
    EXPECT_EQ(micros("1.7e9"), 1'700'000'000'000'000);
    EXPECT_EQ(micros("-0.0000015"), -2);
    EXPECT_EQ(micros("0.0000004"), 0);
    EXPECT_EQ(micros("0"), 0);
    EXPECT_TRUE(nearest_micros("1700000000.123456")->exact);
    EXPECT_FALSE(nearest_micros("1700000000.1234567")->exact);
    EXPECT_EQ(micros("1700000000.1234567"), 1'700'000'000'123'457);
    EXPECT_EQ(nearest_micros("1e13"), std::nullopt);
    EXPECT_EQ(seconds_text(1'700'000'000'500'000), "1700000000.5");
    EXPECT_EQ(seconds_text(-2), "-0.000002");
    EXPECT_EQ(seconds_text(3'000'000), "3");
}

}  // namespace
}  // namespace crossover::learning
