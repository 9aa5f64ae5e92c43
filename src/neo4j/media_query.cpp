#include "neo4j/media_query.h"

#include <fmt/format.h>

#include <unordered_map>

#include "base/error.h"
#include "neo4j/cypher.h"
#include "neo4j/row_decoder.h"
#include "neo4j/value_text.h"

namespace crossover::neo4j {

MediaQueries::MediaQueries(const sync::MediaMapping& mapping)
    : label_(quote_name(mapping.label)),
      id_("m." + quote_name(mapping.id_property)),
      embedding_("m." + quote_name(mapping.embedding_property)),
      version_("m." + quote_name(mapping.version_property)),
      dimension_(mapping.dimension) {
    for (const auto& property : mapping.properties) properties_.push_back(text_column("m", property));
    const bool is_string = mapping.id_kind == sync::IdKind::string;
    // A comparison with a number finds floats as well, and equality takes 1 and 1.0 for the same.
    id_is_of_kind_ = fmt::format("{} IS :: {} NOT NULL", id_, is_string ? "STRING" : "INTEGER");
    // The lowest value of the kind: a range over the index needs one bound to start from.
    lowest_id_ = is_string ? "''" : "-9223372036854775808";
}

std::string MediaQueries::range_condition(const sync::KeyRange& keys) const {
    std::string condition =
        keys.after ? fmt::format("{} > $after", id_) : fmt::format("{} >= {}", id_, lowest_id_);
    if (keys.through) condition += fmt::format(" AND {} <= $through", id_);
    return fmt::format("{} AND {} AND {} IS NOT NULL", condition, id_is_of_kind_, embedding_);
}

std::string MediaQueries::item_columns(VectorForm form) const {
    std::string columns = id_ + ", ";
    columns += form == VectorForm::stored
                   ? embedding_
                   : fmt::format(
                         "CASE WHEN {0} IS :: LIST<FLOAT NOT NULL> NOT NULL AND size({0}) = {1} "
                         "THEN vector({0}, {1}, FLOAT32) ELSE {0} END",
                         embedding_, dimension_);
    for (const auto& property : properties_) columns += ", " + property;
    return columns;
}

std::string MediaQueries::scanned_columns() const {
    return fmt::format("{}, {}, elementId(m)", item_columns(), version_);
}

std::string MediaQueries::versions_in_range(const sync::KeyRange& keys, bool limited) const {
    return fmt::format("MATCH (m:{}) WHERE {} RETURN {}, {} ORDER BY {}{}", label_, range_condition(keys),
                       id_, version_, id_, limited ? " LIMIT $limit" : "");
}

std::string MediaQueries::items_in_range(const sync::KeyRange& keys, VectorForm form) const {
    return fmt::format("{}MATCH (m:{}) WHERE {} RETURN {} ORDER BY {}",
                       form == VectorForm::float32 ? "CYPHER 25 " : "", label_, range_condition(keys),
                       item_columns(form), id_);
}

std::string MediaQueries::all_items() const {
    return fmt::format("MATCH (m:{}) WHERE {} IS NOT NULL RETURN {}", label_, embedding_, scanned_columns());
}

std::string MediaQueries::foreign_ids() const {
    // Without coalesce() the planner of 5.26 and 2025.10 takes the index for this, which has no missing ids.
    return fmt::format(
        "MATCH (m:{}) WHERE NOT coalesce({}, false) AND {} IS NOT NULL RETURN elementId(m), {}", label_,
        id_is_of_kind_, embedding_, id_);
}

std::string MediaQueries::versions_by_id(bool indexed) const {
    if (!indexed) {
        return fmt::format("MATCH (m:{}) WHERE {} IN $ids AND {} AND {} IS NOT NULL RETURN {}, {}", label_,
                           id_, id_is_of_kind_, embedding_, id_, version_);
    }
    return fmt::format(
        "UNWIND range(0, size($ids) - 1) AS i MATCH (m:{}) WHERE {} = $ids[i] AND {} AND {} IS NOT NULL "
        "RETURN i, {} AS version",
        label_, id_, id_is_of_kind_, embedding_, version_);
}

std::string MediaQueries::versions_by_element() const {
    return fmt::format(
        "UNWIND range(0, size($elements) - 1) AS i MATCH (m:{}) WHERE elementId(m) = $elements[i] AND {} IS "
        "NOT NULL "
        "RETURN i, {}, {}",
        label_, embedding_, id_, version_);
}

std::string MediaQueries::items_by_id() const {
    return fmt::format(
        "UNWIND $ids AS wanted MATCH (m:{}) WHERE {} = wanted AND {} AND {} IS NOT NULL RETURN {}", label_,
        id_, id_is_of_kind_, embedding_, item_columns());
}

std::string MediaQueries::items_by_label_scan() const {
    return fmt::format("MATCH (m:{}) WHERE {} IN $ids AND {} AND {} IS NOT NULL RETURN {}", label_, id_,
                       id_is_of_kind_, embedding_, item_columns());
}

std::string MediaQueries::duplicate_ids() const {
    return fmt::format(
        "MATCH (m:{}) WHERE {} AND {} IS NOT NULL WITH {} AS id, count(*) AS nodes WHERE nodes > 1 RETURN id "
        "LIMIT $limit",
        label_, id_is_of_kind_, embedding_, id_);
}

std::string MediaQueries::count_with_embedding() const {
    return fmt::format("MATCH (m:{}) WHERE {} IS NOT NULL RETURN count(m)", label_, embedding_);
}

std::string MediaQueries::count_without_embedding() const {
    return fmt::format("MATCH (m:{}) WHERE {} IS NULL RETURN count(m)", label_, embedding_);
}

std::string MediaQueries::ids_of_elements() const {
    return fmt::format("MATCH (m:{}) WHERE elementId(m) IN $elements AND {} AND {} IS NOT NULL RETURN {}",
                       label_, id_is_of_kind_, embedding_, id_);
}

std::string MediaQueries::items_of_elements() const {
    return fmt::format("MATCH (m:{}) WHERE elementId(m) IN $elements AND {} IS NOT NULL RETURN {}", label_,
                       embedding_, scanned_columns());
}

bolt::Parameters MediaQueries::range_parameters(const sync::KeyRange& keys) {
    bolt::Parameters parameters;
    if (keys.after) parameters.add("after", to_value(*keys.after));
    if (keys.through) parameters.add("through", to_value(*keys.through));
    return parameters;
}

bolt::Parameters MediaQueries::ids_parameter(std::span<const ItemId> ids) {
    bolt::Parameters parameters;
    parameters.add("ids", [ids](bolt::Encoder& encoder) {
        encoder.write_list_header(ids.size());
        for (const auto& id : ids) encoder.write_value(to_value(id));
    });
    return parameters;
}

bolt::Parameters MediaQueries::elements_parameter(std::span<const std::string> elements) {
    bolt::Parameters parameters;
    parameters.add("elements", [elements](bolt::Encoder& encoder) {
        encoder.write_list_header(elements.size());
        for (const auto& element : elements) encoder.write_string(element);
    });
    return parameters;
}

std::vector<sync::Presence> read_presences(bolt::Result result, std::span<const ItemId> ids, bool indexed,
                                           std::vector<std::size_t>* marked) {
    using sync::Presence;
    std::unordered_map<ItemId, std::int64_t> positions;
    if (!indexed) {
        for (std::size_t i = 0; i < ids.size(); ++i) positions.emplace(ids[i], i);
    }
    std::vector<Presence> found(ids.size());
    bolt::RecordView record;
    while (result.next(record)) {
        std::int64_t position = -1;
        if (indexed) {
            record.fields.read_int(position);
        } else if (ItemId id; read_id(record.fields, id)) {
            const auto known = positions.find(id);
            // The id may have changed after it was compared, and before it was returned.
            if (known == positions.end()) continue;
            position = known->second;
        }
        const std::int64_t version = read_version(record.fields);
        if (record.fields.ok() && position < 0 && marked != nullptr) {
            marked->push_back(static_cast<std::size_t>(-1 - position));
            continue;
        }
        if (!record.fields.ok() || position < 0 || static_cast<std::size_t>(position) >= ids.size()) {
            throw Error(System::neo4j, ErrorKind::protocol, "Neo4j sent a record that can't be decoded.");
        }
        Presence& presence = found[static_cast<std::size_t>(position)];
        presence = presence.state == Presence::State::absent ? Presence{Presence::State::present, version}
                                                             : Presence{Presence::State::ambiguous, 0};
    }
    return found;
}

bool read_id(bolt::Decoder& fields, ItemId& id) {
    if (fields.peek() == bolt::Type::integer) {
        std::int64_t number = 0;
        fields.read_int(number);
        id = number;
        return true;
    }
    std::string_view text;
    if (!fields.read_string(text)) return false;
    id = std::string(text);
    return true;
}

}  // namespace crossover::neo4j
