#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>

#include "migration/validate/target_reader.h"
#include "migration/validate/validation.h"
#include "sync/source_store.h"

/// The ways of reading both stores for a validation. Each returns when all is read or `stop` is requested,
/// and throws crossover::Error.
namespace crossover::migration {

struct FeedLimits {
    std::size_t rows = 2000;  ///< of a batch from either side
    int comparers = 2;        ///< ranges being read from Milvus and compared at once
};

/// Everything, both ways, in the order of ids: each batch of Neo4j's scan is compared with Milvus's rows of
/// the same range of ids, so that orphans come to light too.
void feed_in_order(sync::SourceScanner& source, TargetReader& target, const FeedLimits& limits,
                   Validation& validation, const std::stop_token& stop);

/// Everything, both ways, where Neo4j has no order: one scan compared by ids, then Milvus's ids the other
/// way. `seed` keys the checksum that saves looking up each of them.
void feed_by_ids(sync::SourceStore& store, sync::SourceScanner& source, TargetReader& target,
                 const sync::MediaMapping& mapping, const FeedLimits& limits, std::uint64_t seed,
                 Validation& validation, const std::stop_token& stop);

/// `size` ids of each side, drawn without bias by `seed`: Neo4j's are compared, Milvus's looked up in Neo4j.
void feed_sample(sync::SourceStore& store, sync::SourceScanner& source, TargetReader& target,
                 const FeedLimits& limits, std::size_t size, std::uint64_t seed, Validation& validation,
                 const std::stop_token& stop);

}  // namespace crossover::migration
