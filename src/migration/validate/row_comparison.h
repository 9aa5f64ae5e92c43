#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "migration/validate/validate.h"
#include "sync/item_batch.h"

namespace crossover::migration {

/// What a comparison of one row of Neo4j with the row of Milvus of the same id found.
struct RowComparison {
    std::optional<Difference> difference;  ///< the one it counts as; empty where consistent
    bool same_bits = false;                ///< of the vectors
    double l2 = 0;                         ///< infinite where a distance can't be taken
};

/// Compares row `source_row` with row `target_row`, whose ids are equal. Cheap where the rows are equal.
RowComparison compare_rows(const sync::ItemBatch& source, std::size_t source_row,
                           const milvus::ColumnBatch& target, std::size_t target_row);

/// All the ways in which the two rows differ, for a person: "version 3 in Milvus, 5 in Neo4j; L2 0.52;
/// title \"A\" in Milvus, \"B\" in Neo4j".
std::string describe_difference(const sync::MediaMapping& mapping, const sync::ItemBatch& source,
                                std::size_t source_row, const milvus::ColumnBatch& target,
                                std::size_t target_row);

/// Euclidean distance in double; infinite where it is no number or the lengths differ.
double l2_distance(std::span<const float> left, std::span<const float> right);

/// One side of an id for a person, without its `state`.
ItemSide describe_source(const sync::MediaMapping& mapping, const sync::ItemBatch& source, std::size_t row);
ItemSide describe_target(const sync::MediaMapping& mapping, const milvus::ColumnBatch& target,
                         std::size_t row);

}  // namespace crossover::migration
