#include "migration/validate/row_comparison.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

namespace crossover::migration {

namespace {

/// Longest text of a property in a message.
constexpr std::size_t kShownBytes = 80;

std::span<const float> vector_of(const sync::ItemBatch& batch, std::size_t row) {
    return std::span(batch.vectors).subspan(row * batch.dimension, batch.dimension);
}

std::span<const float> vector_of(const milvus::ColumnBatch& batch, std::size_t row) {
    return std::span(batch.vectors).subspan(row * batch.dimension, batch.dimension);
}

bool same_bits(std::span<const float> left, std::span<const float> right) {
    return left.size() == right.size() && std::memcmp(left.data(), right.data(), left.size_bytes()) == 0;
}

/// Bits, so that a zero of the other sign does not pass unseen; but any NaN equals any other, since Milvus
/// writes one of its own when it flushes.
template <class T>
bool same_value(const T& left, const T& right) {
    if constexpr (std::is_same_v<T, double>) {
        return std::memcmp(&left, &right, sizeof left) == 0 || (std::isnan(left) && std::isnan(right));
    } else {
        return left == right;
    }
}

bool same_property(const sync::PropertyColumn& source, std::size_t source_row, const milvus::Column& target,
                   std::size_t target_row) {
    return std::visit(
        [&](const auto& values) {
            const auto* other = std::get_if<std::decay_t<decltype(values)>>(&target.values);
            if (other == nullptr) return false;
            // A server without nullable fields stores the type's zero for an absent value, and so does an
            // absent value of the batch; where fields are nullable, absence itself must agree.
            const bool source_present = source.present[source_row] != 0;
            if (!target.valid.empty() && target.has(target_row) != source_present) return false;
            return same_value(values[source_row], (*other)[target_row]);
        },
        source.values);
}

template <class T>
std::string show(const T& value) {
    if constexpr (std::is_same_v<T, std::string>) {
        if (value.size() <= kShownBytes) return fmt::format("\"{}\"", value);
        std::size_t end = kShownBytes;  // not within a UTF-8 character
        while (end > 0 && (static_cast<unsigned char>(value[end]) & 0xC0) == 0x80) --end;
        return fmt::format("\"{}…\" ({} bytes)", value.substr(0, end), value.size());
    } else if constexpr (std::is_same_v<T, std::uint8_t>) {
        return value != 0 ? "true" : "false";
    } else {
        return fmt::format("{}", value);
    }
}

std::optional<std::string> show_property(const sync::PropertyColumn& column, std::size_t row) {
    if (column.present[row] == 0) return std::nullopt;
    return std::visit([&](const auto& values) { return show(values[row]); }, column.values);
}

std::optional<std::string> show_property(const milvus::Column& column, std::size_t row) {
    if (!column.has(row)) return std::nullopt;
    return std::visit([&](const auto& values) { return show(values[row]); }, column.values);
}

}  // namespace

double l2_distance(std::span<const float> left, std::span<const float> right) {
    if (left.size() != right.size()) return std::numeric_limits<double>::infinity();
    double sum = 0;
    for (std::size_t i = 0; i < left.size(); ++i) {
        const double difference = static_cast<double>(left[i]) - static_cast<double>(right[i]);
        sum += difference * difference;
    }
    const double distance = std::sqrt(sum);
    return std::isnan(distance) ? std::numeric_limits<double>::infinity() : distance;
}

RowComparison compare_rows(const sync::ItemBatch& source, std::size_t source_row,
                           const milvus::ColumnBatch& target, std::size_t target_row) {
    RowComparison result;
    const auto source_vector = vector_of(source, source_row);
    const auto target_vector = vector_of(target, target_row);
    result.same_bits = same_bits(source_vector, target_vector);
    if (!result.same_bits) result.l2 = l2_distance(source_vector, target_vector);

    if (source.versions[source_row] != target.versions[target_row]) {
        result.difference = Difference::stale_version;
    } else if (!(result.l2 <= kVectorTolerance)) {
        result.difference = Difference::different_vector;
    } else {
        for (std::size_t p = 0; p < source.properties.size(); ++p) {
            if (same_property(source.properties[p], source_row, target.properties[p], target_row)) continue;
            result.difference = Difference::different_property;
            break;
        }
    }
    return result;
}

std::string describe_difference(const sync::MediaMapping& mapping, const sync::ItemBatch& source,
                                std::size_t source_row, const milvus::ColumnBatch& target,
                                std::size_t target_row) {
    std::string text;
    const auto add = [&text](const std::string& part) {
        if (!text.empty()) text += "; ";
        text += part;
    };
    if (source.versions[source_row] != target.versions[target_row]) {
        add(fmt::format("version {} in Milvus, {} in Neo4j", target.versions[target_row],
                        source.versions[source_row]));
    }
    const auto source_vector = vector_of(source, source_row);
    const auto target_vector = vector_of(target, target_row);
    if (!same_bits(source_vector, target_vector)) {
        add(fmt::format("L2 {:.3g}", l2_distance(source_vector, target_vector)));
    }
    for (std::size_t p = 0; p < source.properties.size(); ++p) {
        if (same_property(source.properties[p], source_row, target.properties[p], target_row)) continue;
        add(fmt::format("{} {} in Milvus, {} in Neo4j", mapping.properties[p].name,
                        show_property(target.properties[p], target_row).value_or("absent"),
                        show_property(source.properties[p], source_row).value_or("absent")));
    }
    return text;
}

ItemSide describe_source(const sync::MediaMapping& mapping, const sync::ItemBatch& source, std::size_t row) {
    ItemSide side;
    side.present = true;
    side.version = source.versions[row];
    const auto vector = vector_of(source, row);
    side.vector.assign(vector.begin(), vector.end());
    for (std::size_t p = 0; p < source.properties.size(); ++p) {
        if (auto value = show_property(source.properties[p], row)) {
            side.properties.emplace_back(mapping.properties[p].name, std::move(*value));
        }
    }
    return side;
}

ItemSide describe_target(const sync::MediaMapping& mapping, const milvus::ColumnBatch& target,
                         std::size_t row) {
    ItemSide side;
    side.present = true;
    side.version = target.versions[row];
    const auto vector = vector_of(target, row);
    side.vector.assign(vector.begin(), vector.end());
    for (std::size_t p = 0; p < target.properties.size(); ++p) {
        if (auto value = show_property(target.properties[p], row)) {
            side.properties.emplace_back(mapping.properties[p].name, std::move(*value));
        }
    }
    return side;
}

}  // namespace crossover::migration
