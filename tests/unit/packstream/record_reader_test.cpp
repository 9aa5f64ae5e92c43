#include "bolt/record_reader.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "unit/packstream/bytes.h"

namespace crossover::bolt::test {
namespace {

using Status = Float32ListStatus;

struct Outcome {
    Float32List list;
    std::vector<float> column;
    bool next_field_read = false;
};

/// Reads the field, then the 42 behind it, into a column that holds a 9 already.
Outcome read(const Bytes& field, std::size_t expected_dimension = 0) {
    const Bytes bytes = field + hex("2A");
    Decoder decoder(bytes);
    Outcome outcome{{}, {9.0F}};
    outcome.list = read_float32_list(decoder, expected_dimension, outcome.column);
    std::int64_t next = 0;
    outcome.next_field_read = decoder.read_int(next) && next == 42 && decoder.at_end();

    // The span form agrees.
    std::vector<float> out(expected_dimension == 0 ? outcome.list.dimension : expected_dimension);
    Decoder again(bytes);
    const Float32List list = read_float32_list(again, std::span<float>(out));
    EXPECT_EQ(list.status, outcome.list.status);
    EXPECT_EQ(list.dimension, outcome.list.dimension);
    EXPECT_EQ(list.all_zero, outcome.list.all_zero);
    if (list.status == Status::ok) {
        EXPECT_EQ(std::vector<float>(outcome.column.begin() + 1, outcome.column.end()), out);
    }
    EXPECT_EQ(again.ok(), decoder.ok());
    return outcome;
}

void expect_refused(const Bytes& field, Status status, std::size_t dimension,
                    std::size_t expected_dimension = 0) {
    const Outcome outcome = read(field, expected_dimension);
    EXPECT_EQ(outcome.list.status, status) << to_string(outcome.list.status);
    EXPECT_EQ(outcome.list.dimension, dimension);
    EXPECT_FALSE(outcome.list.all_zero);
    EXPECT_EQ(outcome.column, std::vector{9.0F}) << "restored";
    EXPECT_TRUE(outcome.next_field_read);
}

TEST(RecordReader, AppendsFloatsToTheColumn) {
    const Outcome outcome = read(encode(List{1.0, -2.5, 0.1}), 3);
    EXPECT_EQ(outcome.list.status, Status::ok);
    EXPECT_EQ(outcome.list.dimension, 3U);
    EXPECT_FALSE(outcome.list.all_zero);
    EXPECT_EQ(outcome.column, (std::vector{9.0F, 1.0F, -2.5F, 0.1F}));
    EXPECT_TRUE(outcome.next_field_read);
}

TEST(RecordReader, ConvertsIntegersAmongFloats) {
    const Outcome outcome = read(encode(List{1.5, 2, -300, std::int64_t{1} << 40, 0.25}));
    EXPECT_EQ(outcome.list.status, Status::ok);
    EXPECT_EQ(outcome.column, (std::vector{9.0F, 1.5F, 2.0F, -300.0F, 1099511627776.0F, 0.25F}));
    EXPECT_EQ(read(encode(List{1, 2})).column, (std::vector{9.0F, 1.0F, 2.0F}));
    // Integers of nine bytes look like floats to a reader that only counts bytes.
    const std::int64_t large = std::numeric_limits<std::int64_t>::max();
    EXPECT_EQ(read(encode(List{large, 1.0})).column, (std::vector{9.0F, 9223372036854775808.0F, 1.0F}));
}

TEST(RecordReader, RoundsLikeTheLanguageBitForBit) {
    constexpr unsigned kSeed = 7;
    SCOPED_TRACE(kSeed);
    std::mt19937_64 random(kSeed);
    List list;
    std::vector<float> expected{9.0F};
    // Halfway between two floats to the even one; subnormals; the largest that stays finite.
    for (const double special : {1.0 + 0x1p-24, 1.0 + 0x3p-24, 0x1p-149, 0x1p-150, 0x1.8p-150, -0x1p-1074,
                                 0x1.fffffefffffffp127, -0.0, 0.0}) {
        list.push_back(special);
        expected.push_back(static_cast<float>(special));
    }
    while (list.size() < 10'000) {
        const double number = std::bit_cast<double>(random());
        if (!std::isfinite(static_cast<float>(number))) continue;
        list.push_back(number);
        expected.push_back(static_cast<float>(number));
    }
    const Outcome outcome = read(encode(list));
    ASSERT_EQ(outcome.list.status, Status::ok);
    ASSERT_EQ(outcome.column.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
        ASSERT_EQ(std::bit_cast<std::uint32_t>(outcome.column[i]), std::bit_cast<std::uint32_t>(expected[i]))
            << i;
    }
    EXPECT_EQ(outcome.column[1], 1.0F);
    EXPECT_EQ(outcome.column[2], 1.0F + 0x1p-22F);
}

TEST(RecordReader, WhatIsNotFiniteAsFloat32IsRefusedAnywhere) {
    const double infinity = std::numeric_limits<double>::infinity();
    for (const double bad : {std::nan(""), -std::nan(""), infinity, -infinity, 1e39, -1e39, 0x1.ffffffp127}) {
        for (std::size_t position = 0; position < 20; ++position) {
            List list(20, Value(1.0));
            list[position] = bad;
            expect_refused(encode(list), Status::not_finite, 20);
            list[0] = position == 0 ? Value(bad) : Value(3);
            expect_refused(encode(list), Status::not_finite, 20);
        }
    }
    EXPECT_EQ(read(encode(List{3.4028234663852886e38, -3.4028234663852886e38})).list.status, Status::ok);
    // Exponents that only together are all ones.
    EXPECT_EQ(read(encode(List{0x1p127, 1.0, 0x1p-126, 1e-30, 1e30})).list.status, Status::ok);
}

TEST(RecordReader, ZeroIsSaidOfAllElements) {
    EXPECT_TRUE(read(encode(List{0.0, -0.0, 0})).list.all_zero);
    EXPECT_TRUE(read(encode(List{0.0, -0.0})).list.all_zero);
    EXPECT_TRUE(read(encode(List{1e-60})).list.all_zero) << "zero as a float32";
    EXPECT_FALSE(read(encode(List{0.0, 0.0, 1e-45})).list.all_zero);
}

TEST(RecordReader, ADimensionIsJudgedBeforeElements) {
    expect_refused(encode(List{1.0, 2.0}), Status::wrong_dimension, 2, 3);
    expect_refused(encode(List{1.0, "x", 2.0, 3.0}), Status::wrong_dimension, 4, 3);
    expect_refused(encode(List{}), Status::wrong_dimension, 0, 3);
    expect_refused(encode(Vector{std::vector<float>{1.0F}}), Status::wrong_dimension, 1, 3);
    const Outcome empty = read(encode(List{}));
    EXPECT_EQ(empty.list.status, Status::ok);
    EXPECT_EQ(empty.list.dimension, 0U);
}

TEST(RecordReader, OtherElementsAreNotNumeric) {
    for (const Value& element :
         {Value("1"), Value(), Value(true), Value(List{1.0}), Value(Map{{"a", 1}}), Value(Date{1})}) {
        expect_refused(encode(List{1.0, element, 2.0}), Status::not_numeric, 3);
        expect_refused(encode(List{element, std::nan("")}), Status::not_numeric, 2);
    }
    expect_refused(encode(List{std::nan(""), "x"}), Status::not_finite, 2);
}

TEST(RecordReader, OtherFieldsAreNoList) {
    expect_refused(encode(nullptr), Status::null, 0);
    for (const Value& field :
         {Value("text"), Value(1), Value(1.5), Value(true), Value(Bytes(8)), Value(Map{{"a", List{1.0}}}),
          Value(Point2D{1, 2, 3}), Value(UnsupportedType{"VECTOR", 6, 0, ""})}) {
        expect_refused(encode(field), Status::not_a_list, 0);
    }
}

TEST(RecordReader, VectorsOfEveryType) {
    const std::vector expected{9.0F, 1.0F, -2.0F};
    EXPECT_EQ(read(encode(Vector{std::vector<float>{1, -2}}), 2).column, expected);
    EXPECT_EQ(read(encode(Vector{std::vector<double>{1, -2}}), 2).column, expected);
    EXPECT_EQ(read(encode(Vector{std::vector<std::int8_t>{1, -2}}), 2).column, expected);
    EXPECT_EQ(read(encode(Vector{std::vector<std::int16_t>{1, -2}}), 2).column, expected);
    EXPECT_EQ(read(encode(Vector{std::vector<std::int32_t>{1, -2}}), 2).column, expected);
    EXPECT_EQ(read(encode(Vector{std::vector<std::int64_t>{1, -2}}), 2).column, expected);
    EXPECT_TRUE(read(encode(Vector{std::vector<float>{0, -0.0F}})).list.all_zero);
    expect_refused(encode(Vector{std::vector<float>{1, std::numeric_limits<float>::quiet_NaN()}}),
                   Status::not_finite, 2);
    expect_refused(encode(Vector{std::vector<double>{1, 1e39}}), Status::not_finite, 2);
}

TEST(RecordReader, TruncatedAnywhereIsMalformedAndRestores) {
    for (const Bytes& whole :
         {encode(List{1.0, 2.0, 3}), encode(List{1.0, "xyz"}), encode(Vector{std::vector<float>{1, 2}})}) {
        for (std::size_t size = 0; size < whole.size(); ++size) {
            for (const std::size_t dimension : {0U, 3U}) {
                const Bytes bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
                Decoder decoder(bytes);
                std::vector<float> column{9.0F};
                EXPECT_EQ(read_float32_list(decoder, dimension, column).status, Status::malformed) << size;
                EXPECT_EQ(column, std::vector{9.0F});
                EXPECT_FALSE(decoder.ok());
            }
        }
    }
}

TEST(RecordReader, MalformedVectorsAndHostileSizes) {
    for (const char* field :
         {"B2 56 CC01C7 CC00", "B2 56 CC01C6 CC03000000", "B2 56 CC00 CC00", "B1 56 CC00", "B2 56 01 02",
          "B2 56 CC01C6 CEFFFFFFFF00", "D6 FFFFFFFF C1", "92 C4 00", "92 8158 C4"}) {
        const Bytes bytes = hex(field);
        Decoder decoder(bytes);
        std::vector<float> column{9.0F};
        EXPECT_EQ(read_float32_list(decoder, 0, column).status, Status::malformed) << field;
        EXPECT_EQ(column, std::vector{9.0F});
        EXPECT_FALSE(decoder.ok()) << field;
    }
}

}  // namespace
}  // namespace crossover::bolt::test
