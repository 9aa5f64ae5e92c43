#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "milvus/common.pb.h"
#include "milvus/schema.pb.h"
#include "milvus/status.h"
#include "milvus/types.h"

/// Query answers, decoded from the received bytes with one copy of the floats. No I/O, never throws on bytes.
namespace crossover::milvus {

/// One column of an answer: either scalars or vectors.
struct FieldValues {
    std::string name;
    ColumnValues scalars;
    std::vector<std::uint8_t> valid;
    std::vector<float> vectors;
    std::size_t dimension = 0;
};

struct QueryAnswer {
    ServerStatus status;
    std::vector<FieldValues> fields;
};

ServerStatus to_status(const ::milvus::proto::common::Status& status);

/// A serialised QueryResults; empty where the bytes are none. Memory is asked for only after the bytes are
/// known to be there.
std::optional<QueryAnswer> decode_query(grpc::ByteBuffer& bytes);

/// Narrow integers widen to int64, floats to double. Empty for types that we cannot carry. Absent values of a
/// nullable field become the type's default whichever way the server sends them.
std::optional<FieldValues> take_scalars(::milvus::proto::schema::FieldData& field);

}  // namespace crossover::milvus
