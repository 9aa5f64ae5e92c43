#pragma once

#include <memory>
#include <string>

#include "base/error.h"
#include "migration/copy/backfill.h"

namespace crossover::migration {

/// Prometheus metrics of a running migration, served at http://host:port/metrics:
///
///     crossover_migration_items_total{result="read|copied|quarantined|skipped"}
///     crossover_migration_items_expected
///     crossover_migration_items_per_second
///     crossover_errors_total{system,kind}
///
/// Thread-safe.
class MigrationMetrics {
  public:
    /// Listens at once. Throws Error(System::config, usage) where `address` is no host:port, or can't be
    /// listened on.
    explicit MigrationMetrics(const std::string& address);
    ~MigrationMetrics();

    /// Counters take over the counts, which include those of earlier runs of the job.
    void update(const Progress& progress);
    void count_error(System system, ErrorKind kind);
    /// "http://host:port/metrics"; with the real port where 0 was asked for.
    const std::string& url() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace crossover::migration
