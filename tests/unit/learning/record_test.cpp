#include "learning/store/record.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "learning/store/json_text.h"

namespace crossover::learning {
namespace {

Source text(std::string key, std::string value) {
    Source source;
    source.kind = *kind_of_key(key);
    source.key = std::move(key);
    source.type = Source::Type::text;
    source.text = std::move(value);
    return source;
}

Row row_of(const Source& source) {
    Row row;
    EXPECT_EQ(parse(source, row), std::nullopt);
    return row;
}

constexpr const char* kExperience =
    R"({"agent_id":"a","state":{"x":1},"action":[1],"reward":0.5,"done":true,"timestamp":12.25,"more":1,"version":9})";

TEST(Record, KnowsKindsByTheirKeys) {
    EXPECT_EQ(kind_of_key("rl:experience:"), Kind::experience);
    EXPECT_EQ(kind_of_key("rl:qvalue:a:b:c"), Kind::q_value);
    EXPECT_EQ(kind_of_key("rl:policy:x"), Kind::policy);
    EXPECT_EQ(kind_of_key("rl:agent:x"), Kind::agent);
    EXPECT_EQ(kind_of_key("rl:control:owed"), std::nullopt);
    EXPECT_EQ(kind_of_key("rl:experience"), std::nullopt);
}

TEST(Record, ReadsAnExperience) {
    auto source = text("rl:experience:1", kExperience);
    source.expires_at_ms = 5;
    const auto row = row_of(source);
    EXPECT_EQ(row.agent_id, "a");
    EXPECT_EQ(row.state, "{\"x\":1}");
    EXPECT_EQ(row.action, "[1]");
    EXPECT_EQ(row.number, 0.5);
    EXPECT_FALSE(row.has_next_state);
    EXPECT_TRUE(row.done);
    EXPECT_EQ(row.occurred_at_us, 12'250'000);
    EXPECT_EQ(row.extra, "{\"more\":1}");
    EXPECT_EQ(row.version, 9);
    EXPECT_EQ(row.expires_at_us, 5'000);
    EXPECT_EQ(row.content_hash, content_hash(source));
}

TEST(Record, LastOfDuplicatesCounts) {
    EXPECT_EQ(
        row_of(
            text(
                "rl:experience:1",
                R"({"agent_id":"a","state":1,"action":1,"reward":9007199254740993,"reward":2,"done":true,"timestamp":1})"))
            .extra,
        "");
}

/// What Redis has, through a row, is the same JSON again.
TEST(Record, GoesBackAsItCame) {
    for (
        const char* value :
        {kExperience,
         R"({"agent_id":"","state":null,"action":"x","reward":-0.0,"next_state":null,"done":false,"timestamp":-1.5})",
         R"({"agent_id":"\u00e9\n","state":[0.10,1e2],"action":3,"reward":9007199254740993,"done":false,"timestamp":1700000000.1234567,"version":0,"reward2":{"a":[]}})"}) {
        EXPECT_EQ(canonical_json(json_of(row_of(text("rl:experience:1", value)))), canonical_json(value));
    }
    for (const char* value :
         {R"({"agent_id":"a","state_hash":"s","action":"3","value":0.1,"visits":0})",
          R"({"agent_id":"a","state_hash":"s","action":3.50,"value":12345678901234567890})"}) {
        EXPECT_EQ(canonical_json(json_of(row_of(text("rl:qvalue:1", value)))), canonical_json(value));
    }
    const char* agent = R"({"name":"n","version":7,"list":[1]})";
    EXPECT_EQ(canonical_json(json_of(row_of(text("rl:agent:1", agent)))), canonical_json(agent));
    EXPECT_EQ(row_of(text("rl:agent:1", agent)).body, R"({"name":"n","list":[1]})");
    EXPECT_EQ(json_of(row_of(text("rl:policy:1", std::string("\0\xFF", 2)))), std::string("\0\xFF", 2));
}

TEST(Record, AnExactTextCountsOnlyWhileTheColumnSaysTheSame) {
    auto row = row_of(
        text("rl:qvalue:1", R"({"agent_id":"a","state_hash":"s","action":3,"value":9007199254740993})"));
    row.number = 1.5;
    row.visits = 1;
    row.version = 4;
    EXPECT_EQ(json_of(row),
              R"({"agent_id":"a","state_hash":"s","action":3,"value":1.5,"visits":1,"version":4})");
}

TEST(Record, HashesAreTexts) {
    Source source;
    source.key = "rl:experience:h";
    source.type = Source::Type::hash;
    source.fields = {{"agent_id", "5"}, {"state", "plain"},  {"action", "\"5\""}, {"reward", "1e-05"},
                     {"done", "True"},  {"timestamp", "12"}, {"more", "{"},       {"version", "3"}};
    const auto row = row_of(source);
    EXPECT_EQ(row.agent_id, "5");
    EXPECT_EQ(row.state, "\"plain\"");
    EXPECT_EQ(row.action, "\"5\"");
    EXPECT_EQ(row.number, 1e-5);
    EXPECT_EQ(row.extra, "{\"more\":\"{\"}");
    const HashFields expected = {{"agent_id", "5"},   {"state", "plain"}, {"action", "\"5\""},
                                 {"reward", "1e-05"}, {"done", "true"},   {"timestamp", "12"},
                                 {"more", "{"},       {"version", "3"}};
    EXPECT_EQ(hash_of(row), expected);
    auto other = source;
    std::reverse(other.fields.begin(), other.fields.end());
    EXPECT_EQ(content_hash(other), content_hash(source));
    other.fields[0].second += ' ';
    EXPECT_NE(content_hash(other), content_hash(source));
}

TEST(Record, SaysWhatIsWrong) {
    const auto fault = [](const Source& source) {
        Row row;
        return parse(source, row).value_or("nothing");
    };
    const auto changed = [&](const std::string& from, const std::string& to) {
        std::string value = kExperience;
        value.replace(value.find(from), from.size(), to);
        return fault(text("rl:experience:1", value));
    };
    EXPECT_EQ(changed("0.5", "NaN"), "reward: bad JSON: NaN, which is not finite");
    EXPECT_EQ(changed("0.5", "1e400"), "reward is 1e400, which is not finite as a double");
    EXPECT_EQ(changed("0.5", "null"), "reward is not a number");
    EXPECT_EQ(changed("true", "1"), "done is not true or false");
    EXPECT_EQ(changed("\"a\"", "1"), "agent_id is not a string");
    EXPECT_EQ(changed("\"state\"", "\"State\""), "state is missing");
    EXPECT_EQ(changed("12.25", "1e13"), "timestamp is 1e13, beyond the dates that PostgreSQL knows");
    EXPECT_EQ(changed("9}", "1.5}"), "version is not a whole number from 0");
    EXPECT_EQ(changed("9}", "9223372036854775808}"), "version is not a whole number from 0");
    EXPECT_EQ(fault(text("rl:experience:" + std::string(2600, 'k'), kExperience)),
              "the key has 2614 bytes, and PostgreSQL's index holds 2600");
    EXPECT_EQ(fault(text("rl:qvalue:1", R"({"agent_id":"a","state_hash":"s","action":true,"value":1})")),
              "action is not a string or a number");
    Source list = text("rl:policy:1", "");
    list.type = Source::Type::other;
    list.type_name = "list";
    EXPECT_EQ(fault(list), "a list, where a string is expected");
    Source large = text("rl:agent:1", "");
    large.type = Source::Type::too_large;
    large.size = 300'000'000;
    EXPECT_EQ(fault(large), "too large: 300 MB, and the limit is 267 MB");
}

TEST(Record, NamesTheDifference) {
    const auto row = row_of(text("rl:experience:1", kExperience));
    const auto with = [&](auto change) {
        auto other = row;
        change(other);
        return difference(row, other);
    };
    EXPECT_EQ(difference(row, row), "");
    EXPECT_EQ(with([](Row& r) { r.state = "{ \"x\" : 1.0 }"; }), "");
    EXPECT_EQ(with([](Row& r) { r.state = "{\"x\":2}"; }), "state");
    EXPECT_EQ(with([](Row& r) { r.number = 0.25; }), "reward");
    EXPECT_EQ(with([](Row& r) { r.extra.clear(); }), "more");
    EXPECT_EQ(with([](Row& r) { r.has_next_state = true, r.next_state = "null"; }), "next_state");
    EXPECT_EQ(with([](Row& r) { r.version = 8; }), "version");
    EXPECT_EQ(with([](Row& r) { r.expires_at_us = 1; }), "expiry");
}

TEST(Record, ShowsKeysToTheEye) {
    EXPECT_EQ(key_text("rl:é\xFF\n"), "rl:é\\xff\\x0a");
}

TEST(Record, FieldsHaveTheUsersNamesThereAndBack) {
    FieldNames names;
    names.q_value = "q_value";
    names.agent_id = "agent";
    Source source;
    source.key = "app:rl:qvalue:1";
    source.kind = Kind::q_value;
    source.type = Source::Type::text;
    source.text =
        R"({"agent":"a","state_hash":"s","action":"x","q_value":0.10000000000000000001,"visits":2,"more":1})";
    Row row;
    EXPECT_EQ(parse(source, row, &names), std::nullopt);
    EXPECT_EQ(row.agent_id, "a");
    EXPECT_EQ(row.extra, R"({"value":0.10000000000000000001,"more":1})");
    EXPECT_EQ(
        json_of(row, &names),
        R"({"agent":"a","state_hash":"s","action":"x","q_value":0.10000000000000000001,"visits":2,"more":1})");
    EXPECT_EQ(parse(source, row), "agent_id is missing");
    source.text = R"({"agent_id":"a","state_hash":"s","action":"x","value":1,"visits":2})";
    EXPECT_EQ(parse(source, row, &names), std::nullopt);
    source.text = R"({"agent_id":"a","state_hash":"s","action":"x","value":1,"q_value":2})";
    EXPECT_EQ(parse(source, row, &names), "both q_value and value are there");
    source.text = R"({"agent_id":"a","state_hash":"s","action":"x"})";
    EXPECT_EQ(parse(source, row, &names), "q_value is missing");
    EXPECT_EQ(with_user_names(R"({"agent_id":1,"value":1e2,"x":{"value":2}})", Kind::q_value, names),
              R"({"agent":1,"q_value":1e2,"x":{"value":2}})");
    EXPECT_EQ(with_usual_names(R"({"agent":1,"q_value":1e2,"x":{"value":2}})", Kind::q_value, names),
              R"({"agent_id":1,"value":1e2,"x":{"value":2}})");
    EXPECT_EQ(find_kind("{t}:rl:x:rl:policy:rl:agent:y")->kind, Kind::policy);
    EXPECT_EQ(find_kind("xrl:policy:y")->at, 1U);
    EXPECT_EQ(find_kind("rl:control:x"), std::nullopt);
    EXPECT_EQ(kind_of_key("app:rl:policy:", "app:"), Kind::policy);
    EXPECT_EQ(kind_of_key("rl:policy:", "app:"), std::nullopt);
}

}  // namespace
}  // namespace crossover::learning
