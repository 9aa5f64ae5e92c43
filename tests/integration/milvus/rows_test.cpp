#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <set>

#include "fixture.h"

namespace crossover::milvus::test {
namespace {

const ReadFields kEverything{true, true, {"title", "year", "rating", "seen"}};

void expect_same_rows(const ColumnBatch& got, const ColumnBatch& wanted) {
    ASSERT_EQ(got.size(), wanted.size());
    std::map<ItemId, std::size_t> at;
    for (std::size_t i = 0; i < wanted.size(); ++i) at[wanted.ids[i]] = i;
    ASSERT_EQ(got.dimension, wanted.dimension);
    for (std::size_t i = 0; i < got.size(); ++i) {
        ASSERT_TRUE(at.contains(got.ids[i])) << crossover::to_string(got.ids[i]);
        const std::size_t k = at[got.ids[i]];
        EXPECT_EQ(got.versions[i], wanted.versions[k]);
        EXPECT_EQ(0, std::memcmp(&got.vectors[i * got.dimension], &wanted.vectors[k * got.dimension],
                                 got.dimension * sizeof(float)));
        for (std::size_t p = 0; p < wanted.properties.size(); ++p) {
            ASSERT_EQ(got.properties[p].name, wanted.properties[p].name);
            std::visit(
                [&](const auto& values) {
                    using T = std::decay_t<decltype(values)>;
                    EXPECT_EQ(values[i], std::get<T>(wanted.properties[p].values)[k]);
                },
                got.properties[p].values);
        }
    }
}

TEST_F(MilvusTest, UpsertReplacesWholeRowsBitForBit) {
    const auto wanted = spec();
    create_ready(wanted);
    auto shared = std::make_shared<ColumnBatch>(batch(numbered_ids(0, 10'000), 1));
    EXPECT_EQ(client.upsert(wanted.ref(), std::shared_ptr<const ColumnBatch>(shared), soon()).upserted,
              10'000);
    EXPECT_EQ(client.count(wanted.ref(), Consistency::strong, soon()), 10'000);
    const auto second = batch(numbered_ids(100, 300), 2);
    const auto serialised = client.serialize_upsert(wanted.ref(), second);
    EXPECT_EQ(serialised.rows(), 200U);
    EXPECT_EQ(client.send(serialised, soon()).upserted, 200);
    EXPECT_EQ(client.send(serialised, soon()).upserted, 200);
    EXPECT_EQ(client.count(wanted.ref(), Consistency::strong, soon()), 10'000);
    expect_same_rows(client.query_by_ids(wanted.ref(), second.ids, kEverything, Consistency::strong, soon()),
                     second);
    EXPECT_EQ(client.query_by_ids(wanted.ref(), numbered_ids(9'990, 10'010), {}, Consistency::session, soon())
                  .size(),
              10U);
    EXPECT_EQ(client
                  .query_by_ids(wanted.ref(), numbered_ids(20'000, 20'010), kEverything, Consistency::strong,
                                soon())
                  .size(),
              0U);
}

// Several sealed segments, one growing, replaced rows and deletes: a walk by pages sees each live row once,
// in order.
TEST_F(MilvusTest, PagesComeInTheOrderOfIds) {
    const auto wanted = spec();
    create_ready(wanted);
    std::vector<std::size_t> order(6'000);
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), std::mt19937(7));
    std::map<std::string, std::int64_t> expected;
    const auto put = [&](std::size_t from, std::size_t to, std::int64_t version) {
        std::vector<ItemId> ids;
        for (std::size_t i = from; i < to; ++i) {
            ids.emplace_back(numbered(order[i]));
            expected[numbered(order[i])] = version;
        }
        client.upsert(wanted.ref(), batch(ids, version), soon());
    };
    put(0, 2'000, 1);
    client.flush(name, soon());
    put(1'000, 3'500, 2);
    client.flush(name, soon());
    put(3'000, 5'000, 3);
    client.flush(name, soon());
    put(0, 500, 4);
    put(5'000, 6'000, 4);
    std::vector<ItemId> gone;
    for (std::size_t i = 0; i < 6'000; i += 3) {
        gone.emplace_back(numbered(order[i]));
        expected.erase(numbered(order[i]));
    }
    client.erase(wanted.ref(), gone, soon());
    EXPECT_EQ(client.count(wanted.ref(), Consistency::strong, soon()), std::int64_t(expected.size()));
    for (const std::size_t limit : {97U, 1'000U, 16'384U}) {
        auto next = expected.begin();
        IdRange range;
        for (;;) {
            const auto page =
                client.query_page(wanted.ref(), range, limit, {false, true, {}}, Consistency::strong, soon());
            if (page.empty()) break;
            ASSERT_LE(page.size(), limit);
            for (std::size_t i = 0; i < page.size(); ++i, ++next) {
                ASSERT_NE(next, expected.end());
                ASSERT_EQ(std::get<std::string>(page.ids[i]), next->first) << "limit " << limit;
                ASSERT_EQ(page.versions[i], next->second);
            }
            range.after = page.ids.back();
        }
        EXPECT_EQ(next, expected.end()) << "limit " << limit;
    }
    const auto part = client.query_page(wanted.ref(), {ItemId(numbered(1'000)), ItemId(numbered(2'000))},
                                        16'384, {}, Consistency::strong, soon());
    const auto size =
        std::distance(expected.upper_bound(numbered(1'000)), expected.upper_bound(numbered(2'000)));
    EXPECT_EQ(part.size(), std::size_t(size));
}

TEST_F(MilvusTest, SearchFindsWhatABruteForceFinds) {
    const auto wanted = spec();
    create_ready(wanted);
    const auto rows = batch(numbered_ids(0, 5'000));
    client.upsert(wanted.ref(), rows, soon());
    client.flush(name, soon());
    ASSERT_TRUE(eventually([&] {
        const auto index = client.describe_index(wanted.ref(), soon());
        return index->state == IndexState::finished && index->indexed_rows == 5'000;
    }));
    const auto cosine = [&](std::size_t a, std::size_t b) {
        double dot = 0, aa = 0, bb = 0;
        for (std::size_t k = 0; k < kDimension; ++k) {
            const double x = rows.vectors[a * kDimension + k], y = rows.vectors[b * kDimension + k];
            dot += x * y, aa += x * x, bb += y * y;
        }
        return dot / std::sqrt(aa * bb);
    };
    SearchOptions options;
    options.ef = 128;
    options.consistency = Consistency::strong;
    options.properties = {"title", "year", "rating", "seen"};
    std::size_t found = 0, asked = 0;
    for (std::size_t query = 0; query < 50; ++query) {
        std::vector<std::size_t> order(rows.size());
        std::iota(order.begin(), order.end(), 0);
        std::partial_sort(order.begin(), order.begin() + 10, order.end(),
                          [&](auto a, auto b) { return cosine(query, a) > cosine(query, b); });
        std::set<std::string> nearest;
        for (std::size_t i = 0; i < 10; ++i) nearest.insert(numbered(order[i]));
        const auto hits = client.search(
            wanted.ref(), std::span(rows.vectors).subspan(query * kDimension, kDimension), options, soon());
        ASSERT_EQ(hits.size(), 10U);
        EXPECT_EQ(std::get<std::string>(hits[0].id), numbered(query));
        EXPECT_NEAR(hits[0].score, 1.0, 1e-4);
        EXPECT_TRUE(
            std::is_sorted(hits.begin(), hits.end(), [](auto& a, auto& b) { return a.score > b.score; }));
        ASSERT_EQ(hits[0].properties.size(), 4U);
        for (const auto& [property, value] : hits[0].properties) {
            if (property == "title") {
                EXPECT_EQ(value, Value("title " + std::to_string(query)));
            }
            if (property == "year") {
                EXPECT_EQ(value, Value(1900 + std::int64_t(query)));
            }
            if (property == "seen") {
                EXPECT_EQ(value, Value(query % 2 == 1));
            }
        }
        for (const Hit& hit : hits) found += nearest.count(std::get<std::string>(hit.id));
        asked += 10;
    }
    EXPECT_GE(double(found) / double(asked), 0.95);
    options.filter = "year == 1907";
    for (const Hit& hit :
         client.search(wanted.ref(), std::span(rows.vectors).first(kDimension), options, soon())) {
        EXPECT_EQ(hit.properties[1].second, Value(std::int64_t(1907)));
    }
}

// Ids that a careless quoting would break, or turn into another id.
std::vector<ItemId> weird_ids() {
    std::vector<std::string> texts = {"\"",      "'",
                                      "\\",      "\\\\",
                                      "\\n",     "\n",
                                      "\r\n",    "\t",
                                      " ",       "",
                                      "a\"b",    "x' or 1=1 or id == '",
                                      "\\\"",    "]",
                                      "[1,2]",   "{x}",
                                      "%",       "_",
                                      "\\u0041", "\\x41",
                                      "\\101",   "\"\"",
                                      "//",      "/* */",
                                      "é",       "e\u0301",
                                      "日本語",  "\\日",
                                      "日\n",    "𠀀",
                                      "𠀀0",     "日𠀀\\",
                                      "😀",       "👩‍👩‍👧",
                                      "\u200b",  "\ufeff",
                                      "\u2028",  "\ufffd",
                                      "\uffff",  "\U0010ffff",
                                      "\u0080",  "\x7f",
                                      "?",       "\\?",
                                      "$meta",   "null",
                                      "true",    "`"};
    for (int c = 1; c < 32; ++c) texts.push_back(std::string("c") + static_cast<char>(c) + "d");
    texts.push_back(std::string("nul\0nul", 7));
    texts.push_back(std::string("nul", 3));
    texts.push_back(std::string(8000, 'x'));
    texts.push_back(std::string(7999, '\\') + "\"");
    std::string emoji, han;
    for (int i = 0; i < 2000; ++i) emoji += "😀";
    for (int i = 0; i < 2666; ++i) han += "語";
    texts.push_back(emoji);
    texts.push_back(han);
    return {texts.begin(), texts.end()};
}

TEST_F(MilvusTest, WeirdIdsSurviveEveryCall) {
    const auto wanted = spec();
    create_ready(wanted);
    const auto rows = batch(weird_ids());
    ASSERT_EQ(client.upsert(wanted.ref(), rows, soon()).upserted, std::int64_t(rows.size()));
    for (const bool sealed : {false, true}) {
        if (sealed) client.flush(name, soon());
        expect_same_rows(
            client.query_by_ids(wanted.ref(), rows.ids, kEverything, Consistency::strong, soon()), rows);
        for (std::size_t i = 0; i < rows.size(); ++i) {
            const auto one = client.query_by_ids(wanted.ref(), std::span(rows.ids).subspan(i, 1), {},
                                                 Consistency::session, soon());
            ASSERT_EQ(one.ids, std::vector{rows.ids[i]}) << crossover::to_string(rows.ids[i]);
        }
        auto sorted = rows.ids;
        std::sort(sorted.begin(), sorted.end());
        std::vector<ItemId> walked;
        IdRange range;
        for (;;) {
            const auto page = client.query_page(wanted.ref(), range, 1, {}, Consistency::session, soon());
            if (page.empty()) break;
            ASSERT_LE(walked.size(), sorted.size());
            walked.push_back(page.ids[0]);
            range.after = page.ids[0];
        }
        EXPECT_EQ(walked, sorted);
    }
    auto left = rows.ids;
    while (!left.empty()) {
        const auto some = std::min<std::size_t>(left.size(), 7);
        const std::vector<ItemId> gone(left.end() - std::ptrdiff_t(some), left.end());
        left.resize(left.size() - some);
        client.erase(wanted.ref(), gone, soon());
        ASSERT_EQ(client.count(wanted.ref(), Consistency::strong, soon()), std::int64_t(left.size()));
    }
}

TEST_F(MilvusTest, IntegerIdsSurviveEveryCall) {
    const auto wanted = spec(IdKind::integer);
    create_ready(wanted);
    constexpr auto kLowest = std::numeric_limits<std::int64_t>::min();
    constexpr auto kHighest = std::numeric_limits<std::int64_t>::max();
    const std::vector<ItemId> ids = {kLowest,
                                     kLowest + 1,
                                     std::int64_t(-5),
                                     std::int64_t(0),
                                     std::int64_t(7),
                                     std::int64_t(1) << 53,
                                     (std::int64_t(1) << 53) + 1,
                                     kHighest - 2,
                                     kHighest - 1};
    const auto rows = batch(ids);
    EXPECT_EQ(client.upsert(wanted.ref(), rows, soon()).upserted, std::int64_t(ids.size()));
    expect_same_rows(client.query_by_ids(wanted.ref(), ids, kEverything, Consistency::strong, soon()), rows);
    std::vector<ItemId> walked;
    IdRange range;
    for (;;) {
        const auto page = client.query_page(wanted.ref(), range, 2, {}, Consistency::strong, soon());
        if (page.empty()) break;
        ASSERT_LE(walked.size(), ids.size());
        walked.insert(walked.end(), page.ids.begin(), page.ids.end());
        range.after = page.ids.back();
    }
    EXPECT_EQ(walked, ids);
    client.erase(wanted.ref(), std::span(ids).first(8), soon());
    const auto rest = client.query_page(wanted.ref(), {}, 100, {}, Consistency::strong, soon());
    EXPECT_EQ(rest.ids, std::vector<ItemId>{kHighest - 1});
}

TEST_F(MilvusTest, BadRowsAreRefusedAsAWhole) {
    const auto wanted = spec();
    create_ready(wanted);
    std::string message;
    auto infinite = batch(numbered_ids(0, 10));
    infinite.vectors[5] = std::numeric_limits<float>::infinity();
    EXPECT_EQ(kind_thrown_by([&] { client.upsert(wanted.ref(), infinite, soon()); }, &message),
              ErrorKind::rejected)
        << message;
    auto long_title = batch(numbered_ids(0, 10));
    std::get<std::vector<std::string>>(long_title.properties[0].values)[3].assign(1001, 'x');
    EXPECT_EQ(kind_thrown_by([&] { client.upsert(wanted.ref(), long_title, soon()); }, &message),
              ErrorKind::rejected)
        << message;
    auto large = batch(numbered_ids(0, 10));
    large.dimension = 2'000'000;
    large.vectors.resize(20'000'000);
    EXPECT_EQ(kind_thrown_by([&] { client.upsert(wanted.ref(), large, soon()); }, &message),
              ErrorKind::too_large)
        << message;
    EXPECT_EQ(client.count(wanted.ref(), Consistency::strong, soon()), 0);
}

// The largest request that we say fits does fit the real server.
TEST_F(MilvusTest, AFullRequestIsTaken) {
    auto wanted = spec();
    wanted.dimension = 1536;
    wanted.properties.clear();
    client.create_collection(wanted, soon());
    const std::size_t rows = max_rows_per_request(1536, 16);
    ColumnBatch full;
    full.dimension = 1536;
    full.ids = numbered_ids(0, rows);
    full.versions.assign(rows, 1);
    full.vectors.assign(rows * 1536, 0.5F);
    const std::size_t bytes = request_bytes(wanted.ref(), full);
    EXPECT_LE(bytes, kMaxRequestBytes);
    EXPECT_GT(bytes, kMaxRequestBytes * 97 / 100);
    EXPECT_EQ(client.upsert(wanted.ref(), full, soon()).upserted, std::int64_t(rows));
}

}  // namespace
}  // namespace crossover::milvus::test
