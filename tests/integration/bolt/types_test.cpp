#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "bolt/record_reader.h"
#include "integration/bolt/server.h"

namespace crossover::bolt::test {
namespace {

using testing::ElementsAre;

struct TypesTest : testing::Test {
    Driver driver = connect();
    Session session = driver.session();
};

TEST_F(TypesTest, EveryValueComesBackAsItWent) {
    constexpr auto kLeast = std::numeric_limits<std::int64_t>::min();
    constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
    const List values{nullptr,
                      true,
                      false,
                      0,
                      -1,
                      -16,
                      -17,
                      127,
                      128,
                      -129,
                      32768,
                      2147483648LL,
                      kLeast,
                      kMost,
                      0.0,
                      -1.5,
                      std::numeric_limits<double>::infinity(),
                      "",
                      "quote ' back\\slash \n \xF0\x9F\x8E\xAC",
                      std::string(70'000, 'x'),
                      Bytes{std::byte{0}, std::byte{255}},
                      List{},
                      List{1, "two", List{3.0}},
                      Map{},
                      Map{{"a", 1}, {"b", List{nullptr}}},
                      Date{-719'162},
                      Date{19'000},
                      Time{86'399'999'999'999, -3600},
                      LocalTime{1},
                      DateTime{1'700'000'000, 999'999'999, 5400},
                      DateTimeZoneId{1'700'000'000, 1, "Europe/Stockholm"},
                      LocalDateTime{-1, 500},
                      Duration{14, -3, 5, 7},
                      Point2D{4326, 12.5, -7.25},
                      Point2D{7203, 1, 2},
                      Point3D{4979, 1, 2, 3},
                      Point3D{9157, -1, -2, -3}};
    for (const Value& value : values) {
        const Record row = session.run("RETURN $value AS value", {{"value", value}}).single();
        EXPECT_EQ(row.at("value"), value) << value.type_name();
    }
    const Record nan = session.run("RETURN $value AS value", {{"value", std::nan("")}}).single();
    EXPECT_TRUE(std::isnan(nan.get<double>("value")));
}

TEST_F(TypesTest, GraphStructures) {
    Transaction transaction = session.begin();
    const Record row =
        transaction
            .run(
                "CREATE p = (a:BoltA:BoltB {n: 1})-[r:KNOWS {since: 2}]->(b:BoltC)<-[:LIKES]-(c:BoltD) "
                "RETURN a, r, p")
            .single();
    const Node& a = row.get<Node>("a");
    EXPECT_THAT(a.labels, testing::UnorderedElementsAre("BoltA", "BoltB"));
    EXPECT_EQ(a.properties, (Map{{"n", 1}}));
    EXPECT_FALSE(a.element_id.empty());
    const Relationship& r = row.get<Relationship>("r");
    EXPECT_EQ(r.type, "KNOWS");
    EXPECT_EQ(r.start_node_element_id, a.element_id);
    EXPECT_EQ(r.properties, (Map{{"since", 2}}));
    const Path& path = row.get<Path>("p");
    EXPECT_EQ(path.nodes.size(), 3u);
    EXPECT_EQ(path.relationships.size(), 2u);
    EXPECT_THAT(path.indices, ElementsAre(1, 1, -2, 2));
    transaction.rollback();
}

TEST_F(TypesTest, FloatListsByTheRawPath) {
    constexpr std::size_t kDimension = 768;
    constexpr std::int64_t kRows = 500;
    Result result = session.run(
        "UNWIND range(1, $rows) AS i RETURN i, [j IN range(1, $dimension) | toFloat(i) / j] AS embedding",
        {{"rows", kRows}, {"dimension", std::int64_t{kDimension}}});
    std::vector<float> column;
    std::int64_t expected_id = 0;
    EXPECT_TRUE(result.for_each_raw([&](Decoder& fields, std::size_t size) {
        EXPECT_EQ(size, 2u);
        std::int64_t id = 0;
        fields.read_int(id);
        EXPECT_EQ(id, ++expected_id);
        EXPECT_EQ(read_float32_list(fields, kDimension, column).status, Float32ListStatus::ok);
        return true;
    }));
    ASSERT_EQ(column.size(), kRows * kDimension);
    for (std::size_t i = 0; i < column.size(); ++i) {
        const double source =
            static_cast<double>(i / kDimension + 1) / static_cast<double>(i % kDimension + 1);
        ASSERT_EQ(column[i], static_cast<float>(source)) << i;
    }
}

TEST_F(TypesTest, ParametersWrittenByCallback) {
    std::vector<std::int64_t> ids(100'000);
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < ids.size(); ++i) sum += ids[i] = static_cast<std::int64_t>(i * i);
    Parameters parameters;
    parameters.add("ids", [&](Encoder& encoder) {
        encoder.write_list_header(ids.size());
        for (const auto id : ids) encoder.write_int(id);
    });
    const Record row =
        session.run("UNWIND $ids AS id RETURN count(id) AS n, sum(id) AS sum", parameters).single();
    EXPECT_EQ(row.get<std::int64_t>("n"), 100'000);
    EXPECT_EQ(row.get<std::int64_t>("sum"), sum);
}

TEST(VectorTest, Float32VectorsOverBolt6) {
    const char* uri = std::getenv("BOLT6_URI");
    if (uri == nullptr) GTEST_SKIP() << "BOLT6_URI names no server that speaks Bolt 6";
    Driver driver(parse_uri(uri), AuthToken::basic(environment("BOLT6_USER"), environment("BOLT6_PASSWORD")));
    ASSERT_EQ(driver.verify_connectivity("", Deadline::after(std::chrono::seconds(30))).bolt,
              (Version{6, 0}));
    Session session = driver.session();
    const char* query = "CYPHER 25 RETURN vector([1.5, -2.25, 3.0], 3, FLOAT32) AS v";
    EXPECT_EQ(session.run(query).single().get<Vector>("v"), (Vector{std::vector<float>{1.5F, -2.25F, 3.0F}}));
    std::vector<float> column;
    session.run(query).for_each_raw([&](Decoder& fields, std::size_t) {
        EXPECT_EQ(read_float32_list(fields, 3, column).status, Float32ListStatus::ok);
        return true;
    });
    EXPECT_THAT(column, ElementsAre(1.5F, -2.25F, 3.0F));
}

}  // namespace
}  // namespace crossover::bolt::test
