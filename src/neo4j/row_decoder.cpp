#include "neo4j/row_decoder.h"

#include <fmt/format.h>

#include <limits>
#include <span>

#include "neo4j/value_text.h"
#include "sync/direction.h"

namespace crossover::neo4j {

namespace {

using sync::PropertyType;
using sync::Rejected;
using sync::RejectionReason;

template <class T>
void append(sync::PropertyColumn& column, T value, bool present) {
    std::get<std::vector<T>>(column.values).push_back(std::move(value));
    column.present.push_back(present ? 1 : 0);
}

void append_zero(sync::PropertyColumn& column) {
    std::visit([](auto& values) { values.emplace_back(); }, column.values);
    column.present.push_back(0);
}

std::optional<RejectionReason> reason_of(bolt::Float32ListStatus status) {
    switch (status) {
        case bolt::Float32ListStatus::ok:
            return std::nullopt;
        case bolt::Float32ListStatus::wrong_dimension:
            return RejectionReason::wrong_dimension;
        case bolt::Float32ListStatus::not_numeric:
            return RejectionReason::not_numeric;
        case bolt::Float32ListStatus::not_finite:
            return RejectionReason::not_finite;
        case bolt::Float32ListStatus::null:
        case bolt::Float32ListStatus::not_a_list:
        case bolt::Float32ListStatus::malformed:
            return RejectionReason::not_a_list;
    }
    return RejectionReason::not_a_list;
}

/// What fits a property's type; a failed alternative leaves it for the next.
bool take_typed(const bolt::Value& value, PropertyType type, sync::PropertyColumn& column) {
    switch (type) {
        case PropertyType::boolean:
            if (const auto* flag = value.get_if<bool>())
                return append<std::uint8_t>(column, *flag, true), true;
            return false;
        case PropertyType::int64:
            if (const auto* number = value.get_if<std::int64_t>()) return append(column, *number, true), true;
            return false;
        case PropertyType::float64:
            if (const auto* number = value.get_if<double>()) return append(column, *number, true), true;
            if (const auto* number = value.get_if<std::int64_t>();
                number != nullptr && sync::fits_float64(*number)) {
                return append(column, static_cast<double>(*number), true), true;
            }
            return false;
        case PropertyType::text:
            append(column, to_text(value), true);
            return true;
    }
    return false;
}

/// A text is judged as Milvus gets it, whatever it was in Neo4j.
bool too_long(const sync::CarriedProperty& property, std::size_t bytes, sync::PropertyColumn& column,
              Rejected& rejected) {
    rejected.reason = RejectionReason::property_too_long;
    rejected.detail = fmt::format("{} has {} bytes, {} takes {}", property.name, bytes,
                                  property.max_bytes == sync::kMaxTextBytes ? "Milvus" : "the collection",
                                  property.max_bytes);
    rejected.narrow = bytes <= sync::kMaxTextBytes;
    append_zero(column);
    return false;
}

void drop_properties_beyond(sync::ItemBatch& batch, std::size_t rows) {
    for (auto& column : batch.properties) {
        std::visit(
            [&](auto& values) {
                if (values.size() > rows) values.pop_back();
            },
            column.values);
        if (column.present.size() > rows) column.present.pop_back();
    }
}

}  // namespace

std::int64_t read_version(bolt::Decoder& fields) {
    std::int64_t version = 0;
    if (fields.peek() != bolt::Type::integer) {
        fields.skip();
        return 0;
    }
    fields.read_int(version);
    return version;
}

RowDecoder::Row RowDecoder::decode_id(bolt::Decoder& fields) const {
    Row row;
    const auto refuse = [&](RejectionReason reason, std::string detail = {}) {
        row.rejected = Rejected{{}, {}, reason, std::move(detail)};
    };
    const bolt::Type type = fields.peek();
    if (type == bolt::Type::null) {
        fields.skip();
        refuse(RejectionReason::id_missing);
    } else if (type == bolt::Type::string && mapping_.id_kind == sync::IdKind::string) {
        std::string_view text;
        fields.read_string(text);
        if (text.size() > mapping_.max_id_bytes) {
            refuse(
                RejectionReason::id_too_long,
                mapping_.max_id_bytes == kMaxIdBytes
                    ? fmt::format("{} bytes, at most {} can be indexed", text.size(), kMaxIdBytes)
                    : fmt::format("{} bytes, the collection takes {}", text.size(), mapping_.max_id_bytes));
            row.rejected->id = std::string(text);
            row.rejected->narrow = text.size() <= kMaxIdBytes;
        } else {
            row.id = std::string(text);
        }
    } else if (type == bolt::Type::integer && mapping_.id_kind == sync::IdKind::integer) {
        std::int64_t number = 0;
        fields.read_int(number);
        if (number == std::numeric_limits<std::int64_t>::max()) {
            refuse(RejectionReason::id_not_storable, "Milvus takes a row of this id and never shows it");
            row.rejected->id = number;
        } else {
            row.id = number;
        }
    } else {
        bolt::Value value;
        if (fields.read_value(value)) {
            refuse(RejectionReason::id_wrong_type, fmt::format("{} {}, where ids are {}s", value.type_name(),
                                                               to_text(value), to_string(mapping_.id_kind)));
        }
    }
    return row;
}

RowDecoder::Row RowDecoder::decode(bolt::Decoder& fields, std::int64_t version,
                                   sync::ItemBatch& batch) const {
    Row row = decode_id(fields);
    const auto refuse = [&](RejectionReason reason, std::string detail, bool narrow = false) {
        if (!row.rejected) row.rejected = Rejected{{}, {}, reason, std::move(detail), narrow};
    };

    const auto list = bolt::read_float32_list(fields, mapping_.dimension, batch.vectors);
    const bool vector_appended = list.status == bolt::Float32ListStatus::ok;
    if (const auto reason = reason_of(list.status)) {
        refuse(*reason, *reason == RejectionReason::wrong_dimension
                            ? fmt::format("{} values, expected {}", list.dimension, mapping_.dimension)
                            : std::string());
    } else if (mapping_.metric == sync::Metric::cosine &&
               !sync::has_direction(std::span(batch.vectors).last(mapping_.dimension))) {
        refuse(RejectionReason::zero_vector,
               list.all_zero ? "" : "its length is too small or too great for a float32");
    }

    const std::size_t rows_before = batch.rows();
    for (std::size_t i = 0; i < mapping_.properties.size(); ++i) {
        Rejected why{{}, {}, RejectionReason::property_type, {}};
        if (!decode_property(fields, mapping_.properties[i], batch.properties[i], why)) {
            refuse(why.reason, std::move(why.detail), why.narrow);
        }
    }

    if (row.rejected || !fields.ok()) {
        if (vector_appended) batch.vectors.resize(batch.vectors.size() - mapping_.dimension);
        drop_properties_beyond(batch, rows_before);
        if (row.rejected && row.id) std::visit([&](const auto& id) { row.rejected->id = id; }, *row.id);
        return row;
    }
    batch.ids.push_back(*row.id);
    batch.versions.push_back(version);
    return row;
}

bool RowDecoder::decode_property(bolt::Decoder& fields, const sync::CarriedProperty& property,
                                 sync::PropertyColumn& column, Rejected& rejected) const {
    const bolt::Type type = fields.peek();
    if (type == bolt::Type::null) {
        fields.skip();
        append_zero(column);
        return true;
    }
    if (type == bolt::Type::string && property.type == PropertyType::text) {
        std::string_view text;
        fields.read_string(text);
        if (text.size() > property.max_bytes) return too_long(property, text.size(), column, rejected);
        append(column, std::string(text), true);
        return true;
    }
    bolt::Value value;
    if (!fields.read_value(value)) return false;
    if (!take_typed(value, property.type, column)) {
        rejected.detail = fmt::format("{} is {}, where the collection has {}", property.name,
                                      value.type_name(), to_string(property.type));
        append_zero(column);
        return false;
    }
    if (property.type == PropertyType::text) {
        auto& texts = std::get<std::vector<std::string>>(column.values);
        if (const std::size_t bytes = texts.back().size(); bytes > property.max_bytes) {
            texts.pop_back();
            column.present.pop_back();
            return too_long(property, bytes, column, rejected);
        }
    }
    return true;
}

}  // namespace crossover::neo4j
