#include "neo4j/value_text.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "bolt/driver.h"
#include "integration/bolt/server.h"

namespace crossover::neo4j {
namespace {

using bolt::Value;
using bolt::test::environment;

class ValueTextTest : public testing::Test {
  protected:
    ValueTextTest()
        : driver(bolt::parse_uri(environment("NEO4J_URI")),
                 bolt::AuthToken::basic(environment("NEO4J_USER"), environment("NEO4J_PASSWORD"))) {}

    std::vector<bolt::Record> run(const std::string& query, const bolt::Parameters& parameters) {
        auto session = driver.session({.database = "neo4j"});
        return session.run(query, parameters).collect();
    }
    std::int64_t between(std::int64_t least, std::int64_t most) {
        return std::uniform_int_distribution<std::int64_t>(least, most)(random);
    }
    std::int64_t nanoseconds() {
        static constexpr std::int64_t kUnits[] = {1'000'000'000, 100'000'000, 1'000'000, 1'000, 1};
        const auto unit = kUnits[static_cast<std::size_t>(between(0, 4))];
        return between(0, 1'000'000'000 / unit - 1) * unit;
    }
    /// Near and far, before and after the year 0 and the year 9999.
    std::int64_t days() {
        return between(0, 1) == 0 ? between(-1'500'000, 3'500'000)
                                  : between(-365'243'219'162, 365'241'780'471);
    }
    std::int64_t seconds() { return days() / 2 * 86'400 + between(0, 86'399); }
    std::int64_t offset() { return between(0, 1) == 0 ? between(-18, 18) * 3'600 : between(-64'800, 64'800); }

    bolt::Driver driver;
    std::mt19937_64 random{7};
};

TEST_F(ValueTextTest, IsWhatToStringPrints) {
    bolt::List values;
    for (int i = 0; i < 1'500; ++i) {
        values.emplace_back(bolt::Date{days()});
        values.emplace_back(bolt::LocalTime{between(0, 86'399) * 1'000'000'000 + nanoseconds()});
        values.emplace_back(bolt::Time{between(0, 86'399) * 1'000'000'000 + nanoseconds(), offset()});
        values.emplace_back(bolt::LocalDateTime{seconds(), nanoseconds()});
        values.emplace_back(bolt::DateTime{seconds(), nanoseconds(), offset()});
        const auto part = [&](std::int64_t size) { return between(0, 2) == 0 ? 0 : between(-size, size); };
        values.emplace_back(bolt::Duration{part(30), part(40), part(between(0, 1) == 0 ? 100 : 1'000'000'000),
                                           nanoseconds()});
        values.emplace_back(
            between(std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()));
    }
    const auto rows =
        run("UNWIND range(0, size($values) - 1) AS i RETURN toString($values[i])", {{"values", values}});
    ASSERT_EQ(rows.size(), values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
        EXPECT_EQ(Value(to_text(values[i])), rows[i][0]) << values[i].type_name();
    }
}

TEST_F(ValueTextTest, OfZonesWithANameTheServerKnowsTheOffset) {
    const sync::CarriedProperty property{"at", sync::PropertyType::text};
    const auto rows =
        run("UNWIND [datetime('2024-07-01T08:00[Europe/Paris]'), "
            "datetime('1800-07-01T08:00:00.25[Europe/Paris]'), "
            "datetime('2024-01-01T08:00Z'), [datetime('2024-07-01T08:00[Asia/Tokyo]')], 'x', null, "
            "date('2024-01-01')] AS at "
            "WITH {at: at} AS m RETURN " +
                text_column("m", property),
            {});
    std::vector<std::string> texts;
    for (const auto& row : rows) texts.push_back(to_text(row[0]));
    EXPECT_EQ(texts, (std::vector<std::string>{
                         "2024-07-01T08:00:00+02:00[Europe/Paris]",
                         "1800-07-01T08:00:00.25+00:09:21[Europe/Paris]", "2024-01-01T08:00:00Z",
                         R"(["2024-07-01T08:00:00+09:00[Asia/Tokyo]"])", "x", "null", "2024-01-01"}));
}

TEST_F(ValueTextTest, CypherPrintsTheSameToCompareWith) {
    const sync::CarriedProperty property{"p", sync::PropertyType::text};
    const bolt::List values = {"x",
                               "",
                               5,
                               2.5,
                               7.0,
                               10000000.5,
                               -0.00099,
                               1e300,
                               123456.789,
                               std::numeric_limits<double>::quiet_NaN(),
                               true,
                               bolt::Date{19'000},
                               bolt::Duration{0, 0, -1, 500'000'000},
                               bolt::DateTime{1'704'096'000, 5, 3'600},
                               bolt::Point2D{4326, 12.5, 41.9},
                               bolt::Point2D{7203, -1, 2},
                               bolt::Point3D{9157, 1, 2.25, -3},
                               bolt::List{},
                               bolt::Point2D{4326, 0.0005, 41.9},
                               bolt::List{"a", "b, c", "\"\\\n\t\r\b\f"},
                               bolt::List{std::numeric_limits<double>::quiet_NaN(), 1e-7},
                               bolt::List{-std::numeric_limits<double>::infinity()},
                               bolt::List{1, 2},
                               bolt::List{0.5, 1.0},
                               bolt::List{true},
                               bolt::List{bolt::Date{1}},
                               bolt::List{bolt::Point2D{4326, 1, 2}}};
    const auto rows = run("UNWIND $values AS p WITH {p: p} AS m RETURN " + text_expression("m", property),
                          {{"values", values}});
    ASSERT_EQ(rows.size(), values.size());
    for (std::size_t i = 0; i < values.size(); ++i) EXPECT_EQ(Value(to_text(values[i])), rows[i][0]);
    // Of another text, but no error.
    const bolt::Bytes bytes{std::byte{1}};
    EXPECT_EQ(run("WITH {p: $p} AS m RETURN " + text_expression("m", property), {{"p", bytes}}).size(), 1U);
}

}  // namespace
}  // namespace crossover::neo4j
