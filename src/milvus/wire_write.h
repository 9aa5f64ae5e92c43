#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <memory>
#include <string>

#include "milvus/types.h"

/// The bytes of requests that are too big to pass through protobuf objects.
namespace crossover::milvus {

/// All of a serialised UpsertRequest but its last bytes, which are the floats themselves: protobuf allows
/// fields in any order, so the vector field goes last. Throws Error(internal) where the parts of the batch do
/// not fit together.
std::string upsert_head(const std::string& database, const CollectionRef& collection,
                        const ColumnBatch& batch);

/// The whole request. The floats are referred to, and `batch` is held until gRPC has let go of them.
grpc::ByteBuffer upsert_request(const std::string& head, std::shared_ptr<const ColumnBatch> batch);

/// The whole request, with the floats copied.
grpc::ByteBuffer upsert_request(const std::string& head, const ColumnBatch& batch);

}  // namespace crossover::milvus
