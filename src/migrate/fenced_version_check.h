#pragma once

#include <string>

#include "bolt/driver.h"
#include "migrate/copy_pipeline.h"
#include "neo4j/lease.h"
#include "neo4j/media_query.h"

namespace crossover::migrate {

/// VersionCheck over Neo4j: renewing the lease and reading the versions are one write transaction.
/// Thread-safe; what it is given must outlive it.
class FencedVersionCheck : public VersionCheck {
  public:
    FencedVersionCheck(bolt::Driver& driver, std::string database, const sync::MediaMapping& mapping,
                       neo4j::Lease& lease)
        : driver_(driver), database_(std::move(database)), queries_(mapping), lease_(lease) {}

    std::vector<std::size_t> changed(const WrittenRows& rows, Deadline deadline) override;
    Deadline write_limit() const override { return lease_.limit(); }

  private:
    bolt::Driver& driver_;
    const std::string database_;
    const neo4j::MediaQueries queries_;
    neo4j::Lease& lease_;
};

}  // namespace crossover::migrate
