#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <variant>

namespace crossover {

/// The key of a media item: the same value in Neo4j and in Milvus. Within one job all are strings or all
/// are integers. Strings are UTF-8 of any content and compare by byte, which for UTF-8 is code-point order:
/// the order of Neo4j's range index and of Milvus's primary keys alike.
using ItemId = std::variant<std::int64_t, std::string>;

/// Longest id in bytes: Neo4j's range index cannot hold more.
inline constexpr std::size_t kMaxIdBytes = 8000;

/// For messages and files: strings as they are, integers in decimal.
std::string to_string(const ItemId& id);

}  // namespace crossover
