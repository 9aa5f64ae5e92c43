#include "learning/copy/sample.h"

#include <gtest/gtest.h>

namespace crossover::learning {
namespace {

std::vector<Source> values(Kind kind, std::initializer_list<std::pair<int, std::string>> texts) {
    std::vector<Source> all;
    for (const auto& [times, text] : texts) {
        for (int i = 0; i < times; ++i) {
            Source source;
            source.kind = kind;
            source.key = std::string(prefix_of(kind)) + std::to_string(all.size());
            source.type = Source::Type::text;
            source.text = text;
            all.push_back(std::move(source));
        }
    }
    return all;
}

std::string guessed(const std::vector<Source>& sources, const CopyOptions& options = {}) {
    std::string all;
    for (const auto& guess : guess_fields(sources, options)) all += guess.text() + "\n";
    return all;
}

TEST(Sample, FindsWhatIsSpeltOtherwise) {
    const auto renamed =
        values(Kind::q_value,
               {{150, R"({"agent_id": "a", "state_hash": "s", "action": 1, "q_value": 0.5, "values": "x"})"},
                {50, "no JSON"},
                {10, R"({"agent_id": "a", "state_hash": "s", "action": 1, "value": 0.5})"}});
    EXPECT_EQ(
        guessed(renamed),
        "Of 160 Q values looked at, 150 lack 'value'; 'q_value' looks like it: --q-value-field q_value takes "
        "it for that, --q-value-field value does not.\n");
    CopyOptions named;
    named.fields.q_value = "q_value";
    EXPECT_EQ(guessed(renamed, named), "");
    CopyOptions meant;
    meant.given_fields = {"value"};
    EXPECT_EQ(guessed(renamed, meant), "");
    EXPECT_EQ(
        guess_fields(values(Kind::experience,
                            {{1, R"({"agentId": "a", "state": 1, "action": 1, "rewards": 1, "isDone": true,
                                           "time": 17e8, "state_hash": 1})"}}),
                     {})
            .size(),
        4U);  // agent_id, reward, done, timestamp
}

TEST(Sample, GuessesAtNothingThatMostValuesHaveOrNothingIsLike) {
    EXPECT_EQ(guessed({}), "");
    EXPECT_EQ(guessed(values(Kind::q_value,
                             {{5, R"({"agent_id": "a", "state_hash": "s", "action": 1, "value": 1})"},
                              {5, R"({"agent_id": "a", "state_hash": "s", "action": 1, "val": 1})"}})),
              "");
    EXPECT_EQ(
        guessed(values(Kind::q_value,
                       {{3, R"({"agent_id": "a", "state_hash": "s", "action": 1, "q_value": "1"})"}})),
        "Of 3 Q values looked at, 3 lack 'value', and nothing there looks like it: they can't be rows.\n");
}

TEST(Sample, HashesAreTexts) {
    auto hashes = values(Kind::experience, {{3, ""}});
    for (auto& hash : hashes) {
        hash.type = Source::Type::hash;
        hash.fields = {{"agent_id", "a"}, {"state", "s"},      {"action", "x"},    {"the_reward", "1.5"},
                       {"done", "1"},     {"rewarded", "yes"}, {"timestamp", "17"}};
    }
    const auto guesses = guess_fields(hashes, {});
    ASSERT_EQ(guesses.size(), 1U);
    EXPECT_EQ(guesses[0].looks_like, "the_reward");
    const auto refusal = refuse_guesses(guesses, "redis://h:1/0");
    ASSERT_TRUE(refusal);
    EXPECT_EQ(refusal->kind(), ErrorKind::not_ready);
    EXPECT_NE(std::string(refusal->what()).find("redis://h:1/0: Of 3 experiences"), std::string::npos);
}

}  // namespace
}  // namespace crossover::learning
