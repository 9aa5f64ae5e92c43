#pragma once

#include <optional>
#include <string>

#include "learning/store/mode.h"
#include "learning/store/postgres_store.h"
#include "learning/store/redis_store.h"

/// How the primary moves between the stores (docs/adr/0007). Where it is, is kept in both:
///
///     Redis `rl:control:primary`    PostgreSQL `agentdb_state`    who takes writes
///     redis                         redis, epoch e                Redis
///     moving                        redis, e                      nobody: what is owed is being brought
///     moving                        postgres, e+1                 PostgreSQL
///     postgres:<e+1>                postgres, e+1                 PostgreSQL
///     postgres:<e+1>                moving, e+1                   nobody: what is new is being carried back
///     redis                         moving, e+1                   Redis
///     redis                         redis, e+2                    Redis
///
/// Each line follows from the one before by one durable step of one store, and each can be gone on from by
/// any replica. An attempt takes PostgreSQL's lease `handover`, then claims Redis's steps, then looks: from
/// then on the steps of any former attempt are refused by both stores, however late they come.
namespace crossover::learning {

/// What both stores say, for a replica to believe.
Primary primary_of(const std::optional<RedisStore::Control>& redis,
                   const std::optional<PostgresStore::State>& postgres, Primary former);

/// Whether something is left to be done that nobody need have wished for.
bool unfinished(const std::optional<RedisStore::Control>& redis,
                const std::optional<PostgresStore::State>& postgres);

/// One attempt, by one thread.
class Handover {
  public:
    Handover(RedisStore& redis, PostgresStore& postgres) : redis_(redis), postgres_(postgres) {}

    /// Finishes what another attempt had begun; then, where `wanted` is not the primary, moves it there.
    /// Answers why it did not; nothing where the primary is where it is to be, or another replica is at it.
    /// Throws crossover::Error where a store does not answer: to be tried again.
    std::optional<std::string> advance(std::optional<Primary> wanted);

  private:
    std::optional<std::string> to_postgres(PostgresStore::Mover& mover, std::int64_t epoch);
    std::optional<std::string> drain(PostgresStore::Mover& mover, Deadline limit);
    std::optional<std::string> to_redis(PostgresStore::Mover& mover, const PostgresStore::State& state);
    std::optional<std::string> carry(PostgresStore::Mover& mover, const PostgresStore::State& state);
    std::optional<std::string> restore(PostgresStore::Mover& mover, const PostgresStore::State& state);

    RedisStore& redis_;
    PostgresStore& postgres_;
};

}  // namespace crossover::learning
