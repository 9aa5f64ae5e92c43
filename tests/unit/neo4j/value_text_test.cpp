#include "neo4j/value_text.h"

#include <gtest/gtest.h>

#include <limits>

namespace crossover::neo4j {
namespace {

using bolt::Value;

// What Neo4j's own toString() prints of the same values is in tests/integration/neo4j/value_text_test.cpp.

TEST(ValueText, PlainValues) {
    EXPECT_EQ(to_text(Value("a, \"b\"")), "a, \"b\"");
    EXPECT_EQ(to_text(Value(true)), "true");
    EXPECT_EQ(to_text(Value(std::numeric_limits<std::int64_t>::min())), "-9223372036854775808");
}

TEST(ValueText, FloatsAreNeverIntegers) {
    EXPECT_EQ(to_text(Value(5.0)), "5.0");
    EXPECT_EQ(to_text(Value(-0.0)), "-0.0");
    EXPECT_EQ(to_text(Value(0.1)), "0.1");
    // As Java, and so Neo4j, prints them.
    EXPECT_EQ(to_text(Value(1e300)), "1.0E300");
    EXPECT_EQ(to_text(Value(-1.25e-300)), "-1.25E-300");
    EXPECT_EQ(to_text(Value(0.001)), "0.001");
    EXPECT_EQ(to_text(Value(0.00099)), "9.9E-4");
    EXPECT_EQ(to_text(Value(9999999.5)), "9999999.5");
    EXPECT_EQ(to_text(Value(10000000.5)), "1.00000005E7");
    EXPECT_EQ(to_text(Value(std::numeric_limits<double>::quiet_NaN())), "NaN");
    EXPECT_EQ(to_text(Value(-std::numeric_limits<double>::infinity())), "-Infinity");
}

TEST(ValueText, Dates) {
    EXPECT_EQ(to_text(bolt::Date{0}), "1970-01-01");
    EXPECT_EQ(to_text(bolt::Date{19'782}), "2024-02-29");
    EXPECT_EQ(to_text(bolt::Date{-719'528}), "0000-01-01");
    EXPECT_EQ(to_text(bolt::Date{-719'529}), "-0001-12-31");
    EXPECT_EQ(to_text(bolt::Date{2'932'897}), "+10000-01-01");
    EXPECT_EQ(to_text(bolt::Date{365'241'780'471}), "+999999999-12-31");
    EXPECT_EQ(to_text(bolt::Date{-365'243'219'162}), "-999999999-01-01");
}

TEST(ValueText, Times) {
    EXPECT_EQ(to_text(bolt::LocalTime{43'200'000'000'000}), "12:00:00");
    EXPECT_EQ(to_text(bolt::LocalTime{1}), "00:00:00.000000001");
    EXPECT_EQ(to_text(bolt::Time{86'399'120'000'000, -1'800}), "23:59:59.12-00:30");
    EXPECT_EQ(to_text(bolt::Time{0, 19'815}), "00:00:00+05:30:15");
    EXPECT_EQ(to_text(bolt::LocalDateTime{-1, 500'000'000}), "1969-12-31T23:59:59.5");
    EXPECT_EQ(to_text(bolt::DateTime{1'704'096'000, 0, 0}), "2024-01-01T08:00:00Z");
    EXPECT_EQ(to_text(bolt::DateTime{1'704'096'000, 123'456'789, 7'200}),
              "2024-01-01T10:00:00.123456789+02:00");
    EXPECT_EQ(to_text(bolt::DateTimeZoneId{1'719'813'600, 0, "Europe/Paris"}),
              "2024-07-01T06:00:00Z[Europe/Paris]");
}

TEST(ValueText, Durations) {
    EXPECT_EQ(to_text(bolt::Duration{14, 3, 14'706, 700'000'000}), "P1Y2M3DT4H5M6.7S");
    EXPECT_EQ(to_text(bolt::Duration{-14, 0, 0, 0}), "P-1Y-2M");
    EXPECT_EQ(to_text(bolt::Duration{0, 0, 0, 0}), "PT0S");
    EXPECT_EQ(to_text(bolt::Duration{0, 0, -1, 500'000'000}), "PT-0.5S");
    EXPECT_EQ(to_text(bolt::Duration{0, 0, -61, 250'000'000}), "PT-1M-0.75S");
    EXPECT_EQ(to_text(bolt::Duration{0, 0, -3'600, 1}), "PT-59M-59.999999999S");
    EXPECT_EQ(to_text(bolt::Duration{1, 0, -1, 0}), "P1MT-1S");
    EXPECT_EQ(to_text(bolt::Duration{0, 0, 3'600, 120'000'000}), "PT1H0.12S");
}

TEST(ValueText, Points) {
    EXPECT_EQ(to_text(bolt::Point2D{4326, 12.5, 41.9}), "SRID=4326;POINT(12.5 41.9)");
    EXPECT_EQ(to_text(bolt::Point2D{7203, 1, -2.5}), "SRID=7203;POINT(1 -2.5)");
    EXPECT_EQ(to_text(bolt::Point2D{7203, 0.0005, 20000000}), "SRID=7203;POINT(5.0E-4 20000000)");
    EXPECT_EQ(to_text(bolt::Point3D{4979, 12.5, 41.9, 100}), "SRID=4979;POINT(12.5 41.9 100)");
}

TEST(ValueText, ListsAreJson) {
    EXPECT_EQ(to_text(bolt::List{}), "[]");
    EXPECT_EQ(to_text(bolt::List{"a", "b, c"}), R"(["a","b, c"])");
    EXPECT_EQ(to_text(bolt::List{"\"\\/\n\t\x01ü"}), R"(["\"\\/\n\t\u0001ü"])");
    EXPECT_EQ(to_text(bolt::List{1, -2}), "[1,-2]");
    EXPECT_EQ(to_text(bolt::List{1.0, 0.5}), "[1.0,0.5]");
    EXPECT_EQ(to_text(bolt::List{true, false}), "[true,false]");
    EXPECT_EQ(to_text(bolt::List{std::numeric_limits<double>::infinity()}), R"(["Infinity"])");
    EXPECT_EQ(to_text(bolt::List{bolt::Date{0}, bolt::Date{1}}), R"(["1970-01-01","1970-01-02"])");
    EXPECT_EQ(to_text(bolt::List{bolt::Point2D{4326, 1, 2}}), R"x(["SRID=4326;POINT(1 2)"])x");
}

TEST(ValueText, BytesAreBase64) {
    EXPECT_EQ(to_text(bolt::Bytes{std::byte{0}, std::byte{0xff}, std::byte{0x10}, std::byte{0x20}}),
              "AP8QIA==");
    EXPECT_EQ(to_text(bolt::Bytes{}), "");
}

TEST(ValueText, OnlyTextsNeedMoreThanTheProperty) {
    EXPECT_EQ(text_column("m", {"release `year`", sync::PropertyType::int64}), "m.`release ``year```");
    EXPECT_NE(text_column("m", {"at", sync::PropertyType::text}).find("m.`at` IS :: ZONED DATETIME"),
              std::string::npos);
}

}  // namespace
}  // namespace crossover::neo4j
