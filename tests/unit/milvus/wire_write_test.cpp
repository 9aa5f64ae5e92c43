#include "milvus/wire_write.h"

#include <google/protobuf/util/message_differencer.h>
#include <grpcpp/support/proto_buffer_reader.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/error.h"
#include "milvus/client.h"
#include "milvus/milvus.pb.h"

namespace crossover::milvus {
namespace {

namespace wire = ::milvus::proto;

ColumnBatch batch(std::vector<ItemId> ids, std::size_t dimension) {
    ColumnBatch rows;
    rows.dimension = dimension;
    for (std::size_t i = 0; i < ids.size() * dimension; ++i)
        rows.vectors.push_back(static_cast<float>(i) * 0.37F - 5);
    for (std::size_t i = 0; i < ids.size(); ++i) rows.versions.push_back(static_cast<std::int64_t>(i) - 1);
    rows.ids = std::move(ids);
    return rows;
}

// The same request, made by protobuf alone.
wire::milvus::UpsertRequest by_protobuf(const ColumnBatch& rows) {
    wire::milvus::UpsertRequest request;
    request.set_db_name("db");
    request.set_collection_name("films");
    request.set_num_rows(static_cast<std::uint32_t>(rows.size()));
    auto* ids = request.add_fields_data();
    ids->set_field_name("id");
    for (const ItemId& id : rows.ids) {
        if (const auto* text = std::get_if<std::string>(&id)) {
            ids->set_type(wire::schema::VarChar);
            ids->mutable_scalars()->mutable_string_data()->add_data(*text);
        } else {
            ids->set_type(wire::schema::Int64);
            ids->mutable_scalars()->mutable_long_data()->add_data(std::get<std::int64_t>(id));
        }
    }
    auto* versions = request.add_fields_data();
    versions->set_field_name("embedding_version");
    versions->set_type(wire::schema::Int64);
    for (const auto version : rows.versions)
        versions->mutable_scalars()->mutable_long_data()->add_data(version);
    return request;
}

void add_vectors(wire::milvus::UpsertRequest& request, const ColumnBatch& rows) {
    auto* field = request.add_fields_data();
    field->set_field_name("embedding");
    field->set_type(wire::schema::FloatVector);
    field->mutable_vectors()->set_dim(static_cast<std::int64_t>(rows.dimension));
    for (const float value : rows.vectors) field->mutable_vectors()->mutable_float_vector()->add_data(value);
}

std::string flatten(const grpc::ByteBuffer& buffer) {
    std::vector<grpc::Slice> slices;
    EXPECT_TRUE(buffer.Dump(&slices).ok());
    std::string bytes;
    for (const auto& slice : slices) bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
    return bytes;
}

void expect_equal(const grpc::ByteBuffer& buffer, const wire::milvus::UpsertRequest& wanted) {
    wire::milvus::UpsertRequest got;
    ASSERT_TRUE(got.ParseFromString(flatten(buffer)));
    EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(got, wanted));
    // Not only equal but byte for byte what protobuf writes for its part and the vectors.
    EXPECT_EQ(buffer.Length(), wanted.ByteSizeLong());
}

TEST(UpsertRequest, EqualsWhatProtobufWrites) {
    for (const std::size_t dimension : {1U, 2U, 31U, 32U, 768U, 5000U}) {
        for (const std::size_t rows : {1U, 2U, 127U, 300U}) {
            std::vector<ItemId> ids;
            for (std::size_t i = 0; i < rows; ++i) ids.emplace_back("id " + std::to_string(i) + "😀");
            const auto shared = std::make_shared<const ColumnBatch>(batch(ids, dimension));
            auto wanted = by_protobuf(*shared);
            add_vectors(wanted, *shared);
            const std::string head = upsert_head("db", "films", *shared);
            expect_equal(upsert_request(head, shared), wanted);
            expect_equal(upsert_request(head, *shared), wanted);
        }
    }
}

TEST(UpsertRequest, CarriesIntegerIdsAndEveryKindOfProperty) {
    auto rows = batch({std::int64_t(-1), std::numeric_limits<std::int64_t>::max(), std::int64_t(0)}, 4);
    rows.vectors[3] = std::numeric_limits<float>::denorm_min();
    rows.vectors[4] = -0.0F;
    rows.properties = {{"title", std::vector<std::string>{"a", "", "ü"}, {1, 0, 1}},
                       {"year", std::vector<std::int64_t>{1, 2, 3}},
                       {"rating", std::vector<double>{0.5, 0, 1e300}, {1, 0, 1}},
                       {"seen", std::vector<std::uint8_t>{1, 0, 7}}};
    auto wanted = by_protobuf(rows);
    auto* title = wanted.add_fields_data();
    title->set_field_name("title");
    title->set_type(wire::schema::VarChar);
    title->mutable_scalars()->mutable_string_data()->add_data("a");
    title->mutable_scalars()->mutable_string_data()->add_data("ü");
    for (const bool valid : {true, false, true}) title->add_valid_data(valid);
    auto* year = wanted.add_fields_data();
    year->set_field_name("year");
    year->set_type(wire::schema::Int64);
    for (const int value : {1, 2, 3}) year->mutable_scalars()->mutable_long_data()->add_data(value);
    auto* rating = wanted.add_fields_data();
    rating->set_field_name("rating");
    rating->set_type(wire::schema::Double);
    for (const double value : {0.5, 1e300}) rating->mutable_scalars()->mutable_double_data()->add_data(value);
    for (const bool valid : {true, false, true}) rating->add_valid_data(valid);
    auto* seen = wanted.add_fields_data();
    seen->set_field_name("seen");
    seen->set_type(wire::schema::Bool);
    for (const bool value : {true, false, true})
        seen->mutable_scalars()->mutable_bool_data()->add_data(value);
    add_vectors(wanted, rows);
    expect_equal(upsert_request(upsert_head("db", "films", rows), rows), wanted);
    EXPECT_EQ(request_bytes("films", rows) + 4, wanted.ByteSizeLong());  // "db": tag, length, two bytes
}

TEST(UpsertRequest, SharesTheFloatsAndHoldsTheBatch) {
    auto rows = std::make_shared<const ColumnBatch>(batch({std::string("a"), std::string("b")}, 256));
    const auto* floats = reinterpret_cast<const std::uint8_t*>(rows->vectors.data());
    const std::weak_ptr<const ColumnBatch> watch = rows;
    {
        const std::string head = upsert_head("", "films", *rows);
        const grpc::ByteBuffer request = upsert_request(head, std::move(rows));
        std::vector<grpc::Slice> slices;
        ASSERT_TRUE(request.Dump(&slices).ok());
        EXPECT_EQ(slices.back().begin(), floats);
        EXPECT_FALSE(watch.expired());
    }
    EXPECT_TRUE(watch.expired());
}

TEST(UpsertRequest, RefusesABatchWhosePartsDoNotFit) {
    const auto broken = [](auto change) {
        auto rows = batch({std::string("a"), std::string("b")}, 2);
        change(rows);
        EXPECT_THROW(upsert_head("", "films", rows), Error);
    };
    broken([](auto& rows) { rows.vectors.pop_back(); });
    broken([](auto& rows) { rows.versions.pop_back(); });
    broken([](auto& rows) { rows.ids[1] = std::int64_t(1); });
    broken([](auto& rows) { rows = {}; });
    broken([](auto& rows) { rows.properties = {{"year", std::vector<std::int64_t>{1}}}; });
    broken([](auto& rows) { rows.properties = {{"year", std::vector<std::int64_t>{1, 2}, {1}}}; });
    broken([](auto& rows) { rows.properties = {{"id", std::vector<std::int64_t>{1, 2}}}; });
}

}  // namespace
}  // namespace crossover::milvus
