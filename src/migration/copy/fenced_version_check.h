#pragma once

#include "migration/copy/copy_pipeline.h"
#include "neo4j/lease.h"
#include "neo4j/media_query.h"
#include "neo4j/refused_items.h"

namespace crossover::migration {

/// LeasedVersionCheck over Neo4j: renewing the lease and reading the versions are one write transaction.
/// `indexed`: whether ids can be looked up. Thread-safe; what it is given must outlive it.
class FencedVersionCheck : public LeasedVersionCheck {
  public:
    FencedVersionCheck(const sync::MediaMapping& mapping, bool indexed, neo4j::Lease& lease)
        : queries_(mapping), refused_(mapping), indexed_(indexed), lease_(lease) {}

    std::vector<std::size_t> changed(const WrittenRows& rows, Deadline deadline) override;
    std::vector<std::size_t> changed(std::span<const ItemId> ids, std::span<const sync::Presence> before,
                                     std::span<const sync::Rejected> rejected, Deadline deadline) override;
    Deadline write_limit() const override { return lease_.limit(); }

  private:
    const neo4j::MediaQueries queries_;
    const neo4j::RefusedItems refused_;
    const bool indexed_;
    neo4j::Lease& lease_;
};

}  // namespace crossover::migration
