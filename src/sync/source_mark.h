#pragma once

#include <string>

namespace crossover::sync {

/// Whose rows a collection of Milvus holds: the nodes of a label in a database of Neo4j. Kept in both stores:
/// in Neo4j as `(:CrossoverSource {collection, label, id, id_property, embedding_property})`, in Milvus as
/// properties of the collection.
struct SourceMark {
    std::string label;
    std::string database;
    std::string id;  ///< random, made once in Neo4j: tells databases of the same name apart
    friend bool operator==(const SourceMark&, const SourceMark&) = default;
};

}  // namespace crossover::sync
