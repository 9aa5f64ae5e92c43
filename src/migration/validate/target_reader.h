#pragma once

#include <chrono>
#include <cstddef>
#include <span>
#include <stop_token>

#include "milvus/client.h"
#include "sync/mapping.h"

namespace crossover::migration {

enum class Content {
    ids,  ///< ids only
    rows  ///< ids, vectors, versions and the carried properties in the order of the mapping
};

/// Milvus as validation reads it. Thread-safe. Calls throw crossover::Error.
class TargetReader {
  public:
    virtual ~TargetReader() = default;

    /// A validation begins: pages show everything that Milvus had acknowledged before.
    virtual void begin() = 0;
    /// Up to `limit` rows of the range in ascending order of ids; only an empty page is the end.
    virtual milvus::ColumnBatch page(const milvus::IdRange& range, std::size_t limit, Content content) = 0;
    /// The rows of those ids that exist, as they are now (Strong), in no particular order.
    virtual milvus::ColumnBatch by_ids(std::span<const ItemId> ids, Content content) = 0;
};

/// A collection in a Milvus server. Faults that pass are ridden out for a bounded number of attempts.
class MilvusReader : public TargetReader {
  public:
    /// The client must outlive the reader.
    MilvusReader(milvus::Client& client, milvus::CollectionRef collection, const sync::MediaMapping& mapping,
                 std::stop_token stop);

    void begin() override;
    milvus::ColumnBatch page(const milvus::IdRange& range, std::size_t limit, Content content) override;
    milvus::ColumnBatch by_ids(std::span<const ItemId> ids, Content content) override;

  private:
    milvus::ColumnBatch in_mapping_order(milvus::ColumnBatch batch, Content content) const;
    const milvus::ReadFields& fields(Content content) const {
        return content == Content::ids ? no_fields_ : all_fields_;
    }

    milvus::Client* client_;
    milvus::CollectionRef collection_;
    milvus::ReadFields no_fields_;
    milvus::ReadFields all_fields_;
    std::stop_token stop_;
};

}  // namespace crossover::migration
