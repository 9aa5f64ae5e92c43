#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/item_id.h"

namespace crossover::sync {

/// The type a carried property has in Milvus, inferred from all its values in Neo4j:
/// integers and floats together become `float64`, any other mixture `text`.
enum class PropertyType { boolean, int64, float64, text };

/// Longest carried text in bytes: Milvus's limit for VARCHAR.
inline constexpr std::size_t kMaxTextBytes = 65535;

struct CarriedProperty {
    std::string name;
    PropertyType type = PropertyType::text;
    std::size_t max_bytes = kMaxTextBytes;  ///< of a text, in the collection as it is
    friend bool operator==(const CarriedProperty&, const CarriedProperty&) = default;
};

enum class IdKind { string, integer };
enum class Metric { cosine, inner_product, l2 };

/// Which nodes and properties of Neo4j become which rows of Milvus. Fixed for a job.
struct MediaMapping {
    /// The alias of the collection. Whatever Crossover keeps in Neo4j for these rows carries it.
    std::string collection = "media_embeddings";
    std::string label = "MediaContent";
    std::string id_property = "id";
    std::string embedding_property = "embedding";
    std::string version_property = "embedding_version";
    std::vector<CarriedProperty> properties;
    IdKind id_kind = IdKind::string;
    std::size_t max_id_bytes = kMaxIdBytes;  ///< of a string id, in the collection as it is
    std::uint32_t dimension = 0;
    Metric metric = Metric::cosine;
};

std::string_view to_string(PropertyType type);
std::string_view to_string(IdKind kind);
/// "COSINE", "IP" or "L2", as Milvus and the command line spell it.
std::string_view to_string(Metric metric);

}  // namespace crossover::sync
