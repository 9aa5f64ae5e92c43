#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/item_id.h"
#include "sync/mapping.h"

namespace crossover::sync {

/// The values of one carried property over the rows of a batch. `values` holds the alternative of its
/// CarriedProperty's type; where `present[row]` is 0 the source has no value and `values[row]` is the type's
/// zero.
struct PropertyColumn {
    std::variant<std::vector<std::uint8_t>, std::vector<std::int64_t>, std::vector<double>,
                 std::vector<std::string>>
        values;
    std::vector<std::uint8_t> present;
};

/// Valid items by column: row i is ids[i], versions[i], vectors[i*dimension, (i+1)*dimension) and
/// properties[p].values[i] in the order of MediaMapping::properties. Ids occur once.
struct ItemBatch {
    std::vector<ItemId> ids;
    std::vector<std::int64_t> versions;
    std::vector<float> vectors;
    std::uint32_t dimension = 0;
    std::vector<PropertyColumn> properties;

    std::size_t rows() const { return ids.size(); }
    bool empty() const { return ids.empty(); }
    std::size_t vector_bytes() const { return vectors.size() * sizeof(float); }
};

/// An empty batch with a column for each carried property, of the alternative its type asks for.
ItemBatch make_batch(const MediaMapping& mapping);
/// Empties all columns and keeps their memory.
void clear(ItemBatch& batch);
/// Copies one row of a batch of the same mapping to the end.
void append_row(ItemBatch& batch, const ItemBatch& from, std::size_t row);
/// Drops the last row.
void pop_back(ItemBatch& batch);

/// Why a source item cannot be a row of Milvus. The names stand in quarantine files and reports.
enum class RejectionReason {
    wrong_dimension,
    not_a_list,
    not_numeric,
    not_finite,
    zero_vector,
    id_missing,
    id_wrong_type,
    id_duplicate,
    id_too_long,
    id_not_storable,
    property_type,
    property_too_long,
    refused_by_server
};
std::string_view to_string(RejectionReason reason);

/// A source item that is quarantined. `id` is empty (monostate) where the node has none, or one of the other
/// kind; `element_id` is Neo4j's, where it is known, so that a person can find the node.
struct Rejected {
    std::variant<std::monostate, std::int64_t, std::string> id;
    std::string element_id;
    RejectionReason reason;
    std::string detail;  ///< e.g. "512 values, expected 768"; may be empty
    bool narrow =
        false;  ///< too long only for the collection as it is: one of Crossover's making would take it
};
/// The id of a rejected item; empty where it has none that a row could have.
std::optional<ItemId> id_of(const Rejected& rejected);

}  // namespace crossover::sync
