#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/deadline.h"
#include "learning/store/pool.h"
#include "learning/store/script.h"
#include "learning/store/store.h"
#include "redis/connection.h"

namespace crossover::learning {

/// The reinforcement-learning state on one Redis: what a write does, what is owed to PostgreSQL, and whether
/// Redis is the primary. Each call that changes anything is one Lua script, so that a kill leaves it done or
/// not done. Thread-safe; throws crossover::Error of System::redis.
class RedisStore {
  public:
    explicit RedisStore(redis::Address address, Names names = {});

    /// `owed`: PostgreSQL is to get it (mode dual); else it is noted that PostgreSQL lacks something.
    /// Idempotent by the experience's key.
    RecordOutcome record(const Experience& experience, bool owed, Deadline deadline);
    /// Best effort: within a tenth of a second, or it throws.
    Knowledge knowledge(const std::string& agent);

    struct Control {
        std::optional<std::string> primary;  ///< absent is as "redis"
        std::int64_t owed = 0;               ///< keys that PostgreSQL lacks, or has older
        bool uncaptured = false;             ///< there are writes that are not even owed
    };
    Control control(Deadline deadline);
    /// The first engine that meets this Redis: from absent to "redis", with everything it holds uncaptured.
    void claim_control(Deadline deadline);
    /// What CONFIG GET says of appendfsync; empty where that is not permitted.
    std::optional<std::string> appendfsync(Deadline deadline);

    // -- the handover's steps; `mover` is a name that only this attempt has. Each is refused where another
    // attempt has claimed them since --

    /// From now on the steps of all former attempts are refused: what Redis says after this changes only by
    /// this attempt, until the next claim.
    void claim_steps(const std::string& mover, Deadline deadline);

    enum class Begun { yes, uncaptured, elsewhere };
    /// From "redis", or a handover that another had begun, to "moving": no write is taken from now on.
    /// `uncaptured` where PostgreSQL lacks what nobody owes it; `elsewhere` where PostgreSQL is the primary,
    /// or the step refused.
    Begun begin_handover(const std::string& mover, Deadline deadline);
    /// Back to "redis".
    bool abandon_handover(const std::string& mover, Deadline deadline);
    /// From "moving" to "postgres:<epoch>".
    bool finish_handover(const std::string& mover, std::int64_t epoch, Deadline deadline);
    /// From "postgres:<epoch>" to "redis". False where it says anything else.
    bool take_back(const std::string& mover, std::int64_t epoch, Deadline deadline);
    /// Where Redis has lost what it knew: to "postgres:<epoch>", whatever it says now.
    bool restore(const std::string& mover, std::int64_t epoch, Deadline deadline);

    // -- what is owed --

    struct Owed {
        std::string key;
        std::string version;
    };
    /// One step of a scan of what is owed: about `count`, and where to go on; "0" is the beginning and the
    /// end. While others write, some may come twice.
    std::pair<std::vector<Owed>, std::string> owed(const std::string& cursor, std::size_t count,
                                                   Deadline deadline);
    /// Strikes those off that are still owed in the same version. Returns how many.
    std::int64_t forget_owed(const std::vector<Owed>& delivered, Deadline deadline);

    struct Stored {
        std::string json;  ///< with the usual names; a hash's members are all texts
        std::optional<std::int64_t> expires_ms;
    };
    /// What these keys hold now; empty for one that is gone, or is neither text nor hash.
    std::vector<std::optional<Stored>> fetch(const std::vector<Owed>& keys, Deadline deadline);

    struct Carried {
        std::string key;
        std::string version;
        std::string json;        ///< with the usual names
        std::string expires_ms;  ///< or empty
    };
    /// Writes what is newer than what Redis holds. Returns how many that were.
    std::int64_t carry(const std::vector<Carried>& rows, Deadline deadline);

    /// "redis://host:port/number"
    std::string name() const { return redis::to_string(address_); }

  private:
    redis::Reply run(const Script& script, const std::vector<std::string>& keys,
                     const std::vector<std::string>& arguments, Deadline deadline);

    const redis::Address address_;
    const Names names_;
    const bool renamed_;  ///< some field
    Pool<redis::Connection> writes_;
    Pool<redis::Connection> reads_;
};

}  // namespace crossover::learning
