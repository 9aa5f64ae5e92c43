#pragma once

#include <optional>
#include <string>

#include "bolt/packstream.h"
#include "bolt/record_reader.h"
#include "sync/item_batch.h"

namespace crossover::neo4j {

/// Judges one record `id, embedding, carried properties…` by the rules for what can be a row and appends it
/// to a batch: floats go from the wire's bytes straight into the vector column.
class RowDecoder {
  public:
    explicit RowDecoder(const sync::MediaMapping& mapping) : mapping_(mapping) {}

    struct Row {
        /// Empty where the id is missing or of another kind.
        std::optional<ItemId> id;
        /// Set where the item is not valid: it was not appended. Its element id is for the caller to fill in.
        std::optional<sync::Rejected> rejected;
    };

    /// Reads the fields up to the last carried property; those behind are left to the caller. `versions` of
    /// the batch gets `version`. Bytes that are no PackStream set the decoder's error.
    Row decode(bolt::Decoder& fields, std::int64_t version, sync::ItemBatch& batch) const;

    /// The id field: of the mapping's kind, or the reason why not.
    Row decode_id(bolt::Decoder& fields) const;

    /// Sets the version of the batch's last row.
    static void set_last_version(sync::ItemBatch& batch, std::int64_t version) {
        batch.versions.back() = version;
    }

  private:
    /// Appends the value or its type's zero; false with a reason where the value cannot be carried.
    bool decode_property(bolt::Decoder& fields, const sync::CarriedProperty& property,
                         sync::PropertyColumn& column, sync::Rejected& rejected) const;

    const sync::MediaMapping& mapping_;
};

/// A version field: missing or not an integer is 0.
std::int64_t read_version(bolt::Decoder& fields);

}  // namespace crossover::neo4j
