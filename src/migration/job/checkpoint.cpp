#include "migration/job/checkpoint.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/durable_file.h"
#include "base/error.h"

namespace crossover::migration {

namespace {

using Json = nlohmann::json;

constexpr int kFormat = 1;
constexpr std::size_t kMaxCheckpointBytes = 64 << 20;

// Ids may hold bytes that JSON text cannot: integers stay numbers, strings go as they are (Neo4j stores valid
// UTF-8).
Json to_json(const std::optional<ItemId>& id) {
    if (!id) return nullptr;
    if (const auto* number = std::get_if<std::int64_t>(&*id)) return *number;
    return std::get<std::string>(*id);
}

std::optional<ItemId> id_from_json(const Json& json) {
    if (json.is_null()) return std::nullopt;
    if (json.is_number_integer()) return ItemId(json.get<std::int64_t>());
    return ItemId(json.get<std::string>());
}

template <class Enum>
Enum from_text(const std::string& text, std::initializer_list<Enum> values) {
    for (const Enum value : values) {
        if (to_string(value) == text) return value;
    }
    throw std::invalid_argument("unknown word '" + text + "'");
}

Json to_json(const sync::MediaMapping& mapping) {
    Json properties = Json::array();
    for (const auto& property : mapping.properties) {
        properties.push_back(
            {{"name", property.name}, {"type", to_string(property.type)}, {"field", property.field}});
    }
    return {{"label", mapping.label},
            {"id_property", mapping.id_property},
            {"embedding_property", mapping.embedding_property},
            {"version_property", mapping.version_property},
            {"properties", std::move(properties)},
            {"id_kind", to_string(mapping.id_kind)},
            {"dimension", mapping.dimension},
            {"metric", to_string(mapping.metric)}};
}

sync::MediaMapping mapping_from_json(const Json& json) {
    using sync::IdKind, sync::Metric, sync::PropertyType;
    sync::MediaMapping mapping;
    json.at("label").get_to(mapping.label);
    json.at("id_property").get_to(mapping.id_property);
    json.at("embedding_property").get_to(mapping.embedding_property);
    json.at("version_property").get_to(mapping.version_property);
    for (const Json& property : json.at("properties")) {
        auto& carried = mapping.properties.emplace_back();
        property.at("name").get_to(carried.name);
        carried.field = property.value("field", carried.name);  // a checkpoint of an earlier version has none
        carried.type = from_text(
            property.at("type").get<std::string>(),
            {PropertyType::boolean, PropertyType::int64, PropertyType::float64, PropertyType::text});
    }
    mapping.id_kind = from_text(json.at("id_kind").get<std::string>(), {IdKind::string, IdKind::integer});
    json.at("dimension").get_to(mapping.dimension);
    mapping.metric =
        from_text(json.at("metric").get<std::string>(), {Metric::cosine, Metric::inner_product, Metric::l2});
    return mapping;
}

Json to_json(const Checkpoint& checkpoint) {
    Json ranges = Json::array();
    for (const auto& range : checkpoint.open_ranges) {
        ranges.push_back({{"after", to_json(range.keys.after)},
                          {"through", to_json(range.keys.through)},
                          {"done_through", to_json(range.done_through)}});
    }
    const Live& live = checkpoint.live;
    return {{"format", kFormat},
            {"job", checkpoint.job},
            {"description", checkpoint.description},
            {"mapping", to_json(checkpoint.mapping)},
            {"epoch", checkpoint.epoch},
            {"collection_id", checkpoint.collection_id},
            {"takeover", checkpoint.takeover},
            {"collection", checkpoint.collection},
            {"phase", to_string(checkpoint.phase)},
            {"expected", checkpoint.expected},
            {"counts",
             {{"read", checkpoint.counts.read},
              {"copied", checkpoint.counts.copied},
              {"quarantined", checkpoint.counts.quarantined},
              {"skipped", checkpoint.counts.skipped}}},
            {"open_ranges", std::move(ranges)},
            {"quarantine_file", checkpoint.quarantine_file},
            {"quarantine_begin", checkpoint.quarantine_begin},
            {"quarantine_bytes", checkpoint.quarantine_bytes},
            {"copy_seconds", checkpoint.copy_seconds},
            {"index_seconds", checkpoint.index_seconds},
            {"started_ms", checkpoint.started_ms},
            {"live",
             {{"updated_ms", live.updated_ms},
              {"pid", live.pid},
              {"items_per_second", live.items_per_second},
              {"errors", live.errors},
              {"state", live.state},
              {"reader", live.reader},
              {"writer", live.writer},
              {"checker", live.checker},
              {"finished_cleanly", live.finished_cleanly}}}};
}

Checkpoint from_json(const Json& json) {
    if (json.at("format").get<int>() != kFormat) throw std::invalid_argument("unknown format");
    Checkpoint checkpoint;
    json.at("job").get_to(checkpoint.job);
    json.at("description").get_to(checkpoint.description);
    checkpoint.mapping = mapping_from_json(json.at("mapping"));
    json.at("epoch").get_to(checkpoint.epoch);
    json.at("collection_id").get_to(checkpoint.collection_id);
    checkpoint.takeover = json.value("takeover", "");  // a checkpoint of an earlier version has none
    json.at("collection").get_to(checkpoint.collection);
    checkpoint.phase = from_text(json.at("phase").get<std::string>(),
                                 {Phase::copy, Phase::index, Phase::sweep, Phase::done});
    json.at("expected").get_to(checkpoint.expected);
    const Json& counts = json.at("counts");
    counts.at("read").get_to(checkpoint.counts.read);
    counts.at("copied").get_to(checkpoint.counts.copied);
    counts.at("quarantined").get_to(checkpoint.counts.quarantined);
    counts.at("skipped").get_to(checkpoint.counts.skipped);
    for (const Json& range : json.at("open_ranges")) {
        checkpoint.open_ranges.push_back(
            {{id_from_json(range.at("after")), id_from_json(range.at("through"))},
             id_from_json(range.at("done_through"))});
    }
    checkpoint.quarantine_file = json.value("quarantine_file", "");
    json.at("quarantine_begin").get_to(checkpoint.quarantine_begin);
    json.at("quarantine_bytes").get_to(checkpoint.quarantine_bytes);
    json.at("copy_seconds").get_to(checkpoint.copy_seconds);
    json.at("index_seconds").get_to(checkpoint.index_seconds);
    json.at("started_ms").get_to(checkpoint.started_ms);
    const Json& live = json.at("live");
    live.at("updated_ms").get_to(checkpoint.live.updated_ms);
    live.at("pid").get_to(checkpoint.live.pid);
    live.at("items_per_second").get_to(checkpoint.live.items_per_second);
    live.at("errors").get_to(checkpoint.live.errors);
    live.at("state").get_to(checkpoint.live.state);
    live.at("reader").get_to(checkpoint.live.reader);
    live.at("writer").get_to(checkpoint.live.writer);
    live.at("checker").get_to(checkpoint.live.checker);
    live.at("finished_cleanly").get_to(checkpoint.live.finished_cleanly);
    return checkpoint;
}

}  // namespace

std::string_view to_string(Phase phase) {
    switch (phase) {
        case Phase::copy:
            return "copy";
        case Phase::index:
            return "index";
        case Phase::sweep:
            return "sweep";
        case Phase::done:
            return "done";
    }
    return "copy";
}

std::optional<Checkpoint> read_checkpoint(const std::string& path) {
    const auto content = read_private_file(path, kMaxCheckpointBytes);
    if (!content) return std::nullopt;
    try {
        return from_json(Json::parse(*content));
    } catch (const std::exception& error) {
        throw Error(
            System::file, ErrorKind::conflict,
            fmt::format("{} is not a checkpoint that can be read ({}). Name another file with "
                        "--checkpoint-file, or remove it to start over: the copy may be repeated safely.",
                        path, error.what()));
    }
}

void write_checkpoint(const std::string& path, const Checkpoint& checkpoint) {
    replace_private_file(path, to_json(checkpoint).dump(1));
}

}  // namespace crossover::migration
