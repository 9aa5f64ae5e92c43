#include "neo4j/row_decoder.h"

#include <gtest/gtest.h>

#include <limits>

namespace crossover::neo4j {
namespace {

using sync::PropertyType;
using sync::RejectionReason;

class RowDecoderTest : public testing::Test {
  protected:
    RowDecoderTest() {
        mapping.dimension = 4;
        mapping.properties = {{"note", PropertyType::text}, {"score", PropertyType::float64}};
    }

    RowDecoder::Row decode(const bolt::List& vector, const bolt::Value& note = {},
                           const bolt::Value& score = {}) {
        bolt::Encoder encoder(bytes);
        for (const bolt::Value& field : {bolt::Value("a"), bolt::Value(vector), note, score})
            encoder.write_value(field);
        bolt::Decoder decoder(bytes);
        batch = sync::make_batch(mapping);
        auto row = RowDecoder(mapping).decode(decoder, 1, batch);
        EXPECT_TRUE(decoder.ok());
        bytes.clear();
        return row;
    }
    std::optional<RejectionReason> reason(const RowDecoder::Row& row) {
        if (!row.rejected) return std::nullopt;
        EXPECT_TRUE(batch.vectors.empty());
        return row.rejected->reason;
    }

    sync::MediaMapping mapping;
    sync::ItemBatch batch;
    std::vector<std::byte> bytes;
};

const bolt::List kGood = {1.0, 0.5, -0.25, 2};

TEST_F(RowDecoderTest, TextOfAnyValue) {
    EXPECT_FALSE(decode(kGood, bolt::Point2D{4326, 12.5, 41.9}, 2).rejected);
    EXPECT_EQ(std::get<std::vector<std::string>>(batch.properties[0].values).front(),
              "SRID=4326;POINT(12.5 41.9)");
    EXPECT_EQ(std::get<std::vector<double>>(batch.properties[1].values).front(), 2.0);
}

TEST_F(RowDecoderTest, AnIntegerThatADoubleMightRoundIsRefused) {
    const std::int64_t most = std::int64_t{1} << 53;
    EXPECT_EQ(reason(decode(kGood, {}, most)), std::nullopt);
    EXPECT_EQ(reason(decode(kGood, {}, -most)), std::nullopt);
    EXPECT_EQ(reason(decode(kGood, {}, most + 1)), RejectionReason::property_type);
    EXPECT_EQ(reason(decode(kGood, {}, -most - 1)), RejectionReason::property_type);
    EXPECT_EQ(reason(decode(kGood, {}, std::numeric_limits<std::int64_t>::min())),
              RejectionReason::property_type);
}

TEST_F(RowDecoderTest, AVectorWithoutADirectionIsAZeroVector) {
    for (const double size : {0.0, 1e-42, 1e-30, 1e-21, 1e20, 1e38}) {
        const bolt::List vector(4, bolt::Value(size));
        mapping.metric = sync::Metric::cosine;
        EXPECT_EQ(reason(decode(vector)), RejectionReason::zero_vector) << size;
        mapping.metric = sync::Metric::l2;
        EXPECT_EQ(reason(decode(vector)), std::nullopt) << size;
    }
    mapping.metric = sync::Metric::cosine;
    for (const double size : {1e-18, 1e18})
        EXPECT_EQ(reason(decode(bolt::List(4, bolt::Value(size)))), std::nullopt);
}

}  // namespace
}  // namespace crossover::neo4j
