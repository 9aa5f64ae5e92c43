#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bolt/driver.h"
#include "neo4j/label_sample.h"
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

/// Completes a mapping from a sample of the data (draw_sample), in a time that does not grow with the label:
/// id kind (that of most ids), the type of each carried property named in `mapping.properties` (from all
/// values of the sample; properties that none of its nodes has become text), and the dimension where it is 0
/// (the most frequent). Values that it does not meet may not fit. Throws `not_ready` where the label has no
/// embedding at all; to know that, a label whose sample has none is scanned.
void infer_mapping(bolt::Driver& driver, const std::string& database, sync::MediaMapping& mapping);
/// By a sample that was drawn before.
void infer_mapping(bolt::Driver& driver, const std::string& database, sync::MediaMapping& mapping,
                   const LabelSample& sample);

}  // namespace crossover::neo4j
