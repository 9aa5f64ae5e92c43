#include "migration/job/job.h"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/encodings.h"

namespace crossover::migration {

std::string hash_of(const Job& job) {
    const auto& mapping = job.mapping;
    nlohmann::json parts{{"source", job.source_address},
                         {"target", job.target_address},
                         {"database", job.database},
                         {"collection", job.mapping.collection},
                         {"label", mapping.label},
                         {"id", mapping.id_property},
                         {"embedding", mapping.embedding_property},
                         {"version", mapping.version_property},
                         {"id_kind", sync::to_string(mapping.id_kind)},
                         {"dimension", mapping.dimension},
                         {"metric", sync::to_string(mapping.metric)}};
    for (const auto& property : mapping.properties) {
        parts["properties"].push_back({property.name, sync::to_string(property.type)});
        if (property.field != property.name) parts["fields"][property.name] = property.field;
    }
    const std::string text = parts.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
    SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
    return hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

std::string describe(const Job& job) {
    return fmt::format("{} in {} → {} in {}", job.mapping.label, job.source_address, job.mapping.collection,
                       job.target_address);
}

neo4j::LeaseName lease_name(const std::string& collection) {
    return {"migrate-embeddings", collection};
}

bool completes(const sync::MediaMapping& completed, const sync::MediaMapping& asked) {
    const auto fits = [](const auto& a, const auto& b) {
        return a.name == b.name && a.field == b.field &&
               (b.type_source != sync::TypeSource::setting || a.type == b.type);
    };
    return completed.label == asked.label && completed.id_property == asked.id_property &&
           completed.embedding_property == asked.embedding_property &&
           completed.version_property == asked.version_property && completed.metric == asked.metric &&
           (asked.dimension == 0 || completed.dimension == asked.dimension) &&
           std::ranges::equal(completed.properties, asked.properties, fits);
}

}  // namespace crossover::migration
