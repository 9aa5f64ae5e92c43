#include "engine/storage_mode.h"

#include <array>

namespace crossover::engine {

namespace {
constexpr std::array<std::string_view, kStorageModes> kNames = {"neo4j_only", "dual_write", "shadow_milvus",
                                                                "hybrid"};
}

std::string_view to_string(StorageMode mode) {
    return kNames.at(static_cast<std::size_t>(mode));
}

std::optional<StorageMode> parse_storage_mode(std::string_view text) {
    for (std::size_t i = 0; i < kNames.size(); ++i) {
        if (kNames[i] == text) return static_cast<StorageMode>(i);
    }
    return std::nullopt;
}

}  // namespace crossover::engine
