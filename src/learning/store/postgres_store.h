#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "learning/store/mode.h"
#include "learning/store/pool.h"
#include "learning/store/redis_store.h"
#include "learning/store/store.h"
#include "postgres/connection.h"

namespace crossover::learning {

/// The reinforcement-learning state in PostgreSQL. Thread-safe; throws crossover::Error of System::postgres.
class PostgresStore {
  public:
    explicit PostgresStore(std::string url, Names names = {});

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

    /// Who alone may move the primary, by the lease `handover`: each step looks at it in its own statement.
    /// Steps answer false where another has taken it, or primary and epoch are not as they must be. One
    /// thread at a time.
    class Mover {
      public:
        /// Gives the lease back, where PostgreSQL answers.
        ~Mover();
        Mover(const Mover&) = delete;
        Mover& operator=(const Mover&) = delete;

        /// Of this attempt alone.
        const std::string& name() const { return name_; }
        /// To be called every few seconds. Throws `conflict` where another attempt has taken over.
        void renew(Deadline deadline);
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
        Mover(PostgresStore& store, std::unique_ptr<postgres::Connection> connection, std::string name)
            : store_(store), connection_(std::move(connection)), name_(std::move(name)) {}
        bool step(const std::string& change, std::string_view from, std::int64_t epoch, Deadline deadline);
        PostgresStore& store_;
        std::unique_ptr<postgres::Connection> connection_;
        const std::string name_;
    };
    /// Null where another attempt has the lease.
    std::unique_ptr<Mover> try_move(Deadline deadline);

  private:
    std::unique_ptr<postgres::Connection> connect(Deadline deadline);

    const std::string url_;
    const Names names_;
    Pool<postgres::Connection> writes_;
    Pool<postgres::Connection> reads_;
    Pool<postgres::Connection> control_;  ///< which makes the tables
};

}  // namespace crossover::learning
