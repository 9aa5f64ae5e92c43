#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/circuit_breaker.h"
#include "base/deadline.h"
#include "engine/metrics.h"
#include "neo4j/change_log.h"
#include "sync/source_store.h"
#include "sync/vector_store.h"

namespace crossover::engine {

/// What it takes to bring ids to Milvus. All must outlive those who use it.
struct SyncPorts {
    sync::SourceStore& source;
    sync::VectorStore& target;
    neo4j::ChangeLog& log;
    const sync::MediaMapping& mapping;
    CircuitBreaker& breaker;
    Metrics& metrics;
    /// Until when the others count this process as living: no write to Milvus may have a later deadline.
    std::function<Deadline()> heartbeat_limit;
    /// Called when Milvus has changed.
    std::function<void()> on_delivered;
};

/// What became of entries; all others changed meanwhile and keep theirs.
struct Delivered {
    std::int64_t retired = 0;
    std::int64_t quarantined = 0;  ///< of these: their items are invalid, or Milvus refuses them
};

/// Syncs the ids of these entries and retires the entries, all within `limit`. Logs what was quarantined.
/// Throws what sync() throws, counted and logged, and tells the breaker.
Delivered deliver(const SyncPorts& ports, const std::vector<neo4j::ChangeEntry>& entries, Deadline limit);

}  // namespace crossover::engine
