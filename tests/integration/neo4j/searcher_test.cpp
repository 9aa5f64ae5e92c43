#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <future>
#include <limits>
#include <mutex>
#include <random>

#include "integration/bolt/server.h"
#include "integration/neo4j/recorder.h"
#include "neo4j/neo4j_searcher.h"

namespace crossover::neo4j {
namespace {

using bolt::test::environment;
using search::Comparison;
using namespace std::chrono_literals;

constexpr std::uint32_t kDimension = 4;

/// What a searcher's thread has counted as left out.
class Counts {
  public:
    void add(std::int64_t items) {
        const std::lock_guard lock(mutex_);
        counts_.push_back(items);
        more_.notify_all();
    }
    std::vector<std::int64_t> all() const {
        const std::lock_guard lock(mutex_);
        return counts_;
    }
    /// Waits for the first.
    std::vector<std::int64_t> some() {
        std::unique_lock lock(mutex_);
        more_.wait(lock, [&] { return !counts_.empty(); });
        return counts_;
    }

  private:
    mutable std::mutex mutex_;
    std::condition_variable more_;
    std::vector<std::int64_t> counts_;
};

bool is_wary(const std::string& statement) {
    return statement.find("THEN vector.similarity") != std::string::npos;
}
bool is_plain(const std::string& statement) {
    return statement.find("WITH m, vector.similarity") != std::string::npos;
}
bool is_count(const std::string& statement) {
    return statement.find("RETURN count(") != std::string::npos;
}

class SearcherTest : public testing::TestWithParam<sync::Metric> {
  protected:
    SearcherTest()
        : driver(bolt::parse_uri(environment("NEO4J_URI")),
                 bolt::AuthToken::basic(environment("NEO4J_USER"), environment("NEO4J_PASSWORD"))) {
        std::random_device device;
        mapping.label = "Searched" + std::to_string(device()) + std::to_string(device());
        mapping.dimension = kDimension;
        mapping.metric = GetParam();
        mapping.properties = {{"title", sync::PropertyType::text}, {"year", sync::PropertyType::int64}};
        std::mt19937 random(5);
        std::uniform_real_distribution<double> value(-1, 1);
        for (int n = 0; n < 50; ++n) {
            std::vector<double> vector(kDimension);
            for (auto& element : vector) element = static_cast<float>(value(random));
            vectors.push_back(vector);
            bolt::List list(vector.begin(), vector.end());
            cypher(
                "CREATE (:" + mapping.label + " {id: $id, title: 't', year: $year, embedding: $embedding})",
                {{"id", std::to_string(n)}, {"year", 2000 + n}, {"embedding", std::move(list)}});
        }
        // None of these can be found, and none may break a search.
        cypher("CREATE (:" + mapping.label + " {id: 'none'}), (:" + mapping.label +
               " {id: 'short', embedding: [1.0]}), (:" + mapping.label +
               " {id: 'text', embedding: 'x'}), (:" + mapping.label +
               " {id: 'mixed', embedding: ['a', 'b', 'c', 'd']})");
    }
    ~SearcherTest() override { cypher("MATCH (m:" + mapping.label + ") DELETE m"); }

    void cypher(const std::string& query, const bolt::Parameters& parameters = {}) {
        driver.session({.database = "neo4j"}).run(query, parameters).consume();
    }
    /// As Milvus counts: larger is nearer, but for L2, whose squared distance it is.
    double score(const std::vector<double>& a, std::span<const float> b) const {
        double dot = 0, left = 0, right = 0, apart = 0;
        for (std::size_t i = 0; i < kDimension; ++i) {
            dot += a[i] * b[i];
            left += a[i] * a[i];
            right += b[i] * b[i];
            apart += (a[i] - b[i]) * (a[i] - b[i]);
        }
        if (mapping.metric == sync::Metric::l2) return apart;
        return mapping.metric == sync::Metric::cosine ? dot / std::sqrt(left * right) : dot;
    }
    void expect_nearest(const std::vector<search::Neighbour>& found, std::span<const float> wanted,
                        std::size_t k, int first_year = 0) {
        std::vector<std::pair<double, std::string>> all;
        for (std::size_t n = 0; n < vectors.size(); ++n) {
            if (2000 + static_cast<int>(n) < first_year) continue;
            const double mine = score(vectors[n], wanted);
            all.emplace_back(mapping.metric == sync::Metric::l2 ? mine : -mine, std::to_string(n));
        }
        std::sort(all.begin(), all.end());
        ASSERT_EQ(found.size(), std::min(k, all.size()));
        for (std::size_t place = 0; place < found.size(); ++place) {
            EXPECT_EQ(found[place].id, ItemId(all[place].second)) << place;
            EXPECT_NEAR(found[place].score, std::abs(all[place].first) * (found[place].score < 0 ? -1 : 1),
                        1e-5);
            EXPECT_EQ(found[place].properties[0], search::Scalar(std::string("t")));
        }
    }

    bolt::Driver driver;
    sync::MediaMapping mapping;
    std::vector<std::vector<double>> vectors;
    const std::vector<float> wanted = {0.5F, -0.25F, 0.75F, 0.1F};
};

TEST_P(SearcherTest, ComparesWithAllWhereThereIsNoIndex) {
    Neo4jSearcher searcher(driver, "neo4j", mapping);
    EXPECT_EQ(searcher.index_name(Deadline::after(30s)), "");
    expect_nearest(searcher.nearest({wanted, 7, {}}, Deadline::after(30s)), wanted, 7);
    const search::Filter late = {{"year", Comparison::greater_or_equal, {std::int64_t{2030}}}};
    expect_nearest(searcher.nearest({wanted, 5, late}, Deadline::after(30s)), wanted, 5, 2030);
    EXPECT_EQ(searcher.nearest({wanted, 1000, {}}, Deadline::after(30s)).size(), 50U);
}

TEST_P(SearcherTest, UsesTheVectorIndexOfTheMetric) {
    const std::string function = mapping.metric == sync::Metric::l2 ? "euclidean" : "cosine";
    cypher("CREATE VECTOR INDEX v_" + mapping.label + " FOR (m:" + mapping.label +
           ") ON m.embedding OPTIONS {indexConfig: {`vector.dimensions`: 4, `vector.similarity_function`: '" +
           function + "', `vector.quantization.enabled`: false}}");
    cypher("CALL db.awaitIndexes(60)");
    Neo4jSearcher searcher(driver, "neo4j", mapping);
    const bool usable = mapping.metric != sync::Metric::inner_product;
    EXPECT_EQ(searcher.index_name(Deadline::after(30s)), usable ? "v_" + mapping.label : "");
    expect_nearest(searcher.nearest({wanted, 7, {}}, Deadline::after(30s)), wanted, 7);
    // More than the index's candidates hold: the rest is found by comparing.
    const search::Filter late = {{"year", Comparison::greater_or_equal, {std::int64_t{2045}}}};
    expect_nearest(searcher.nearest({wanted, 5, late}, Deadline::after(30s)), wanted, 5, 2045);
    cypher("DROP INDEX v_" + mapping.label);
}

TEST_P(SearcherTest, LeavesOutAndCountsWhatCanBeNoRowOfMilvus) {
    Counts left_out;
    Neo4jSearcher searcher(driver, "neo4j", mapping, [&](std::int64_t items) { left_out.add(items); });
    expect_nearest(searcher.nearest({wanted, 60, {}}, Deadline::after(30s)), wanted, 60);
    EXPECT_EQ(left_out.all(), std::vector<std::int64_t>{});  // nothing in the way yet

    const bool cosine = mapping.metric == sync::Metric::cosine;
    const auto add = [&](const std::string& id, bolt::List embedding) {
        cypher("CREATE (:" + mapping.label + " {id: $id, title: 't', year: 2040, embedding: $embedding})",
               {{"id", id}, {"embedding", std::move(embedding)}});
    };
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    add("nan", {std::nan(""), 1.0, 1.0, 1.0});
    add("infinite", {1.0, kInfinity, 1.0, 1.0});
    add("minus infinite", {1.0, -kInfinity, 1.0, 1.0});
    add("too large for float32", {1e39, 1.0, 1.0, 1.0});
    add("too large for float64", {1e308, 1e308, 1e308, 1e308});
    if (cosine) {
        add("zero", {0.0, 0.0, 0.0, 0.0});
        add("without a length in float32", {1e-30, 1e-30, 1e-30, 1e-30});
        add("with an infinite one", {1e20, 1e20, 1e20, 1e20});
    }
    expect_nearest(searcher.nearest({wanted, 60, {}}, Deadline::after(30s)), wanted, 60);
    const search::Filter late = {{"year", Comparison::greater_or_equal, {std::int64_t{2030}}}};
    expect_nearest(searcher.nearest({wanted, 60, late}, Deadline::after(30s)), wanted, 60, 2030);
    // With the three that were there from the beginning; counted once for both.
    EXPECT_EQ(left_out.some(), std::vector<std::int64_t>{cosine ? 11 : 8});

    // Beside an index too, where a filter makes it compare.
    const std::string function = mapping.metric == sync::Metric::l2 ? "euclidean" : "cosine";
    cypher("CREATE VECTOR INDEX v_" + mapping.label + " FOR (m:" + mapping.label +
           ") ON m.embedding OPTIONS {indexConfig: {`vector.dimensions`: 4, `vector.similarity_function`: '" +
           function + "'}}");
    cypher("CALL db.awaitIndexes(60)");
    Neo4jSearcher beside(driver, "neo4j", mapping);
    expect_nearest(beside.nearest({wanted, 60, late}, Deadline::after(30s)), wanted, 60, 2030);
    cypher("DROP INDEX v_" + mapping.label);
}

/// Where a label is so large that the plain statement and the wary one don't fit one deadline, only the first
/// search fails.
TEST_P(SearcherTest, RemembersABadEmbeddingThoughTheSearchThatMetItFailed) {
    if (GetParam() == sync::Metric::inner_product) GTEST_SKIP() << "nothing fails its plain statement";
    cypher("CREATE (:" + mapping.label + " {id: 'bad', embedding: [0.0 / 0.0, 1.0, 1.0, 1.0]})");
    std::atomic<int> plain = 0;
    std::atomic<bool> out_of_time = true;
    bolt::Driver observed(
        bolt::parse_uri(environment("NEO4J_URI")), bolt::test::credentials(), {},
        test::listening_connector([&](const std::string& text, const bolt::Map&, const bolt::Map&) {
            plain += is_plain(text) ? 1 : 0;
            if (out_of_time && is_wary(text)) throw Error(System::neo4j, ErrorKind::timeout, "no time left");
        }));
    Neo4jSearcher searcher(observed, "neo4j", mapping);
    const auto error = bolt::test::error_of([&] {
        searcher.nearest({wanted, 60, {}}, Deadline::after(30s));
    });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->kind(), ErrorKind::timeout);
    out_of_time = false;
    expect_nearest(searcher.nearest({wanted, 60, {}}, Deadline::after(30s)), wanted, 60);
    EXPECT_EQ(plain, 1);
}

TEST_P(SearcherTest, CountsWhatItLeavesOutBehindTheSearchesAndAgainWhereThatFails) {
    cypher("CREATE (:" + mapping.label + " {id: 'bad', embedding: [0.0 / 0.0, 1.0, 1.0, 1.0]})");
    std::promise<void> answered;
    auto answer = answered.get_future();
    std::atomic<int> counts = 0;
    bolt::Driver observed(
        bolt::parse_uri(environment("NEO4J_URI")), bolt::test::credentials(), {},
        test::listening_connector([&](const std::string& text, const bolt::Map&, const bolt::Map&) {
            if (!is_count(text) || counts++ > 0) return;
            answer.wait();  // the search does not wait for it
            throw Error(System::neo4j, ErrorKind::timeout, "no time left");
        }));
    Counts left_out;
    Neo4jSearcher searcher(observed, "neo4j", mapping, [&](std::int64_t items) { left_out.add(items); });
    expect_nearest(searcher.nearest({wanted, 60, {}}, Deadline::after(30s)), wanted, 60);
    answered.set_value();
    while (left_out.all().empty()) searcher.nearest({wanted, 60, {}}, Deadline::after(30s));
    EXPECT_EQ(left_out.all(), std::vector<std::int64_t>{4});  // with those from the beginning
    EXPECT_EQ(counts, 2);
}

TEST_P(SearcherTest, LooksAtEachEmbeddingOnlyUntilTheBadOneIsMended) {
    if (GetParam() == sync::Metric::inner_product) GTEST_SKIP() << "nothing fails its plain statement";
    cypher("CREATE (:" + mapping.label + " {id: 'bad', embedding: [0.0 / 0.0, 1.0, 1.0, 1.0]})");
    std::atomic<int> wary = 0;
    std::atomic<int> counts = 0;
    bolt::Driver observed(
        bolt::parse_uri(environment("NEO4J_URI")), bolt::test::credentials(), {},
        test::listening_connector([&](const std::string& text, const bolt::Map&, const bolt::Map&) {
            wary += is_wary(text) ? 1 : 0;
            if (!is_count(text) || counts++ > 0) return;
            cypher("MATCH (m:" + mapping.label + " {id: 'bad'}) DELETE m");
        }));
    Counts left_out;
    Neo4jSearcher searcher(observed, "neo4j", mapping, [&](std::int64_t items) { left_out.add(items); });
    expect_nearest(searcher.nearest({wanted, 60, {}}, Deadline::after(30s)), wanted, 60);
    EXPECT_EQ(left_out.some(), std::vector<std::int64_t>{3});
    expect_nearest(searcher.nearest({wanted, 60, {}}, Deadline::after(30s)), wanted, 60);
    EXPECT_EQ(wary, 1);
}

TEST_P(SearcherTest, FindsEmbeddingsOfIntegers) {
    cypher("CREATE (:" + mapping.label + " {id: 'integers', title: 't', embedding: [2, -1, 3, 0]})");
    vectors.push_back({2, -1, 3, 0});
    Neo4jSearcher searcher(driver, "neo4j", mapping);
    const auto found = searcher.nearest({wanted, 60, {}}, Deadline::after(30s));
    ASSERT_EQ(found.size(), 51U);
    const auto integers = std::find_if(found.begin(), found.end(),
                                       [](const auto& item) { return item.id == ItemId("integers"); });
    ASSERT_NE(integers, found.end());
    EXPECT_NEAR(integers->score, score({2, -1, 3, 0}, wanted), 1e-5);
}

/// Embeddings of the type VECTOR would be left out: our statements are Cypher 5, which knows no such type.
/// Nobody with Neo4j Community has one, and where this fails that has changed.
TEST(VectorProperties, CantBeStoredInNeo4jCommunity) {
    bolt::Driver driver(bolt::parse_uri(environment("BOLT6_URI")),
                        bolt::AuthToken::basic(environment("BOLT6_USER"), environment("BOLT6_PASSWORD")));
    const auto error = bolt::test::error_of([&] {
        driver.session({.database = "neo4j"})
            .run("CYPHER 25 CREATE (:Vectors {embedding: vector([1.0, 2.0], 2, FLOAT32)})")
            .consume();
    });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->native_code(), "Neo.ClientError.Data.DataUnsupportedByStoreFormat");
}

INSTANTIATE_TEST_SUITE_P(Metrics, SearcherTest,
                         testing::Values(sync::Metric::cosine, sync::Metric::inner_product, sync::Metric::l2),
                         [](const auto& info) { return std::string(sync::to_string(info.param)); });

}  // namespace
}  // namespace crossover::neo4j
