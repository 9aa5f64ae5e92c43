#include "milvus/wire_write.h"

#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/error.h"
#include "milvus/client.h"
#include "milvus/milvus.pb.h"

namespace crossover::milvus {
namespace {

namespace wire = ::milvus::proto;
using google::protobuf::io::CodedOutputStream;

static_assert(std::endian::native == std::endian::little, "float columns are sent as they lie in memory");

void demand(bool condition, std::string_view what) {
    if (!condition)
        throw Error(System::internal, ErrorKind::internal, fmt::format("An upsert batch whose {}.", what));
}

void check(const CollectionRef& collection, const ColumnBatch& batch) {
    const std::size_t rows = batch.size();
    demand(rows > 0, "ids are none");
    demand(batch.dimension > 0 && batch.vectors.size() == rows * batch.dimension,
           "vectors do not match its ids");
    demand(batch.versions.size() == rows, "versions do not match its ids");
    const auto kind = batch.ids.front().index();
    demand(
        std::all_of(batch.ids.begin(), batch.ids.end(), [&](const auto& id) { return id.index() == kind; }),
        "ids are of both kinds");
    for (const Column& column : batch.properties) {
        demand(column.size() == rows, fmt::format("column '{}' does not match its ids", column.name));
        demand(column.valid.empty() || column.valid.size() == rows,
               fmt::format("column '{}' has a validity that does not match its ids", column.name));
        demand(column.name != collection.fields.id && column.name != collection.fields.vector &&
                   column.name != collection.fields.version,
               fmt::format("property '{}' has the name of a field of ours", column.name));
    }
}

void add_ids(wire::schema::FieldData& field, const std::vector<ItemId>& ids) {
    const int rows = static_cast<int>(ids.size());
    if (std::holds_alternative<std::string>(ids.front())) {
        field.set_type(wire::schema::VarChar);
        auto& data = *field.mutable_scalars()->mutable_string_data()->mutable_data();
        data.Reserve(rows);
        for (const auto& id : ids) data.Add()->assign(std::get<std::string>(id));
    } else {
        field.set_type(wire::schema::Int64);
        auto& data = *field.mutable_scalars()->mutable_long_data()->mutable_data();
        data.Reserve(rows);
        for (const auto& id : ids) data.AddAlreadyReserved(std::get<std::int64_t>(id));
    }
}

// A nullable field carries its present values only, and says by valid_data whose they are.
template <class Values, class Add>
void each_present(const Column& column, const Values& values, Add add) {
    for (std::size_t row = 0; row < values.size(); ++row) {
        if (column.has(row)) add(values[row]);
    }
}

struct AddValues {
    const Column& column;
    wire::schema::FieldData& field;

    void operator()(const std::vector<std::uint8_t>& values) const {
        field.set_type(wire::schema::Bool);
        auto* data = field.mutable_scalars()->mutable_bool_data();
        each_present(column, values, [&](std::uint8_t value) { data->add_data(value != 0); });
    }
    void operator()(const std::vector<std::int64_t>& values) const {
        field.set_type(wire::schema::Int64);
        auto* data = field.mutable_scalars()->mutable_long_data();
        each_present(column, values, [&](std::int64_t value) { data->add_data(value); });
    }
    void operator()(const std::vector<double>& values) const {
        field.set_type(wire::schema::Double);
        auto* data = field.mutable_scalars()->mutable_double_data();
        each_present(column, values, [&](double value) { data->add_data(value); });
    }
    void operator()(const std::vector<std::string>& values) const {
        field.set_type(wire::schema::VarChar);
        auto* data = field.mutable_scalars()->mutable_string_data();
        each_present(column, values, [&](const std::string& value) { data->add_data(value); });
    }
};

void append_varint(std::string& out, std::uint64_t value) {
    std::uint8_t bytes[10];
    const auto* end = CodedOutputStream::WriteVarint64ToArray(value, bytes);
    out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(end - bytes));
}

// A length-delimited field up to its content. Field numbers below 16 take one byte.
void append_length_field(std::string& out, int number, std::size_t length) {
    out += static_cast<char>(number << 3 | 2);
    append_varint(out, length);
}

// FieldData{type, field_name, vectors{dim, float_vector{data}}} up to the floats, as a fields_data of the
// request.
void append_vector_field(std::string& out, const std::string& name, const ColumnBatch& batch) {
    using wire::schema::FieldData;
    using wire::schema::VectorField;
    const std::size_t floats = batch.vectors.size() * sizeof(float);
    std::string array;
    append_length_field(array, wire::schema::FloatArray::kDataFieldNumber, floats);

    VectorField dimension;
    dimension.set_dim(static_cast<std::int64_t>(batch.dimension));
    std::string vectors = dimension.SerializeAsString();
    append_length_field(vectors, VectorField::kFloatVectorFieldNumber, array.size() + floats);
    vectors += array;

    FieldData description;
    description.set_type(wire::schema::FloatVector);
    description.set_field_name(name);
    std::string field = description.SerializeAsString();
    append_length_field(field, FieldData::kVectorsFieldNumber, vectors.size() + floats);
    field += vectors;

    append_length_field(out, wire::milvus::UpsertRequest::kFieldsDataFieldNumber, field.size() + floats);
    out += field;
}

std::size_t float_bytes(const ColumnBatch& batch) {
    return batch.vectors.size() * sizeof(float);
}

}  // namespace

std::string upsert_head(const std::string& database, const CollectionRef& collection,
                        const ColumnBatch& batch) {
    check(collection, batch);
    wire::milvus::UpsertRequest request;
    request.set_db_name(database);
    request.set_collection_name(collection.name);
    request.set_num_rows(static_cast<std::uint32_t>(batch.size()));
    auto* ids = request.add_fields_data();
    ids->set_field_name(collection.fields.id);
    add_ids(*ids, batch.ids);
    auto* versions = request.add_fields_data();
    versions->set_field_name(collection.fields.version);
    versions->set_type(wire::schema::Int64);
    versions->mutable_scalars()->mutable_long_data()->mutable_data()->Add(batch.versions.begin(),
                                                                          batch.versions.end());
    for (const Column& column : batch.properties) {
        auto* field = request.add_fields_data();
        field->set_field_name(column.name);
        std::visit(AddValues{column, *field}, column.values);
        for (const std::uint8_t valid : column.valid) field->add_valid_data(valid != 0);
    }
    std::string head = request.SerializeAsString();
    append_vector_field(head, collection.fields.vector, batch);
    return head;
}

grpc::ByteBuffer upsert_request(const std::string& head, std::shared_ptr<const ColumnBatch> batch) {
    using Owner = std::shared_ptr<const ColumnBatch>;
    const std::size_t length = float_bytes(*batch);
    // gRPC does not write through this pointer: a sent slice is constant.
    void* const floats = const_cast<float*>(batch->vectors.data());
    auto owner = std::make_unique<Owner>(std::move(batch));
    const grpc::Slice slices[] = {
        grpc::Slice(head),
        grpc::Slice(
            floats, length, [](void* held) { delete static_cast<Owner*>(held); }, owner.release())};
    return grpc::ByteBuffer(slices, 2);
}

grpc::ByteBuffer upsert_request(const std::string& head, const ColumnBatch& batch) {
    const grpc::Slice slices[] = {grpc::Slice(head), grpc::Slice(batch.vectors.data(), float_bytes(batch))};
    return grpc::ByteBuffer(slices, 2);
}

std::size_t request_bytes(const CollectionRef& collection, const ColumnBatch& batch) {
    return upsert_head({}, collection, batch).size() + float_bytes(batch);
}

std::size_t max_rows_per_request(std::size_t dimension, std::size_t other_bytes) {
    // Names, lengths and numbers beside the data: some bytes a row, and a little for the request.
    constexpr std::size_t kRequestOverhead = 16 * 1024;
    constexpr std::size_t kRowOverhead = 32;
    const std::size_t row = dimension * sizeof(float) + other_bytes + kRowOverhead;
    return std::max<std::size_t>(1, (kMaxRequestBytes - kRequestOverhead) / row);
}

}  // namespace crossover::milvus
