#pragma once

#include <optional>
#include <string_view>

namespace crossover::engine {

/// Where the engine reads and writes. An operator turns it one step at a time, while requests come in.
enum class StorageMode {
    neo4j_only,     ///< all in Neo4j; changes are not captured for Milvus
    dual_write,     ///< changes reach Milvus too; searches ask Neo4j
    shadow_milvus,  ///< searches ask Milvus, fall back to Neo4j, and a share of answers is compared
    hybrid          ///< searches ask Milvus alone; Neo4j has the graph
};
inline constexpr int kStorageModes = 4;

/// "neo4j_only", as configuration and metrics spell it.
std::string_view to_string(StorageMode mode);
std::optional<StorageMode> parse_storage_mode(std::string_view text);

/// Whether each change leaves an entry in the outbox, in the same transaction.
constexpr bool captures(StorageMode mode) {
    return mode != StorageMode::neo4j_only;
}
constexpr bool searches_milvus(StorageMode mode) {
    return mode == StorageMode::shadow_milvus || mode == StorageMode::hybrid;
}

}  // namespace crossover::engine
