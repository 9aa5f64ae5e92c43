#pragma once

#include <functional>
#include <span>
#include <stop_token>
#include <string>

#include "migration/copy/copy_pipeline.h"
#include "neo4j/lease.h"
#include "sync/sync.h"
#include "sync/target_outage.h"

namespace crossover::migration {

/// Makes the rows of ids that were found different equal to Neo4j, by the one way to write Milvus, under a
/// lease: what it has sent is accounted for there. Rides out what passes. Not thread-safe; all that it is
/// given must outlive it.
class Fixer {
  public:
    struct Ports {
        sync::SourceStore& source;
        sync::VectorStore& target;
        neo4j::Lease& lease;
        LeasedVersionCheck& check;  ///< under that lease
        sync::TargetOutage& outage;
        std::function<void(const Error&)> on_wait;  ///< an error that is ridden out
        /// As SyncLimits has it; empty where any number of rows may go.
        std::function<void(std::span<const ItemId>)> on_erasing_invalid = {};
    };

    Fixer(Ports ports, const sync::MediaMapping& mapping, std::stop_token stop)
        : ports_(std::move(ports)), mapping_(mapping), stop_(std::move(stop)) {}

    /// Waits until nothing that former holders of the lease may have sent can arrive any more; `say` hears of
    /// it where there is something to wait for. To be called once, before the first fix(). Throws `cancelled`
    /// when stopped.
    void wait_out_former_writes(const std::function<void(const std::string&)>& say);

    /// Returns when all of `ids`, which must not repeat, went through sync(). Throws `cancelled` when
    /// stopped, and what cannot pass; the ids may then be as they were.
    sync::SyncOutcome fix(std::span<const ItemId> ids);

  private:
    Ports ports_;
    const sync::MediaMapping& mapping_;
    std::stop_token stop_;
};

}  // namespace crossover::migration
