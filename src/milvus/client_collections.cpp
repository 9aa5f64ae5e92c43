// Client: collections, aliases, indexes, loading, segments.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <thread>

#include "milvus/transport.h"

namespace crossover::milvus {
namespace {

using wire::schema::FieldSchema;

std::string on(std::string_view what, const std::string& collection) {
    return fmt::format("{} collection '{}'", what, collection);
}

template <class Request>
Request for_collection(const std::string& name) {
    Request request;
    request.set_collection_name(name);
    return request;
}

wire::schema::DataType wire_type(DataType type) {
    switch (type) {
        case DataType::boolean:
            return wire::schema::Bool;
        case DataType::int64:
            return wire::schema::Int64;
        case DataType::float64:
            return wire::schema::Double;
        case DataType::varchar:
            break;
    }
    return wire::schema::VarChar;
}

std::optional<DataType> our_type(wire::schema::DataType type) {
    switch (type) {
        case wire::schema::Bool:
            return DataType::boolean;
        // Of the narrower ones Milvus takes no rows that are written as these.
        case wire::schema::Int64:
            return DataType::int64;
        case wire::schema::Double:
            return DataType::float64;
        case wire::schema::VarChar:
            return DataType::varchar;
        default:
            return std::nullopt;
    }
}

void add_pair(google::protobuf::RepeatedPtrField<wire::common::KeyValuePair>& pairs, const std::string& key,
              const std::string& value) {
    auto* pair = pairs.Add();
    pair->set_key(key);
    pair->set_value(value);
}

std::string pair_value(const google::protobuf::RepeatedPtrField<wire::common::KeyValuePair>& pairs,
                       std::string_view key) {
    const auto found =
        std::find_if(pairs.begin(), pairs.end(), [&](const auto& pair) { return pair.key() == key; });
    return found == pairs.end() ? std::string() : found->value();
}

std::size_t number(const std::string& text) {
    std::size_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

FieldSchema* add_field(wire::schema::CollectionSchema& schema, const std::string& name,
                       wire::schema::DataType type) {
    auto* field = schema.add_fields();
    field->set_name(name);
    field->set_data_type(type);
    return field;
}

void set_max_length(FieldSchema& field, std::size_t bytes) {
    add_pair(*field.mutable_type_params(), "max_length", std::to_string(bytes));
}

wire::schema::CollectionSchema schema_of(const CollectionSpec& spec) {
    wire::schema::CollectionSchema schema;
    schema.set_name(spec.name);
    schema.set_description(spec.description);
    auto* id = add_field(schema, spec.fields.id,
                         spec.id_kind == IdKind::string ? wire::schema::VarChar : wire::schema::Int64);
    id->set_is_primary_key(true);
    if (spec.id_kind == IdKind::string) set_max_length(*id, spec.id_max_length);
    auto* vector = add_field(schema, spec.fields.vector, wire::schema::FloatVector);
    add_pair(*vector->mutable_type_params(), "dim", std::to_string(spec.dimension));
    add_field(schema, spec.fields.version, wire::schema::Int64);
    for (const PropertySpec& property : spec.properties) {
        auto* field = add_field(schema, property.name, wire_type(property.type));
        if (property.type == DataType::varchar) set_max_length(*field, property.max_length);
        field->set_nullable(property.nullable);
    }
    return schema;
}

wire::common::ConsistencyLevel wire_level(Consistency level) {
    return static_cast<wire::common::ConsistencyLevel>(level);  // the same numbers, from 0
}

Consistency our_level(wire::common::ConsistencyLevel level) {
    return level <= wire::common::Eventually ? static_cast<Consistency>(level) : Consistency::bounded;
}

void read_field(const FieldSchema& field, const std::string& version_field, CollectionInfo& info) {
    CollectionSpec& spec = info.spec;
    const std::size_t max_length = number(pair_value(field.type_params(), "max_length"));
    if (field.is_primary_key()) {
        spec.fields.id = field.name();
        spec.id_kind = field.data_type() == wire::schema::VarChar ? IdKind::string : IdKind::integer;
        if (max_length != 0) spec.id_max_length = max_length;
        info.auto_id = info.auto_id || field.autoid();
    } else if (field.data_type() == wire::schema::FloatVector && spec.dimension == 0) {
        spec.fields.vector = field.name();
        spec.dimension = number(pair_value(field.type_params(), "dim"));
    } else if (field.data_type() == wire::schema::Int64 && field.name() == version_field) {
        spec.fields.version = field.name();
        info.has_version_field = true;
    } else if (const auto type = our_type(field.data_type())) {
        spec.properties.push_back(
            {field.name(), *type, field.nullable(), max_length == 0 ? 65535 : max_length});
    } else {
        info.foreign_fields.push_back(
            fmt::format("{}: {}", field.name(), wire::schema::DataType_Name(field.data_type())));
    }
}

CollectionInfo read_info(const wire::milvus::DescribeCollectionResponse& response,
                         const std::string& version_field) {
    CollectionInfo info;
    info.id = response.collectionid();
    info.spec.name =
        response.collection_name().empty() ? response.schema().name() : response.collection_name();
    info.spec.description = response.schema().description();
    info.spec.default_consistency = our_level(response.consistency_level());
    info.spec.shards = response.shards_num();
    info.auto_id = response.schema().autoid();
    for (const auto& field : response.schema().fields()) read_field(field, version_field, info);
    info.aliases.assign(response.aliases().begin(), response.aliases().end());
    info.created_ms = static_cast<std::int64_t>(response.created_utc_timestamp());
    for (const auto& pair : response.properties()) info.server_properties[pair.key()] = pair.value();
    return info;
}

// Builders send M and efConstruction within a JSON "params"; some servers give them back as keys of their
// own.
std::optional<int> index_number(const google::protobuf::RepeatedPtrField<wire::common::KeyValuePair>& pairs,
                                const char* key) {
    std::string text = pair_value(pairs, key);
    if (text.empty()) {
        const auto params = nlohmann::json::parse(pair_value(pairs, "params"), nullptr, false);
        const auto found = params.is_object() ? params.find(key) : params.end();
        if (!params.is_object() || found == params.end()) return std::nullopt;
        text = found->is_string() ? found->get<std::string>() : found->dump();
    }
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

IndexInfo read_index(const wire::milvus::IndexDescription& description) {
    IndexInfo info;
    info.name = description.index_name();
    info.type = pair_value(description.params(), "index_type");
    const auto metric = parse_metric(pair_value(description.params(), "metric_type"));
    const auto m = index_number(description.params(), "M");
    const auto ef = index_number(description.params(), "efConstruction");
    if (info.type == "HNSW" && metric && m && ef) info.spec = IndexSpec{*metric, *m, *ef};
    info.state = description.state() == wire::common::Finished ? IndexState::finished
                 : description.state() == wire::common::Failed ? IndexState::failed
                                                               : IndexState::building;
    info.indexed_rows = description.indexed_rows();
    info.total_rows = description.total_rows();
    info.pending_rows = description.pending_index_rows();
    info.fail_reason = description.index_state_fail_reason();
    return info;
}

}  // namespace

// ---- collections ----

bool Client::has_collection(const std::string& name, Deadline deadline) {
    return describe_collection(name, deadline).has_value();
}

std::vector<std::string> Client::list_collections(Deadline deadline) {
    const auto response =
        state_->transport.call(&Service::Stub::ShowCollections, {}, deadline, "listing collections");
    return {response.collection_names().begin(), response.collection_names().end()};
}

void Client::create_collection(const CollectionSpec& spec, Deadline deadline) {
    auto request = for_collection<wire::milvus::CreateCollectionRequest>(spec.name);
    request.set_schema(schema_of(spec).SerializeAsString());
    request.set_shards_num(spec.shards);
    request.set_consistency_level(wire_level(spec.default_consistency));
    state_->transport.call(&Service::Stub::CreateCollection, request, deadline, on("creating", spec.name));
}

std::optional<CollectionInfo> Client::describe_collection(const std::string& name, Deadline deadline,
                                                          const std::string& version_field) {
    const std::string operation = on("describing", name);
    const auto response = state_->transport.ask(&Service::Stub::DescribeCollection,
                                                for_collection<wire::milvus::DescribeCollectionRequest>(name),
                                                deadline, operation);
    const ServerStatus status = status_of(response);
    // Not for an unknown database, whose kind is not_found too.
    const int code = status.deciding_code();
    if (code == 100 || code == 4 || code == 28) return std::nullopt;
    state_->transport.check(status, operation);
    return read_info(response, version_field);
}

void Client::set_properties(const std::string& name, const std::map<std::string, std::string>& properties,
                            Deadline deadline) {
    auto request = for_collection<wire::milvus::AlterCollectionRequest>(name);
    for (const auto& [key, value] : properties) add_pair(*request.mutable_properties(), key, value);
    state_->transport.call(&Service::Stub::AlterCollection, request, deadline,
                           on("setting properties of", name));
}

void Client::drop_collection(const std::string& name, Deadline deadline) {
    state_->transport.call(&Service::Stub::DropCollection,
                           for_collection<wire::milvus::DropCollectionRequest>(name), deadline,
                           on("dropping", name));
}

// ---- aliases ----

void Client::create_alias(const std::string& alias, const std::string& collection, Deadline deadline) {
    auto request = for_collection<wire::milvus::CreateAliasRequest>(collection);
    request.set_alias(alias);
    state_->transport.call(&Service::Stub::CreateAlias, request, deadline,
                           fmt::format("creating alias '{}' of collection '{}'", alias, collection));
}

void Client::alter_alias(const std::string& alias, const std::string& collection, Deadline deadline) {
    auto request = for_collection<wire::milvus::AlterAliasRequest>(collection);
    request.set_alias(alias);
    state_->transport.call(&Service::Stub::AlterAlias, request, deadline,
                           fmt::format("pointing alias '{}' to collection '{}'", alias, collection));
}

void Client::drop_alias(const std::string& alias, Deadline deadline) {
    wire::milvus::DropAliasRequest request;
    request.set_alias(alias);
    state_->transport.call(&Service::Stub::DropAlias, request, deadline,
                           fmt::format("dropping alias '{}'", alias));
}

std::optional<std::string> Client::describe_alias(const std::string& alias, Deadline deadline) {
    // Older servers have no call for it, but describe a collection by its alias too.
    const auto info = describe_collection(alias, deadline);
    if (!info || std::find(info->aliases.begin(), info->aliases.end(), alias) == info->aliases.end()) {
        return std::nullopt;
    }
    // The description repeats the alias where the name should be, so the id finds it.
    const auto all =
        state_->transport.call(&Service::Stub::ShowCollections, {}, deadline, "listing collections");
    for (int i = 0; i < std::min(all.collection_ids_size(), all.collection_names_size()); ++i) {
        if (all.collection_ids(i) == info->id) return all.collection_names(i);
    }
    return std::nullopt;  // dropped in between
}

std::vector<std::string> Client::list_aliases(const std::string& collection, Deadline deadline) {
    const auto info = describe_collection(collection, deadline);
    return info ? info->aliases : std::vector<std::string>();
}

// ---- index and load ----

void Client::create_index(const CollectionRef& collection, const IndexSpec& spec, Deadline deadline) {
    auto request = for_collection<wire::milvus::CreateIndexRequest>(collection.name);
    request.set_field_name(collection.fields.vector);
    request.set_index_name(collection.fields.vector);
    auto& params = *request.mutable_extra_params();
    add_pair(params, "index_type", "HNSW");
    add_pair(params, "metric_type", std::string(to_string(spec.metric)));
    add_pair(params, "params",
             fmt::format(R"({{"M":{},"efConstruction":{}}})", spec.m, spec.ef_construction));
    state_->transport.call(&Service::Stub::CreateIndex, request, deadline,
                           on("creating the index of", collection.name));
}

std::optional<IndexInfo> Client::describe_index(const CollectionRef& collection, Deadline deadline) {
    const std::string operation = on("describing the index of", collection.name);
    const auto response = state_->transport.ask(
        &Service::Stub::DescribeIndex, for_collection<wire::milvus::DescribeIndexRequest>(collection.name),
        deadline, operation);
    const ServerStatus status = status_of(response);
    const int code = status.deciding_code();
    if (code == 700 || code == 25) return std::nullopt;
    state_->transport.check(status, operation);
    for (const auto& description : response.index_descriptions()) {
        if (description.field_name() == collection.fields.vector) return read_index(description);
    }
    return std::nullopt;
}

void Client::drop_index(const CollectionRef& collection, Deadline deadline) {
    const auto index = describe_index(collection, deadline);
    if (!index) return;
    auto request = for_collection<wire::milvus::DropIndexRequest>(collection.name);
    request.set_field_name(collection.fields.vector);
    request.set_index_name(index->name);
    state_->transport.call(&Service::Stub::DropIndex, request, deadline,
                           on("dropping the index of", collection.name));
}

void Client::load(const std::string& collection, Deadline deadline) {
    auto request = for_collection<wire::milvus::LoadCollectionRequest>(collection);
    request.set_replica_number(1);
    state_->transport.call(&Service::Stub::LoadCollection, request, deadline, on("loading", collection));
}

void Client::release(const std::string& collection, Deadline deadline) {
    state_->transport.call(&Service::Stub::ReleaseCollection,
                           for_collection<wire::milvus::ReleaseCollectionRequest>(collection), deadline,
                           on("releasing", collection));
}

LoadProgress Client::load_progress(const std::string& collection, Deadline deadline) {
    auto& transport = state_->transport;
    const std::string operation = on("asking for the loading of", collection);
    const auto state =
        transport.call(&Service::Stub::GetLoadState,
                       for_collection<wire::milvus::GetLoadStateRequest>(collection), deadline, operation);
    if (state.state() == wire::common::LoadStateLoaded) return {LoadState::loaded, 100};
    if (state.state() == wire::common::LoadStateNotExist) {
        throw make_error(transport.address(), operation, {100, 4, "collection not found"});
    }
    if (state.state() == wire::common::LoadStateNotLoad) return {};
    const auto progress = transport.ask(&Service::Stub::GetLoadingProgress,
                                        for_collection<wire::milvus::GetLoadingProgressRequest>(collection),
                                        deadline, operation);
    return {LoadState::loading, status_of(progress).ok() ? static_cast<int>(progress.progress()) : 0};
}

// ---- segments ----

void Client::flush(const std::string& collection, Deadline deadline) {
    auto& transport = state_->transport;
    const std::string operation = on("flushing", collection);
    wire::milvus::FlushRequest request;
    request.add_collection_names(collection);
    const auto flushing = transport.call(&Service::Stub::Flush, request, deadline, operation);
    auto question = for_collection<wire::milvus::GetFlushStateRequest>(collection);
    if (const auto found = flushing.coll_segids().find(collection); found != flushing.coll_segids().end()) {
        *question.mutable_segmentids() = found->second.data();
    }
    if (const auto found = flushing.coll_flush_ts().find(collection);
        found != flushing.coll_flush_ts().end()) {
        question.set_flush_ts(found->second);
    }
    for (auto pause = std::chrono::milliseconds(50);;
         pause = std::min(pause * 2, std::chrono::milliseconds(500))) {
        if (transport.call(&Service::Stub::GetFlushState, question, deadline, operation).flushed()) return;
        std::this_thread::sleep_for(std::min(pause, deadline.remaining()));
    }
}

std::int64_t Client::compact(const std::string& collection, Deadline deadline) {
    const std::string operation = on("compacting", collection);
    const auto info = describe_collection(collection, deadline);
    if (!info) throw make_error(address(), operation, {100, 4, "collection not found"});
    auto request = for_collection<wire::milvus::ManualCompactionRequest>(collection);
    request.set_collectionid(info->id);
    return state_->transport.call(&Service::Stub::ManualCompaction, request, deadline, operation)
        .compactionid();
}

CompactionState Client::compaction_state(std::int64_t compaction_id, Deadline deadline) {
    wire::milvus::GetCompactionStateRequest request;
    request.set_compactionid(compaction_id);
    const auto response = state_->transport.call(&Service::Stub::GetCompactionState, request, deadline,
                                                 fmt::format("asking for compaction {}", compaction_id));
    return response.state() == wire::common::Executing ? CompactionState::executing
                                                       : CompactionState::completed;
}

}  // namespace crossover::milvus
