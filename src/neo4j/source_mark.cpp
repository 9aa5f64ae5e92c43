#include "neo4j/source_mark.h"

#include "core/unique_name.h"
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
    "MERGE (s:CrossoverSource {collection: $collection, label: $label}) ON CREATE SET s.id = $id RETURN s.id";

constexpr const char* kFind =
    "MATCH (s:CrossoverSource {collection: $collection, label: $label}) RETURN s.id";

}  // namespace

sync::SourceMark source_mark(bolt::Driver& driver, const std::string& database,
                             const sync::MediaMapping& mapping) {
    auto session = driver.session({.database = database, .timeout = 30s});
    session.run(kConstraint).consume();
    const auto fresh = unique_name();
    return session.execute_write([&](bolt::Transaction& transaction) {
        auto found = transaction.run(
            kFindOrMake, {{"collection", mapping.collection}, {"label", mapping.label}, {"id", fresh}});
        return sync::SourceMark{mapping.label, database, text_of(found.single()[0])};
    });
}

sync::SourceMark known_source_mark(bolt::Driver& driver, const std::string& database,
                                   const sync::MediaMapping& mapping) {
    const auto row = read_session(driver, database, Deadline::after(30s))
                         .run(kFind, {{"collection", mapping.collection}, {"label", mapping.label}})
                         .next();
    return {mapping.label, database, row ? text_of(row->at(0)) : std::string()};
}

}  // namespace crossover::neo4j
