// Client: rows.
#include <fmt/format.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include <algorithm>
#include <map>

#include "milvus/expression.h"
#include "milvus/transport.h"
#include "milvus/wire_read.h"
#include "milvus/wire_write.h"

namespace crossover::milvus {
namespace {

constexpr char kUpsertPath[] = "/milvus.proto.milvus.MilvusService/Upsert";
constexpr char kQueryPath[] = "/milvus.proto.milvus.MilvusService/Query";

void add_pair(google::protobuf::RepeatedPtrField<wire::common::KeyValuePair>& pairs, const char* key,
              const std::string& value) {
    auto* pair = pairs.Add();
    pair->set_key(key);
    pair->set_value(value);
}

std::string upsert_operation(std::size_t rows, const std::string& collection) {
    return fmt::format("upserting {} rows into collection '{}'", rows, collection);
}

grpc::ByteBuffer serialise(const google::protobuf::MessageLite& message) {
    grpc::Slice slice(message.SerializeAsString());
    return grpc::ByteBuffer(&slice, 1);
}

Error malformed(const std::string& address, const std::string& operation, std::string_view what) {
    return Error(
        System::milvus, ErrorKind::protocol,
        fmt::format("{}: {} failed: the answer {}. Check the server's version: 2.3 to 2.6 are supported.",
                    address, operation, what));
}

template <class Request>
void set_consistency(Request& request, Consistency consistency, std::uint64_t seen_until) {
    request.set_consistency_level(static_cast<wire::common::ConsistencyLevel>(consistency));
    // Timestamps 1 and 2 mean "whatever there is" and "bounded" to servers that do not read the level.
    switch (consistency) {
        case Consistency::strong:
            break;
        case Consistency::session:
            request.set_guarantee_timestamp(seen_until != 0 ? seen_until : 1);
            break;
        case Consistency::bounded:
            request.set_guarantee_timestamp(2);
            break;
        case Consistency::eventually:
            request.set_guarantee_timestamp(1);
            break;
    }
}

template <class T>
std::vector<ItemId> to_ids(std::vector<T>&& values) {
    std::vector<ItemId> ids;
    ids.reserve(values.size());
    for (auto& value : values) ids.emplace_back(std::move(value));
    return ids;
}

// Sorts the answered columns into a batch. Empty where one that was asked for is missing or has another
// length.
std::optional<ColumnBatch> to_batch(QueryAnswer&& answer, const FieldNames& names, const ReadFields& wanted) {
    ColumnBatch batch;
    bool have_ids = false;
    for (FieldValues& field : answer.fields) {
        if (field.name == names.id) {
            have_ids = true;
            if (auto* text = std::get_if<std::vector<std::string>>(&field.scalars)) {
                batch.ids = to_ids(std::move(*text));
            } else if (auto* numbers = std::get_if<std::vector<std::int64_t>>(&field.scalars)) {
                batch.ids = to_ids(std::move(*numbers));
            } else {
                return std::nullopt;
            }
        } else if (field.name == names.vector) {
            batch.vectors = std::move(field.vectors);
            batch.dimension = field.dimension;
        } else if (field.name == names.version) {
            auto* numbers = std::get_if<std::vector<std::int64_t>>(&field.scalars);
            if (numbers == nullptr) return std::nullopt;
            batch.versions = std::move(*numbers);
        }
    }
    const std::size_t rows = batch.size();
    if (rows == 0) return have_ids || answer.fields.empty() ? std::optional(ColumnBatch{}) : std::nullopt;
    if (wanted.vector && (batch.dimension == 0 || batch.vectors.size() != rows * batch.dimension))
        return std::nullopt;
    if (wanted.version && batch.versions.size() != rows) return std::nullopt;
    for (const std::string& name : wanted.properties) {
        bool found = false;
        for (FieldValues& field : answer.fields) {
            if (field.name != name) continue;
            batch.properties.push_back({name, std::move(field.scalars), std::move(field.valid)});
            found = batch.properties.back().size() == rows;
        }
        if (!found) return std::nullopt;
    }
    return batch;
}

Value value_at(const FieldValues& field, std::size_t row) {
    if (!field.valid.empty() && field.valid[row] == 0) return std::monostate{};
    return std::visit(
        [&](const auto& values) -> Value {
            using T = typename std::decay_t<decltype(values)>::value_type;
            if constexpr (std::is_same_v<T, std::uint8_t>) {
                return values[row] != 0;
            } else {
                return values[row];
            }
        },
        field.scalars);
}

std::string placeholder(std::span<const float> vector) {
    wire::common::PlaceholderGroup group;
    auto* value = group.add_placeholders();
    value->set_tag("$0");
    value->set_type(wire::common::FloatVector);
    value->add_values(vector.data(), vector.size() * sizeof(float));
    return group.SerializeAsString();
}

}  // namespace

// ---- writes ----

struct SerializedUpsert::State {
    grpc::ByteBuffer bytes;
    std::size_t rows = 0;
    std::string operation;
};

SerializedUpsert::SerializedUpsert(std::unique_ptr<State> state) : state_(std::move(state)) {}
SerializedUpsert::SerializedUpsert(SerializedUpsert&&) noexcept = default;
SerializedUpsert& SerializedUpsert::operator=(SerializedUpsert&&) noexcept = default;
SerializedUpsert::~SerializedUpsert() = default;
std::size_t SerializedUpsert::bytes() const {
    return state_->bytes.Length();
}
std::size_t SerializedUpsert::rows() const {
    return state_->rows;
}

void Client::State::see_writes_until(std::uint64_t timestamp) {
    std::uint64_t seen = seen_until;
    while (seen < timestamp && !seen_until.compare_exchange_weak(seen, timestamp)) {
    }
}

UpsertResult Client::State::send_upsert(const grpc::ByteBuffer& request, const std::string& operation,
                                        Deadline deadline) {
    if (request.Length() > kMaxRequestBytes) {
        throw Error(
            System::milvus, ErrorKind::too_large,
            fmt::format(
                "{}: {} failed: the request has {} bytes and the server takes {}. Send fewer rows in one "
                "request.",
                transport.address(), operation, request.Length(), kMaxRequestBytes));
    }
    grpc::ByteBuffer answer = transport.ask_raw(kUpsertPath, request, deadline, operation);
    wire::milvus::MutationResult result;
    grpc::ProtoBufferReader reader(&answer);
    if (!reader.status().ok() || !result.ParseFromZeroCopyStream(&reader)) {
        throw malformed(transport.address(), operation, "is no MutationResult");
    }
    transport.check(status_of(result), operation);
    see_writes_until(result.timestamp());
    return {result.upsert_cnt()};
}

UpsertResult Client::upsert(const CollectionRef& collection, std::shared_ptr<const ColumnBatch> batch,
                            Deadline deadline) {
    const std::string operation = upsert_operation(batch->size(), collection.name);
    const std::string head = upsert_head(state_->transport.database(), collection, *batch);
    return state_->send_upsert(upsert_request(head, std::move(batch)), operation, deadline);
}

UpsertResult Client::upsert(const CollectionRef& collection, const ColumnBatch& batch, Deadline deadline) {
    const std::string head = upsert_head(state_->transport.database(), collection, batch);
    return state_->send_upsert(upsert_request(head, batch), upsert_operation(batch.size(), collection.name),
                               deadline);
}

SerializedUpsert Client::serialize_upsert(const CollectionRef& collection, const ColumnBatch& batch) {
    auto state = std::make_unique<SerializedUpsert::State>();
    state->bytes = upsert_request(upsert_head(state_->transport.database(), collection, batch), batch);
    state->rows = batch.size();
    state->operation = upsert_operation(batch.size(), collection.name);
    return SerializedUpsert(std::move(state));
}

UpsertResult Client::send(const SerializedUpsert& request, Deadline deadline) {
    return state_->send_upsert(request.state_->bytes, request.state_->operation, deadline);
}

void Client::erase(const CollectionRef& collection, std::span<const ItemId> ids, Deadline deadline) {
    if (ids.empty()) return;
    wire::milvus::DeleteRequest request;
    request.set_collection_name(collection.name);
    request.set_expr(in_expression(collection.fields.id, ids));
    const auto result = state_->transport.call(
        &Service::Stub::Delete, std::move(request), deadline,
        fmt::format("deleting {} rows from collection '{}'", ids.size(), collection.name));
    state_->see_writes_until(result.timestamp());
}

// ---- reads ----

ColumnBatch Client::State::query(const CollectionRef& collection, wire::milvus::QueryRequest request,
                                 const ReadFields& fields, Consistency consistency, Deadline deadline) {
    const std::string operation = fmt::format("querying collection '{}'", collection.name);
    request.set_db_name(transport.database());
    request.set_collection_name(collection.name);
    request.add_output_fields(collection.fields.id);
    if (fields.vector) request.add_output_fields(collection.fields.vector);
    if (fields.version) request.add_output_fields(collection.fields.version);
    for (const std::string& name : fields.properties) request.add_output_fields(name);
    set_consistency(request, consistency, seen_until);
    grpc::ByteBuffer bytes = transport.ask_raw(kQueryPath, serialise(request), deadline, operation);
    auto answer = decode_query(bytes);
    if (!answer) throw malformed(transport.address(), operation, "is no QueryResults");
    transport.check(answer->status, operation);
    auto batch = to_batch(std::move(*answer), collection.fields, fields);
    if (!batch) throw malformed(transport.address(), operation, "lacks a field that was asked for");
    return std::move(*batch);
}

ColumnBatch Client::query_by_ids(const CollectionRef& collection, std::span<const ItemId> ids,
                                 const ReadFields& fields, Consistency consistency, Deadline deadline) {
    if (ids.empty()) return {};
    wire::milvus::QueryRequest request;
    request.set_expr(in_expression(collection.fields.id, ids));
    return state_->query(collection, std::move(request), fields, consistency, deadline);
}

ColumnBatch Client::query_page(const CollectionRef& collection, const IdRange& range, std::size_t limit,
                               const ReadFields& fields, Consistency consistency, Deadline deadline) {
    wire::milvus::QueryRequest request;
    request.set_expr(range_expression(collection.fields.id, range));
    auto& params = *request.mutable_query_params();
    add_pair(params, "limit", std::to_string(limit));
    // Each segment gives its own lowest `limit` rows, and the server merges them. From 2.4 on it keeps their
    // order for an iterator only. "Stop for best" is left off: it would return up to `limit` rows of every
    // segment.
    add_pair(params, "iterator", "True");
    add_pair(params, "reduce_stop_for_best", "False");
    return state_->query(collection, std::move(request), fields, consistency, deadline);
}

std::int64_t Client::count(const CollectionRef& collection, Consistency consistency, Deadline deadline) {
    const std::string operation = fmt::format("counting collection '{}'", collection.name);
    wire::milvus::QueryRequest request;
    request.set_collection_name(collection.name);
    request.add_output_fields("count(*)");
    set_consistency(request, consistency, state_->seen_until);
    const auto response =
        state_->transport.call(&Service::Stub::Query, std::move(request), deadline, operation);
    if (response.fields_data_size() == 1 && response.fields_data(0).scalars().long_data().data_size() == 1) {
        return response.fields_data(0).scalars().long_data().data(0);
    }
    throw malformed(address(), operation, "holds no count");
}

std::vector<Hit> Client::search(const CollectionRef& collection, std::span<const float> vector,
                                const SearchOptions& options, Deadline deadline) {
    const std::string operation = fmt::format("searching collection '{}'", collection.name);
    wire::milvus::SearchRequest request;
    request.set_collection_name(collection.name);
    request.set_dsl(options.filter);
    request.set_dsl_type(wire::common::BoolExprV1);
    request.set_placeholder_group(placeholder(vector));
    request.set_nq(1);
    for (const std::string& name : options.properties) request.add_output_fields(name);
    auto& params = *request.mutable_search_params();
    add_pair(params, "anns_field", collection.fields.vector);
    add_pair(params, "topk", std::to_string(options.limit));
    add_pair(params, "round_decimal", "-1");
    const auto ef = std::max<std::size_t>(static_cast<std::size_t>(std::max(options.ef, 1)), options.limit);
    add_pair(params, "params", fmt::format(R"({{"ef":{}}})", ef));
    set_consistency(request, options.consistency, state_->seen_until);
    auto response = state_->transport.call(&Service::Stub::Search, std::move(request), deadline, operation);

    auto& results = *response.mutable_results();
    const bool text = results.ids().has_str_id();
    const int rows = text ? results.ids().str_id().data_size() : results.ids().int_id().data_size();
    if (results.scores_size() != rows) throw malformed(address(), operation, "has ids without scores");
    std::vector<Hit> hits(static_cast<std::size_t>(rows));
    for (int row = 0; row < rows; ++row) {
        Hit& hit = hits[static_cast<std::size_t>(row)];
        if (text) {
            hit.id = std::move(*results.mutable_ids()->mutable_str_id()->mutable_data(row));
        } else {
            hit.id = results.ids().int_id().data(row);
        }
        hit.score = results.scores(row);
    }
    std::map<std::string, FieldValues> columns;  // the server answers in an order of its own
    for (auto& column : *results.mutable_fields_data()) {
        auto field = take_scalars(column);
        if (field) columns.insert_or_assign(field->name, std::move(*field));
    }
    for (const std::string& property : options.properties) {
        const auto found = columns.find(property);
        const auto size = [](const auto& values) { return values.size(); };
        if (hits.empty()) break;
        if (found == columns.end() || std::visit(size, found->second.scalars) != hits.size()) {
            throw malformed(address(), operation, "lacks a property that was asked for");
        }
        for (std::size_t row = 0; row < hits.size(); ++row) {
            hits[row].properties.emplace_back(property, value_at(found->second, row));
        }
    }
    return hits;
}

}  // namespace crossover::milvus
