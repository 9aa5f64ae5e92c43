#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agentdb/postgres.h"
#include "core/deadline.h"
#include "learning/mode.h"
#include "learning/pool.h"
#include "learning/redis_store.h"
#include "learning/store.h"

namespace crossover::learning {

/// The reinforcement-learning state in PostgreSQL. Thread-safe; throws crossover::Error of System::postgres.
class PostgresStore {
  public:
    explicit PostgresStore(std::string url);

    /// One statement, which is one transaction: refused unless PostgreSQL is the primary, and that does not
    /// change before its end. Idempotent by the experience's key.
    RecordOutcome record(const Experience& experience, Deadline deadline);
    /// Best effort: within a tenth of a second, or it throws.
    Knowledge knowledge(const std::string& agent);

    struct State {
        Primary primary = Primary::redis;
        std::int64_t epoch = 0;                       ///< grows with each handover
        std::optional<std::int64_t> reverse_through;  ///< empty where no `--reverse` is complete
    };
    /// Makes the tables where they are missing.
    State state(Deadline deadline);

    /// A change on its way from Redis.
    struct Change {
        std::string key;
        RedisStore::Stored stored;
    };
    /// Brings them, in one transaction; what is there in the same version or a newer one stays. Keys differ.
    /// Throws `rejected` where PostgreSQL can't take one of them: then none is there.
    void bring(const std::vector<Change>& changes, Deadline deadline);

    /// A session that alone may move the primary, as long as it lasts: each step is made on it. Steps answer
    /// false where the primary and the epoch are not as they must be. One thread at a time.
    class Mover {
      public:
        State state(Deadline deadline);
        /// From "redis" to "postgres", a new epoch.
        bool become_primary(std::int64_t epoch, Deadline deadline);
        /// From "postgres" to "moving", where a `--reverse` is complete. Waits for writes under way.
        bool begin_return(std::int64_t epoch, Deadline deadline);
        /// Back to "postgres". `lost`: Redis has lost what the `--reverse` had brought.
        bool abandon_return(std::int64_t epoch, bool lost, Deadline deadline);
        /// From "moving" to "redis", a new epoch.
        bool finish_return(std::int64_t epoch, Deadline deadline);

        /// How many experiences are newer than `version`; counts no further than `most`.
        std::int64_t count_since(std::int64_t version, std::int64_t most, Deadline deadline);
        /// Calls `page(rows)` with all experiences and Q values newer than `version`, `most` at a time.
        void each_since(std::int64_t version, std::size_t most,
                        const std::function<void(const std::vector<RedisStore::Carried>&)>& page,
                        Deadline deadline);

      private:
        friend class PostgresStore;
        explicit Mover(std::unique_ptr<agentdb::Connection> connection)
            : connection_(std::move(connection)) {}
        bool step(const std::string& change, std::string_view from, std::int64_t epoch, Deadline deadline);
        std::unique_ptr<agentdb::Connection> connection_;
    };
    /// Null where another process has it.
    std::unique_ptr<Mover> try_move(Deadline deadline);

  private:
    std::unique_ptr<agentdb::Connection> connect(Deadline deadline);

    const std::string url_;
    Pool<agentdb::Connection> writes_;
    Pool<agentdb::Connection> reads_;
    Pool<agentdb::Connection> control_;  ///< which makes the tables
};

}  // namespace crossover::learning
