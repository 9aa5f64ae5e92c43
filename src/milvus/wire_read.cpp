#include "milvus/wire_read.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include <algorithm>
#include <bit>
#include <limits>

#include "milvus/milvus.pb.h"

namespace crossover::milvus {
namespace {

namespace wire = ::milvus::proto;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

static_assert(std::endian::native == std::endian::little, "float columns are read as they lie on the wire");

// Runs `body(field_number, tag)` for each field of the next length-delimited message.
template <class Body>
bool read_fields(CodedInputStream& in, Body body) {
    while (const std::uint32_t tag = in.ReadTag()) {
        if (!body(WireFormatLite::GetTagFieldNumber(tag), tag)) return false;
    }
    return in.ConsumedEntireMessage();
}

template <class Body>
bool read_message(CodedInputStream& in, Body body) {
    std::uint32_t length = 0;
    if (!in.ReadVarint32(&length) || length > std::uint32_t(std::numeric_limits<int>::max())) return false;
    if (static_cast<int>(length) > in.BytesUntilLimit()) return false;
    const auto outer = in.PushLimit(static_cast<int>(length));
    const bool good = body();
    in.PopLimit(outer);
    return good;
}

bool is_message(std::uint32_t tag) {
    return WireFormatLite::GetTagWireType(tag) == WireFormatLite::WIRETYPE_LENGTH_DELIMITED;
}

bool read_float_array(CodedInputStream& in, std::vector<float>& out) {
    return read_fields(in, [&](int number, std::uint32_t tag) {
        if (number != wire::schema::FloatArray::kDataFieldNumber) return WireFormatLite::SkipField(&in, tag);
        if (!is_message(tag)) {
            std::uint32_t bits = 0;
            if (!in.ReadLittleEndian32(&bits)) return false;
            out.push_back(std::bit_cast<float>(bits));
            return true;
        }
        std::uint32_t length = 0;
        if (!in.ReadVarint32(&length) || length % sizeof(float) != 0) return false;
        if (std::int64_t(length) > in.BytesUntilLimit()) return false;
        const std::size_t before = out.size();
        out.resize(before + length / sizeof(float));
        return in.ReadRaw(out.data() + before, static_cast<int>(length));
    });
}

bool read_vectors(CodedInputStream& in, FieldValues& out) {
    return read_fields(in, [&](int number, std::uint32_t tag) {
        if (number == wire::schema::VectorField::kDimFieldNumber && !is_message(tag)) {
            std::uint64_t dimension = 0;
            if (!in.ReadVarint64(&dimension)) return false;
            out.dimension = dimension;
            return true;
        }
        if (number == wire::schema::VectorField::kFloatVectorFieldNumber && is_message(tag)) {
            return read_message(in, [&] { return read_float_array(in, out.vectors); });
        }
        return WireFormatLite::SkipField(&in, tag);
    });
}

// `rest` gets every part of the field but the vectors, as protobuf would.
bool read_field(CodedInputStream& in, FieldValues& vectors, wire::schema::FieldData& rest) {
    return read_fields(in, [&](int number, std::uint32_t tag) {
        if (is_message(tag)) {
            switch (number) {
                case wire::schema::FieldData::kFieldNameFieldNumber:
                    return WireFormatLite::ReadBytes(&in, rest.mutable_field_name());
                case wire::schema::FieldData::kScalarsFieldNumber:
                    return read_message(in, [&] {
                        return rest.mutable_scalars()->MergeFromCodedStream(&in) &&
                               in.ConsumedEntireMessage();
                    });
                case wire::schema::FieldData::kVectorsFieldNumber:
                    return read_message(in, [&] { return read_vectors(in, vectors); });
                case wire::schema::FieldData::kValidDataFieldNumber:
                    return WireFormatLite::ReadPackedPrimitive<bool, WireFormatLite::TYPE_BOOL>(
                        &in, rest.mutable_valid_data());
                default:
                    break;
            }
        } else if (number == wire::schema::FieldData::kTypeFieldNumber) {
            int type = 0;
            if (!WireFormatLite::ReadPrimitive<int, WireFormatLite::TYPE_ENUM>(&in, &type)) return false;
            rest.set_type(static_cast<wire::schema::DataType>(type));
            return true;
        }
        return WireFormatLite::SkipField(&in, tag);
    });
}

// Puts the values of the present rows where those rows are.
template <class T>
bool spread(std::vector<T>& values, const std::vector<std::uint8_t>& valid) {
    if (valid.empty() || values.size() == valid.size()) return true;
    const auto present = static_cast<std::size_t>(
        std::count_if(valid.begin(), valid.end(), [](std::uint8_t v) { return v != 0; }));
    if (present != values.size()) return false;
    std::vector<T> all(valid.size());
    std::size_t next = 0;
    for (std::size_t row = 0; row < valid.size(); ++row) {
        if (valid[row] != 0) all[row] = std::move(values[next++]);
    }
    values = std::move(all);
    return true;
}

template <class T, class Source>
ColumnValues copy_as(const Source& source) {
    return std::vector<T>(source.begin(), source.end());
}

}  // namespace

ServerStatus to_status(const wire::common::Status& status) {
    const auto blame = status.extra_info().find("is_input_error");
    return {status.code(), static_cast<int>(status.error_code()), status.reason(), status.retriable(),
            blame != status.extra_info().end() && blame->second == "true"};
}

std::optional<FieldValues> take_scalars(wire::schema::FieldData& field) {
    FieldValues out;
    out.name = std::move(*field.mutable_field_name());
    auto& scalars = *field.mutable_scalars();
    switch (scalars.data_case()) {
        case wire::schema::ScalarField::kBoolData:
            out.scalars = copy_as<std::uint8_t>(scalars.bool_data().data());
            break;
        case wire::schema::ScalarField::kIntData:
            out.scalars = copy_as<std::int64_t>(scalars.int_data().data());
            break;
        case wire::schema::ScalarField::kLongData:
            out.scalars = copy_as<std::int64_t>(scalars.long_data().data());
            break;
        case wire::schema::ScalarField::kFloatData:
            out.scalars = copy_as<double>(scalars.float_data().data());
            break;
        case wire::schema::ScalarField::kDoubleData:
            out.scalars = copy_as<double>(scalars.double_data().data());
            break;
        case wire::schema::ScalarField::kStringData: {
            auto& data = *scalars.mutable_string_data()->mutable_data();
            std::vector<std::string> values;
            values.reserve(static_cast<std::size_t>(data.size()));
            for (auto& value : data) values.push_back(std::move(value));
            out.scalars = std::move(values);
            break;
        }
        case wire::schema::ScalarField::DATA_NOT_SET:
            return std::nullopt;
    }
    for (const bool valid : field.valid_data()) out.valid.push_back(valid ? 1 : 0);
    const bool fits = std::visit([&](auto& values) { return spread(values, out.valid); }, out.scalars);
    if (!fits) return std::nullopt;
    return out;
}

std::optional<QueryAnswer> decode_query(grpc::ByteBuffer& bytes) {
    if (bytes.Length() > std::size_t(std::numeric_limits<int>::max())) return std::nullopt;
    const int length = static_cast<int>(bytes.Length());
    QueryAnswer answer;
    if (length == 0) return answer;  // every field at its default: success, no rows
    grpc::ProtoBufferReader reader(&bytes);
    if (!reader.status().ok()) return std::nullopt;
    CodedInputStream in(&reader);
    const auto outer = in.PushLimit(length);
    wire::common::Status status;
    const bool good = read_fields(in, [&](int number, std::uint32_t tag) {
        if (number == wire::milvus::QueryResults::kStatusFieldNumber && is_message(tag)) {
            return read_message(
                in, [&] { return status.MergeFromCodedStream(&in) && in.ConsumedEntireMessage(); });
        }
        if (number == wire::milvus::QueryResults::kFieldsDataFieldNumber && is_message(tag)) {
            FieldValues vectors;
            wire::schema::FieldData rest;
            if (!read_message(in, [&] { return read_field(in, vectors, rest); })) return false;
            if (vectors.dimension != 0) {
                vectors.name = rest.field_name();
                if (vectors.vectors.size() % vectors.dimension != 0) return false;
                answer.fields.push_back(std::move(vectors));
            } else if (auto scalars = take_scalars(rest)) {
                answer.fields.push_back(std::move(*scalars));
            }
            return true;
        }
        return WireFormatLite::SkipField(&in, tag);
    });
    in.PopLimit(outer);
    if (!good) return std::nullopt;
    answer.status = to_status(status);
    return answer;
}

}  // namespace crossover::milvus
