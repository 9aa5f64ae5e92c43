#include "search/comparison.h"

#include <gtest/gtest.h>

namespace crossover::search {
namespace {

std::vector<Neighbour> answer(std::initializer_list<std::pair<const char*, double>> hits) {
    std::vector<Neighbour> neighbours;
    for (const auto& [id, score] : hits) neighbours.push_back({std::string(id), score});
    return neighbours;
}

TEST(Comparison, TheSameAnswerAgreesInEverything) {
    const auto one = answer({{"a", 0.9}, {"b", 0.8}});
    const auto agreement = compare(one, one);
    EXPECT_EQ(agreement.overlap, 1);
    EXPECT_EQ(agreement.rank_difference, 0);
    EXPECT_EQ(agreement.score_difference, 0);
}

TEST(Comparison, TwoEmptyAnswersAgreeAndAnEmptyOneDoesNot) {
    EXPECT_EQ(compare({}, {}).overlap, 1);
    EXPECT_EQ(compare({}, answer({{"a", 1}})).overlap, 0);
    EXPECT_EQ(compare(answer({{"a", 1}}), {}).overlap, 0);
}

TEST(Comparison, CountsWhatBothHave) {
    const auto agreement = compare(answer({{"a", 0.9}, {"b", 0.8}, {"c", 0.7}, {"d", 0.5}}),
                                   answer({{"b", 0.875}, {"a", 0.75}, {"x", 0.7}, {"d", 0.5}, {"y", 0.25}}));
    EXPECT_DOUBLE_EQ(agreement.overlap, 3.0 / 5);
    EXPECT_DOUBLE_EQ(agreement.rank_difference, 2.0 / 3);  // a and b one place each, d none
    EXPECT_DOUBLE_EQ(agreement.score_difference, 0.9 - 0.75);
}

}  // namespace
}  // namespace crossover::search
