#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bolt/driver.h"
#include "sync/mapping.h"

namespace crossover::neo4j {

/// Whether the database helps to read media by id.
struct IdSupport {
    bool ordered = false;  ///< a range index on the id property is ONLINE
    bool unique = false;   ///< a uniqueness (or key) constraint on the id property exists
    /// The Cypher statement that makes both, for the operator; empty where both are there.
    std::string statement;
    /// What stands in the way of an index that exists: "FAILED: …", "POPULATING 42 %"; else empty.
    std::string index_trouble;
};
IdSupport inspect_id_support(bolt::Driver& driver, const std::string& database,
                             const sync::MediaMapping& mapping);

/// Completes a mapping from the data: id kind (that of most ids), the type of each carried property named in
/// `mapping.properties` (from all values; properties that no node has become text), and the dimension where
/// it is 0 (the most frequent of a sample). Throws `not_ready` where the label has no embedding at all.
void infer_mapping(bolt::Driver& driver, const std::string& database, sync::MediaMapping& mapping);

}  // namespace crossover::neo4j
