#pragma once

#include <span>
#include <string>
#include <vector>

#include "bolt/parameters.h"
#include "bolt/result.h"
#include "sync/mapping.h"
#include "sync/source_store.h"

namespace crossover::neo4j {

/// How Neo4j is to send embeddings.
enum class VectorForm {
    stored,  ///< as they are: a list of floats takes 9 bytes an element on the wire
    /// Lists of floats of the mapping's dimension as float32 vectors, 4 bytes an element; anything else as it
    /// is. For Bolt 6.0 and later only. The query fails at the first list with a value that is not finite as
    /// a float32, by "Neo.ClientError.Statement.ArgumentError".
    float32
};
/// Neo4j has vectors of at most so many elements.
inline constexpr std::uint32_t kMaxVectorDimension = 4096;

/// The Cypher that Crossover reads media with. Names are quoted, values are parameters.
/// Every query sees only nodes of the label that have an embedding; queries by key see only ids of the
/// mapping's kind.
class MediaQueries {
  public:
    explicit MediaQueries(const sync::MediaMapping& mapping);

    /// id, version in order of ids, at most $limit: `keys` says which bounds become $after and $through.
    std::string versions_in_range(const sync::KeyRange& keys, bool limited) const;
    /// id, embedding, carried properties… in order of ids.
    std::string items_in_range(const sync::KeyRange& keys, VectorForm form = VectorForm::stored) const;
    /// id, embedding, carried properties…, version, element id; all nodes of the label, in no order.
    std::string all_items() const;
    /// element id, id of nodes whose id is missing or of another kind.
    std::string foreign_ids() const;
    /// For read_presences(): one look-up for each of $ids (position, version), or one label scan for all (id,
    /// version).
    std::string versions_by_id(bool indexed) const;
    /// position in $elements (from 0), id, version.
    std::string versions_by_element() const;
    /// id, embedding, carried properties… of $ids.
    std::string items_by_id() const;
    std::string items_by_label_scan() const;
    /// id of ids that several nodes share, at most $limit.
    std::string duplicate_ids() const;
    std::string count_with_embedding() const;
    std::string count_without_embedding() const;
    /// id of those of the nodes $elements that are an item, in no order.
    std::string ids_of_elements() const;
    /// all_items() of the nodes $elements.
    std::string items_of_elements() const;

    /// $after and $through as far as `keys` has them.
    static bolt::Parameters range_parameters(const sync::KeyRange& keys);
    /// $ids.
    static bolt::Parameters ids_parameter(std::span<const ItemId> ids);
    /// $elements.
    static bolt::Parameters elements_parameter(std::span<const std::string> elements);

  private:
    std::string range_condition(const sync::KeyRange& keys) const;
    std::string scanned_columns() const;
    std::string item_columns(VectorForm form = VectorForm::stored) const;

    std::string label_;
    std::string id_;
    std::string embedding_;
    std::string version_;
    std::vector<std::string> properties_;
    std::string id_is_of_kind_;
    std::string lowest_id_;
    std::uint32_t dimension_;
};

/// What the answer to versions_by_id() says of `ids`, in their order. Rows of a position below zero are not
/// versions: they add -1 - position to `marked`. Throws `protocol` where it can't be decoded.
std::vector<sync::Presence> read_presences(bolt::Result result, std::span<const ItemId> ids, bool indexed,
                                           std::vector<std::size_t>* marked = nullptr);
/// A string or an integer. False, with the decoder's error set, for anything else.
bool read_id(bolt::Decoder& fields, ItemId& id);

}  // namespace crossover::neo4j
