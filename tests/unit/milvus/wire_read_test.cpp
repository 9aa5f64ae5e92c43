#include "milvus/wire_read.h"

#include <google/protobuf/stubs/logging.h>
#include <gtest/gtest.h>

#include <random>

#include "milvus/milvus.pb.h"

namespace crossover::milvus {
namespace {

namespace wire = ::milvus::proto;

// In slices of `part` bytes, as the network may deliver them.
grpc::ByteBuffer buffer(const std::string& bytes, std::size_t part) {
    std::vector<grpc::Slice> slices;
    for (std::size_t i = 0; i < bytes.size(); i += part) slices.emplace_back(bytes.substr(i, part));
    return grpc::ByteBuffer(slices.data(), slices.size());
}

wire::milvus::QueryResults answer() {
    wire::milvus::QueryResults results;
    results.mutable_status()->set_code(0);
    auto* vectors = results.add_fields_data();
    vectors->set_type(wire::schema::FloatVector);
    vectors->set_field_name("embedding");
    vectors->set_field_id(101);
    vectors->mutable_vectors()->set_dim(3);
    for (int i = 0; i < 9; ++i)
        vectors->mutable_vectors()->mutable_float_vector()->add_data(static_cast<float>(i) / 7);
    auto* ids = results.add_fields_data();
    ids->set_type(wire::schema::VarChar);
    ids->set_field_name("id");
    for (const char* id : {"a", "b", "c"}) ids->mutable_scalars()->mutable_string_data()->add_data(id);
    auto* years = results.add_fields_data();
    years->set_type(wire::schema::Int32);
    years->set_field_name("year");
    for (const int year : {1, 2}) years->mutable_scalars()->mutable_int_data()->add_data(year);
    for (const bool valid : {true, false, true}) years->add_valid_data(valid);
    return results;
}

TEST(QueryAnswer, DecodesWhateverTheSlices) {
    const std::string bytes = answer().SerializeAsString();
    for (const std::size_t part : {1U, 2U, 7U, 64U, 4096U}) {
        auto received = buffer(bytes, part);
        const auto decoded = decode_query(received);
        ASSERT_TRUE(decoded) << part;
        EXPECT_TRUE(decoded->status.ok());
        ASSERT_EQ(decoded->fields.size(), 3U);
        EXPECT_EQ(decoded->fields[0].name, "embedding");
        EXPECT_EQ(decoded->fields[0].dimension, 3U);
        ASSERT_EQ(decoded->fields[0].vectors.size(), 9U);
        for (int i = 0; i < 9; ++i)
            EXPECT_EQ(decoded->fields[0].vectors[std::size_t(i)], static_cast<float>(i) / 7);
        EXPECT_EQ(decoded->fields[1].scalars, ColumnValues(std::vector<std::string>{"a", "b", "c"}));
        EXPECT_EQ(decoded->fields[2].scalars, ColumnValues(std::vector<std::int64_t>{1, 0, 2}));
        EXPECT_EQ(decoded->fields[2].valid, (std::vector<std::uint8_t>{1, 0, 1}));
    }
}

TEST(QueryAnswer, KeepsTheStatus) {
    wire::milvus::QueryResults results;
    results.mutable_status()->set_code(101);
    results.mutable_status()->set_error_code(wire::common::UnexpectedError);
    results.mutable_status()->set_reason("not loaded");
    auto received = buffer(results.SerializeAsString(), 3);
    const auto decoded = decode_query(received);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->status.code, 101);
    EXPECT_EQ(decoded->status.legacy_code, 1);
    EXPECT_EQ(decoded->status.reason, "not loaded");
}

TEST(QueryAnswer, RefusesEveryTruncationThatCutsAField) {
    const std::string bytes = answer().SerializeAsString();
    std::size_t refused = 0;
    for (std::size_t length = 1; length < bytes.size(); ++length) {
        auto received = buffer(bytes.substr(0, length), 16);
        refused += !decode_query(received);
    }
    // Only a cut between two fields of the outermost message leaves a well-formed answer.
    EXPECT_GE(refused, bytes.size() - 5);
}

TEST(QueryAnswer, AsksForNoMemoryOnALengthThatIsNotThere) {
    // fields_data > vectors > float_vector > data, each claiming two billion bytes.
    std::string bytes =
        "\x12\xfc\xff\xff\xff\x07\x22\xfb\xff\xff\xff\x07\x12\xfa\xff\xff\xff\x07\x0a\xf8\xff\xff\xff\x07";
    auto received = buffer(bytes, 64);
    EXPECT_FALSE(decode_query(received));
}

TEST(QueryAnswer, SurvivesArbitraryChanges) {
    const std::string bytes = answer().SerializeAsString();
    constexpr unsigned kSeed = 42;
    SCOPED_TRACE(kSeed);
    const google::protobuf::LogSilencer quiet;  // it reports each string that is no UTF-8
    std::mt19937 random(kSeed);
    for (int round = 0; round < 20'000; ++round) {
        std::string changed = bytes;
        for (int k = 0; k < 3; ++k) changed[random() % changed.size()] = static_cast<char>(random());
        auto received = buffer(changed, 1 + random() % 40);
        const auto decoded = decode_query(received);
        if (!decoded) continue;
        for (const auto& field : decoded->fields) EXPECT_LE(field.vectors.size(), bytes.size());
    }
}

}  // namespace
}  // namespace crossover::milvus
