#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/item_id.h"

namespace crossover::sync {

/// The type a carried property has in Milvus. Where neither a setting nor the collection decides, that into
/// which all values fit exactly: integers beside floats are `float64` as long as a double holds each of them;
/// any other mixture, and what no value speaks for, is `text`.
enum class PropertyType { boolean, int64, float64, text };

/// Milvus's limit for vectors of floats.
inline constexpr std::uint32_t kMaxDimension = 32768;
/// Longest carried text in bytes: Milvus's limit for VARCHAR.
inline constexpr std::size_t kMaxTextBytes = 65535;

/// Up to here, either side of zero, a double holds every integer.
inline constexpr std::int64_t kMostExactInteger = std::int64_t{1} << 53;
constexpr bool fits_float64(std::int64_t number) {
    return number >= -kMostExactInteger && number <= kMostExactInteger;
}

/// What decided a type, the strongest last.
enum class TypeSource { values, collection, setting };

struct CarriedProperty {
    std::string name;  ///< in Neo4j, and in the API
    PropertyType type = PropertyType::text;
    std::string field = name;  ///< in Milvus
    TypeSource type_source = TypeSource::values;
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

/// By its name in Neo4j; null pointer where no carried property has it.
const CarriedProperty* find_property(const MediaMapping& mapping, std::string_view name);

std::string_view to_string(PropertyType type);
std::string_view to_string(TypeSource source);
std::optional<PropertyType> parse_property_type(std::string_view text);
std::string_view to_string(IdKind kind);
/// "COSINE", "IP" or "L2", as Milvus and the command line spell it.
std::string_view to_string(Metric metric);

}  // namespace crossover::sync
