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

/// The values that were looked at of one carried property, by what they are.
struct PropertyValues {
    std::int64_t all = 0, booleans = 0, integers = 0, floats = 0, strings = 0;
    std::int64_t great = 0;  ///< of the integers: those for which sync::fits_float64() is false

    /// The one type that holds each of them exactly: see sync::PropertyType.
    sync::PropertyType common_type() const;
};

/// Completes a mapping from a sample of the data (draw_sample), in a time that does not grow with the label:
/// id kind (that of most ids), the type of each carried property whose type neither a setting nor a
/// collection decided (from all values of the sample), and the dimension where it is 0 (the most frequent).
/// Values that it does not meet may not fit. Returns what was seen of each carried property.
/// Throws `not_ready` where the label has no embedding at all (to know that, a label whose sample has none is
/// scanned), `conflict` where they have a dimension that Milvus does not take.
std::vector<PropertyValues> infer_mapping(bolt::Driver& driver, const std::string& database,
                                          sync::MediaMapping& mapping);
/// By a sample that was drawn before.
std::vector<PropertyValues> infer_mapping(bolt::Driver& driver, const std::string& database,
                                          sync::MediaMapping& mapping, const LabelSample& sample);

}  // namespace crossover::neo4j
