#include "service/json.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace crossover::service {
namespace {

using testing::HasSubstr;

sync::MediaMapping films() {
    sync::MediaMapping mapping;
    mapping.properties = {{"title", sync::PropertyType::text},
                          {"year", sync::PropertyType::int64},
                          {"rating", sync::PropertyType::float64},
                          {"adult", sync::PropertyType::boolean}};
    mapping.dimension = 3;
    return mapping;
}

/// The status and detail that a call is refused with.
template <class Call>
std::pair<unsigned, std::string> refusal(Call call) {
    try {
        call();
    } catch (const BadRequest& refused) {
        return {refused.status(), refused.what()};
    }
    return {0, "was accepted"};
}

std::pair<unsigned, std::string> item_refusal(std::string_view body) {
    return refusal([&] { read_item(std::string("x"), body, films()); });
}

TEST(ReadItem, TakesWhatTheMappingCarries) {
    const auto item = read_item(std::string("x"),
                                R"({"id": "x", "title": "Ränder", "year": 1999, "rating": 8, "adult": false,
                                    "embedding": [1, -0.5, 1e-3]})",
                                films());
    EXPECT_EQ(item.id, ItemId(std::string("x")));
    EXPECT_EQ(item.properties[0], bolt::Value("Ränder"));
    EXPECT_EQ(item.properties[1], bolt::Value(1999));
    EXPECT_EQ(item.properties[2], bolt::Value(8.0));
    EXPECT_EQ(item.properties[3], bolt::Value(false));
    EXPECT_EQ(*item.embedding, (std::vector<double>{1, -0.5, 1e-3}));
}

TEST(ReadItem, WhatIsAbsentOrNullIsRemovedButTheEmbeddingIsKept) {
    const auto item = read_item(std::string("x"), R"({"title": null})", films());
    for (const auto& property : item.properties) EXPECT_TRUE(property.is_null());
    EXPECT_FALSE(item.embedding);
}

TEST(ReadItem, ATextTakesAnyValue) {
    const auto stored = [](const std::string& json) {
        return read_item(std::string("x"), "{\"title\": " + json + "}", films()).properties[0];
    };
    EXPECT_EQ(stored("5"), bolt::Value(5));
    EXPECT_EQ(stored("5.0"), bolt::Value(5.0));
    EXPECT_EQ(stored("true"), bolt::Value(true));
    EXPECT_EQ(stored(R"(["a", "b, c"])"), bolt::Value(bolt::List{"a", "b, c"}));
    EXPECT_EQ(stored("[1, 2]"), bolt::Value(bolt::List{1, 2}));
    // Neo4j has no property for these.
    EXPECT_EQ(stored(R"({"a": [1, null]})"), bolt::Value(R"({"a":[1,null]})"));
    EXPECT_EQ(stored(R"(["a", 1])"), bolt::Value(R"(["a",1])"));
    EXPECT_EQ(stored("[[1]]"), bolt::Value("[[1]]"));
    EXPECT_EQ(stored("18446744073709551615"), bolt::Value("18446744073709551615"));
}

TEST(ReadItem, RefusesWhatIsNoJson) {
    EXPECT_EQ(item_refusal("{").first, 400U);
    EXPECT_EQ(item_refusal("").first, 400U);
    EXPECT_EQ(item_refusal(R"({"embedding": [NaN, 1, 2]})").first, 400U);
    EXPECT_EQ(item_refusal(R"({"embedding": [1e999, 1, 2]})").first, 400U);
    EXPECT_EQ(item_refusal("{\"title\": \"\xff\"}").first, 400U);
    EXPECT_EQ(item_refusal(std::string(200'000, '[')).first, 400U);
    EXPECT_THAT(item_refusal(R"({"rating": 100000000000000000000})").second, HasSubstr("need an exponent"));
}

TEST(ReadItem, SaysWhatIsWrong) {
    for (const auto& [body, detail] : std::vector<std::pair<const char*, const char*>>{
             {"[]", "must be a JSON object"},
             {R"({"embedding": [1, 2]})", "embedding has 2 values, expected 3."},
             {R"({"embedding": "x"})", "an array of 3 numbers"},
             {R"({"embedding": [1, "2", 3]})", "embedding[1] is no number."},
             {R"({"embedding": [1, 2, 3.5e38]})", "embedding[2] does not fit a float32."},
             {R"({"embedding": [0, 0, 0]})", "no direction"},
             {R"({"embedding": [1e-60, 0, 0]})", "no direction"},
             {R"({"year": "1999"})", "year must be an integer."},
             {R"({"year": 1999.5})", "year must be an integer."},
             {R"({"year": 9223372036854775808})", "year must be an integer."},
             {R"({"adult": 1})", "adult must be true or false."},
             {R"({"rating": 9007199254740993})", "rating must be a number that a double holds exactly."},
             {R"({"embedding": [1e-30, 1e-30, 1e-30]})", "no direction"},
             {R"({"embedding": [1e20, 1e20, 1e20]})", "no direction"},
             {R"({"titel": "x"})", "is title meant?"},
             {R"({"id": "y"})", "not that of the path"},
         }) {
        const auto [status, why] = item_refusal(body);
        EXPECT_EQ(status, 422U) << body;
        EXPECT_THAT(why, HasSubstr(detail)) << body;
    }
    EXPECT_THAT(item_refusal(nlohmann::json{{"title", std::string(70'000, 'x')}}.dump()).second,
                HasSubstr("70000 bytes"));
}

TEST(ReadId, IsOfTheMappingsKind) {
    auto mapping = films();
    EXPECT_EQ(read_id("1", mapping), ItemId(std::string("1")));
    EXPECT_EQ(refusal([&] { read_id(std::string(8001, 'x'), mapping); }).first, 422U);
    EXPECT_EQ(refusal([&] { read_id("", mapping); }).first, 422U);
    mapping.id_kind = sync::IdKind::integer;
    EXPECT_EQ(read_id("-17", mapping), ItemId(std::int64_t{-17}));
    EXPECT_EQ(refusal([&] { read_id("1.0", mapping); }).first, 422U);
    EXPECT_EQ(refusal([&] { read_id("9223372036854775807", mapping); }).first, 422U);
    EXPECT_EQ(refusal([&] { read_id("9223372036854775808", mapping); }).first, 422U);
}

TEST(ReadSearch, TakesVectorKAndFilter) {
    const auto request = read_search(
        R"({"embedding": [1, 2, 3], "k": 25, "filter": {"year": {"gte": 1990, "lt": 2000}, "title": {"in": ["a", "b"]},
            "adult": false}})",
        films());
    EXPECT_EQ(request.vector, (std::vector<float>{1, 2, 3}));
    EXPECT_EQ(request.k, 25U);
    using search::Comparison;
    EXPECT_EQ(request.filter,
              (search::Filter{{"year", Comparison::greater_or_equal, {std::int64_t{1990}}},
                              {"year", Comparison::less, {std::int64_t{2000}}},
                              {"title", Comparison::one_of, {std::string("a"), std::string("b")}},
                              {"adult", Comparison::equal, {false}}}));
    EXPECT_EQ(read_search(R"({"embedding": [1, 2, 3]})", films()).k, 10U);
}

TEST(ReadSearch, SaysWhatIsWrong) {
    for (const auto& [body, detail] : std::vector<std::pair<const char*, const char*>>{
             {R"({})", "is missing"},
             {R"({"embedding": [1, 2, 3], "k": 0})", "from 1 to 1000"},
             {R"({"embedding": [1, 2, 3], "k": 1001})", "from 1 to 1000"},
             {R"({"embedding": [1, 2, 3], "k": 18446744073709551615})", "from 1 to 1000"},
             {R"({"embedding": [1, 2, 3], "k": 2.5})", "k must be an integer"},
             {R"({"embedding": [1, 2, 3], "filter": "year > 0"})", "filter must be an object"},
             {R"({"embedding": [1, 2, 3], "filter": {"yeer": 5}})", "is year meant?"},
             {R"({"embedding": [1, 2, 3], "filter": {"year or 1 == 1": 5}})", "no property"},
             {R"({"embedding": [1, 2, 3], "filter": {"year": "x"}})", "year must be an integer"},
             {R"({"embedding": [1, 2, 3], "filter": {"year": {"like": 5}}})", "no operator like"},
             {R"({"embedding": [1, 2, 3], "filter": {"year": {"in": []}}})", "1 to 100 values"},
             {R"({"embedding": [1, 2, 3], "filter": {"adult": {"lt": true}}})", "can't be compared"},
             {R"({"embedding": [1, 2, 3], "limit": 5})", "no member limit"},
         }) {
        const auto [status, why] = refusal([&] { read_search(body, films()); });
        EXPECT_EQ(status, 422U) << body;
        EXPECT_THAT(why, HasSubstr(detail)) << body;
    }
}

TEST(ToJson, ShowsAnItemAsItWasPut) {
    const auto item = read_item(std::string("a \"b\""),
                                R"({"title": "T", "year": 2001, "embedding": [0.1, 2, 3]})", films());
    EXPECT_EQ(
        nlohmann::json::parse(to_json(item, films())),
        nlohmann::json::parse(
            R"({"id": "a \"b\"", "title": "T", "year": 2001, "embedding": [0.1, 2.0, 3.0], "embedding_version": 0})"));
}

TEST(ToJson, ShowsAnAnswer) {
    const engine::Answer answer{
        "milvus",
        {{std::string("a"), 0.5, {search::Scalar(std::string("T")), std::nullopt, std::nullopt, true}}}};
    EXPECT_EQ(
        nlohmann::json::parse(to_json(answer, films())),
        nlohmann::json::parse(
            R"({"source": "milvus", "results": [{"id": "a", "score": 0.5, "title": "T", "adult": true}]})"));
}

}  // namespace
}  // namespace crossover::service
