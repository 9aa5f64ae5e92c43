#include "neo4j/source_mark.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/unique_name.h"
#include "neo4j/cypher.h"
#include "neo4j/read_session.h"

namespace crossover::neo4j {

namespace {

using namespace std::chrono_literals;

constexpr const char* kConstraint =
    "CREATE CONSTRAINT crossover_source IF NOT EXISTS FOR (s:CrossoverSource) REQUIRE (s.collection, "
    "s.label) "
    "IS UNIQUE";
constexpr const char* kFindOrMake =
    "MERGE (s:CrossoverSource {collection: $collection, label: $label}) ON CREATE SET s.id = $fresh "
    "SET s.id_property = coalesce(s.id_property, $id_property), "
    "s.embedding_property = coalesce(s.embedding_property, $embedding_property) "
    "RETURN s.id, s.id_property, s.embedding_property";
constexpr const char* kFind =
    "MATCH (s:CrossoverSource {collection: $collection, label: $label}) "
    "RETURN s.id, coalesce(s.id_property, $id_property), coalesce(s.embedding_property, $embedding_property)";
/// By another id the collection in Milvus is another's, and so taken over as one.
constexpr const char* kReplace =
    "MATCH (s:CrossoverSource {collection: $collection, label: $label}) "
    "SET s.id = $fresh, s.id_property = $id_property, s.embedding_property = $embedding_property";

bolt::Parameters parameters_of(const sync::MediaMapping& mapping) {
    return {{"collection", mapping.collection},
            {"label", mapping.label},
            {"id_property", mapping.id_property},
            {"embedding_property", mapping.embedding_property}};
}

bool has_properties_of(const sync::MediaMapping& mapping, const bolt::Record& row) {
    return text_of(row[1]) == mapping.id_property && text_of(row[2]) == mapping.embedding_property;
}

void require_properties_of(const sync::MediaMapping& mapping, const bolt::Record& row) {
    if (has_properties_of(mapping, row)) return;
    throw Error(
        System::neo4j, ErrorKind::conflict,
        fmt::format("Collection {0} is filled with {1}.{2} by {1}.{3}, not with {1}.{4} by {1}.{5}. Check "
                    "--embedding-property and --id-property, or name another --collection. If these are to "
                    "be in it, run migrate-embeddings --adopt-collection; if nothing was copied yet, delete "
                    "(:CrossoverSource {{collection: '{0}'}}).",
                    mapping.collection, mapping.label, text_of(row[2]), text_of(row[1]),
                    mapping.embedding_property, mapping.id_property));
}

}  // namespace

sync::SourceMark source_mark(bolt::Driver& driver, const std::string& database,
                             const sync::MediaMapping& mapping, bool adopt) {
    auto session = driver.session({.database = database, .timeout = 30s});
    session.run(kConstraint).consume();
    const auto fresh = unique_name();
    return session.execute_write([&](bolt::Transaction& transaction) {
        auto parameters = parameters_of(mapping);
        parameters.add("fresh", fresh);
        const auto found = transaction.run(kFindOrMake, parameters).single();
        if (!adopt) require_properties_of(mapping, found);
        if (has_properties_of(mapping, found)) {
            return sync::SourceMark{mapping.label, database, text_of(found[0])};
        }
        transaction.run(kReplace, parameters).consume();
        return sync::SourceMark{mapping.label, database, fresh};
    });
}

sync::SourceMark known_source_mark(bolt::Driver& driver, const std::string& database,
                                   const sync::MediaMapping& mapping) {
    auto session = read_session(driver, database, Deadline::after(30s));
    auto result = session.run(kFind, parameters_of(mapping));
    const auto row = result.next();
    if (row) require_properties_of(mapping, *row);
    return {mapping.label, database, row ? text_of(row->at(0)) : std::string()};
}

}  // namespace crossover::neo4j
