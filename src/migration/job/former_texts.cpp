#include "migration/job/former_texts.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

#include "base/error.h"
#include "neo4j/inventory.h"

namespace crossover::migration {

void require_present_texts(const vectors::Collection& collection, bolt::Driver& source,
                           const std::string& database, const sync::MediaMapping& mapping) {
    if (!collection.has_former_texts()) return;
    auto inferred = mapping;
    const auto seen = neo4j::infer_mapping(source, database, inferred);
    std::vector<std::string> changed;
    for (std::size_t i = 0; i < seen.size(); ++i) {
        const auto& values = seen[i];
        if (mapping.properties[i].type == sync::PropertyType::text &&
            values.strings + values.integers + values.booleans < values.all) {
            changed.push_back(mapping.properties[i].name);
        }
    }
    if (changed.empty()) return;
    throw Error(System::milvus, ErrorKind::conflict,
                fmt::format("Collection {} was filled by an earlier version of Crossover, which wrote times, "
                            "points, lists and floats as other texts: {} would differ in every row. Drop the "
                            "collection and its alias {}, or name another with --collection; then run "
                            "migrate-embeddings.",
                            collection.name(), fmt::join(changed, ", "), mapping.collection));
}

}  // namespace crossover::migration
