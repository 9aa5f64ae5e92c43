#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "bolt/session.h"

namespace crossover::neo4j {

/// How many nodes speak for a label.
inline constexpr std::size_t kSampleNodes = 10'000;

/// Nodes of a label, by element id.
struct LabelSample {
    std::int64_t nodes = 0;  ///< of the label, counted exactly
    std::vector<std::string> elements;
    bool whole() const { return nodes == static_cast<std::int64_t>(elements.size()); }
};

/// All nodes of the label where they are `size` at most; else `size` of them, drawn at random but the same
/// ones each time, in a time that does not grow with the label.
///
/// The draw needs Neo4j's internal numbers of nodes, of which element ids consist today. Where they say
/// nothing, or the label is sparse in the database, the nodes that were stored first fill up the sample.
LabelSample draw_sample(bolt::Session& session, const std::string& label, std::size_t size = kSampleNodes);

}  // namespace crossover::neo4j
