#include "learning/handover/handover.h"

#include <fmt/format.h>

#include "base/error.h"
#include "learning/handover/owed.h"
#include "log/log.h"

namespace crossover::learning {

using namespace std::chrono_literals;

namespace {

constexpr const char* kBehind = "PostgreSQL does not catch up with what Redis owes it.";
constexpr auto kStep = 5s;
constexpr auto kCatchUp = 10s;  ///< before anybody has to wait
/// So long nobody writes, at most; then the attempt is given up.
constexpr auto kDrain = 3s;
constexpr std::int64_t kLittleOwed = 500;
constexpr std::int64_t kMostToCarry = 200'000;
constexpr std::size_t kCarryPage = 500;
constexpr auto kCarry = 30s;

std::string postgres_primary(std::int64_t epoch) {
    return fmt::format("postgres:{}", epoch);
}

bool says_redis(const RedisStore::Control& control) {
    return !control.primary || control.primary == "redis";
}

std::string stuck_text(const Brought& delivered) {
    return fmt::format("PostgreSQL refuses {} of the changes that Redis owes it, such as: {}",
                       delivered.stuck, delivered.why);
}

}  // namespace

Primary primary_of(const std::optional<RedisStore::Control>& redis,
                   const std::optional<PostgresStore::State>& postgres, Primary former) {
    if (postgres && postgres->primary == Primary::postgres) return Primary::postgres;
    if (!redis) {
        if (!postgres) return former;
        return postgres->primary;
    }
    if (redis->primary == "moving") return Primary::moving;
    if (says_redis(*redis)) {
        return postgres && postgres->primary == Primary::moving && !redis->primary ? Primary::moving
                                                                                   : Primary::redis;
    }
    // Redis says that it is PostgreSQL.
    return postgres ? Primary::moving : Primary::postgres;
}

bool unfinished(const std::optional<RedisStore::Control>& redis,
                const std::optional<PostgresStore::State>& postgres) {
    if (!redis || !postgres) return false;
    switch (postgres->primary) {
        case Primary::moving:
            return true;
        case Primary::postgres:
            return redis->primary != postgres_primary(postgres->epoch);
        case Primary::redis:
            return !says_redis(*redis);
    }
    return false;
}

std::optional<std::string> Handover::advance(std::optional<Primary> wanted) {
    const auto mover = postgres_.try_move(Deadline::after(kStep));
    if (!mover) return std::nullopt;
    // With both, no step of a former attempt can come after this look.
    redis_.claim_steps(mover->name(), Deadline::after(kStep));
    const auto state = mover->state(Deadline::after(kStep));
    const auto control = redis_.control(Deadline::after(kStep));
    switch (state.primary) {
        case Primary::redis:
            if (control.primary == "moving") return to_postgres(*mover, state.epoch);
            if (!says_redis(control)) {
                return fmt::format(
                    "Redis says that {} is the primary, and PostgreSQL that Redis is: PostgreSQL was put "
                    "back "
                    "to an older state. Restore it, or set rl:control:primary in Redis to the store whose "
                    "content is to hold.",
                    *control.primary);
            }
            if (wanted == Primary::postgres) return to_postgres(*mover, state.epoch);
            return std::nullopt;
        case Primary::postgres:
            if (control.primary == "moving") {
                redis_.finish_handover(mover->name(), state.epoch, Deadline::after(kStep));
            } else if (control.primary != postgres_primary(state.epoch)) {
                return restore(*mover, state);
            }
            if (wanted == Primary::redis) return to_redis(*mover, state);
            return std::nullopt;
        case Primary::moving:
            if (control.primary == "redis") {
                mover->finish_return(state.epoch, Deadline::after(kStep));
                return std::nullopt;
            }
            if (control.primary != postgres_primary(state.epoch)) return restore(*mover, state);
            return carry(*mover, state);
    }
    return std::nullopt;
}

/// Until nothing is owed. Answers why that can't be.
std::optional<std::string> Handover::drain(PostgresStore::Mover& mover, Deadline limit) {
    for (;;) {
        mover.renew(limit);
        const auto delivered = bring_owed(redis_, postgres_, limit);
        if (delivered.stuck > 0) return stuck_text(delivered);
        if (redis_.control(limit).owed == 0) return std::nullopt;
        if (limit.passed()) return kBehind;
    }
}

std::optional<std::string> Handover::to_postgres(PostgresStore::Mover& mover, std::int64_t epoch) {
    const auto catch_up = Deadline::after(kCatchUp);
    while (redis_.control(catch_up).owed > kLittleOwed) {
        mover.renew(catch_up);
        if (const auto delivered = bring_owed(redis_, postgres_, catch_up); delivered.stuck > 0) {
            return stuck_text(delivered);
        }
        if (catch_up.passed()) return kBehind;
    }
    switch (redis_.begin_handover(mover.name(), Deadline::after(kStep))) {
        case RedisStore::Begun::uncaptured:
            return "PostgreSQL lacks what was written in mode redis, or before there was any mode: with all "
                   "replicas in dual, run 'migrate migrate-agentdb', and the turn goes on by itself.";
        case RedisStore::Begun::elsewhere:
            return std::nullopt;
        case RedisStore::Begun::yes:
            break;
    }
    std::optional<std::string> obstacle;
    try {
        obstacle = drain(mover, Deadline::after(kDrain));
    } catch (const Error& error) {
        obstacle = error.what();
    }
    if (obstacle) {
        redis_.abandon_handover(mover.name(), Deadline::after(kStep));
        return obstacle;
    }
    // From here on there is no way back: a commit whose outcome is unknown is found out by the next attempt.
    if (mover.become_primary(epoch, Deadline::after(kStep))) {
        redis_.finish_handover(mover.name(), epoch + 1, Deadline::after(kStep));
    }
    return std::nullopt;
}

std::optional<std::string> Handover::to_redis(PostgresStore::Mover& mover,
                                              const PostgresStore::State& state) {
    if (!state.reverse_through) {
        return "Redis lacks what was written since PostgreSQL became the primary: run 'migrate "
               "migrate-agentdb "
               "--reverse', and the turn goes on by itself.";
    }
    const auto fresh = mover.count_since(*state.reverse_through, kMostToCarry + 1, Deadline::after(kCarry));
    if (fresh > kMostToCarry) {
        return fmt::format(
            "More than {} experiences came since the last 'migrate migrate-agentdb --reverse': nobody "
            "could write while they are carried. Run it again.",
            kMostToCarry);
    }
    if (!mover.begin_return(state.epoch, Deadline::after(kStep))) return std::nullopt;
    return carry(mover, mover.state(Deadline::after(kStep)));
}

std::optional<std::string> Handover::carry(PostgresStore::Mover& mover, const PostgresStore::State& state) {
    try {
        mover.each_since(
            state.reverse_through.value_or(0), kCarryPage,
            [&](const auto& rows) {
                redis_.carry(rows, Deadline::after(kStep));
                mover.renew(Deadline::after(kStep));
            },
            Deadline::after(kCarry));
    } catch (const Error& error) {
        // Redis is not the primary yet, so PostgreSQL can go on.
        mover.abandon_return(state.epoch, false, Deadline::after(kStep));
        return error.what();
    }
    redis_.take_back(mover.name(), state.epoch, Deadline::after(kStep));
    // What Redis says decides; a next attempt looks.
    if (redis_.control(Deadline::after(kStep)).primary == "redis") {
        mover.finish_return(state.epoch, Deadline::after(kStep));
    }
    return std::nullopt;
}

/// Redis does not know what it had acknowledged: it was emptied, or lost its last writes.
std::optional<std::string> Handover::restore(PostgresStore::Mover& mover, const PostgresStore::State& state) {
    log_event(LogLevel::error, "agentdb_error",
              {{"error",
                "Redis has lost who the primary is; PostgreSQL stays it. Redis needs 'appendonly yes' "
                "and 'appendfsync always'."}});
    if (state.primary == Primary::moving) {
        mover.abandon_return(state.epoch, true, Deadline::after(kStep));
    }
    redis_.restore(mover.name(), state.epoch, Deadline::after(kStep));
    return std::nullopt;
}

}  // namespace crossover::learning
