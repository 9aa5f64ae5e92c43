#include "learning/learning.h"

#include <fmt/format.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/background.h"
#include "base/circuit_breaker.h"
#include "base/retry.h"
#include "learning/handover/handover.h"
#include "learning/handover/owed.h"
#include "log/log.h"

namespace crossover::learning {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

constexpr auto kRecordTimeout = 2s;
constexpr auto kMoment = 10ms;       ///< between two looks for the primary while it moves
constexpr auto kWatchEvery = 250ms;  ///< and at once after a turn or something owed
constexpr auto kGather = 20ms;       ///< so that what comes close together goes together
constexpr auto kLook = 2s;
constexpr auto kDeliver = 10s;
constexpr auto kRetryTurn = 1s;

Error missing(std::string_view what, std::string_view variable, Mode mode) {
    return Error(
        System::config, ErrorKind::usage,
        fmt::format("AGENTDB_MODE {} needs {}, and {} is not set.", to_string(mode), what, variable));
}

void require_servers(const Config& config, Mode mode) {
    if (mode != Mode::postgres && !config.redis) throw missing("Redis", "REDIS_URL", mode);
    if (mode != Mode::redis && config.postgres_url.empty()) throw missing("PostgreSQL", "DATABASE_URL", mode);
}

}  // namespace

struct Learning::State {
    State(Config config_in, Observer observer_in)
        : config(std::move(config_in)), observer(std::move(observer_in)), wanted(config.mode) {
        if (config.redis) redis = std::make_unique<RedisStore>(*config.redis, config.names);
        if (!config.postgres_url.empty())
            postgres = std::make_unique<PostgresStore>(config.postgres_url, config.names);
        primary = config.mode == Mode::postgres ? Primary::postgres : Primary::redis;
        effect = in_effect(wanted, primary);
        observer.mode(effect);
    }

    const Config config;
    const Observer observer;
    std::unique_ptr<RedisStore> redis;
    std::unique_ptr<PostgresStore> postgres;
    CircuitBreaker redis_writes, postgres_writes, reads;

    mutable std::mutex mutex;
    std::condition_variable_any changed;
    Mode wanted;
    bool turn_pending =
        true;         ///< to have the primary where `wanted` says; a replica that only follows has none
    Primary primary;  ///< as believed
    bool store_has_told = false;
    Mode effect;
    std::optional<std::int64_t> owed;
    std::string refused;
    bool woken = false;  ///< somebody waits for the thread
    Clock::time_point unread_quiet_until{};

    bool warned = false;
    Clock::time_point next_attempt{};
    Clock::time_point quiet_until{};  ///< of the warnings about a store
    std::jthread watching;

    Primary known_primary() const {
        std::lock_guard lock(mutex);
        return primary;
    }

    Mode effective() const {
        std::lock_guard lock(mutex);
        return effect;
    }

    void set_primary(Primary now, bool from_a_store) {
        Mode former, latter;
        {
            std::lock_guard lock(mutex);
            primary = now;
            store_has_told = store_has_told || from_a_store;
            former = effect;
            // While it moves, nobody knows yet: the former mode holds.
            if (now != Primary::moving) effect = in_effect(wanted, now);
            latter = effect;
            if (turn_pending && now == (wanted == Mode::postgres ? Primary::postgres : Primary::redis)) {
                turn_pending = false;
                refused.clear();
            }
        }
        changed.notify_all();
        if (former == latter) return;
        observer.mode(latter);
        log_event(LogLevel::info, "agentdb_mode", {{"from", to_string(former)}, {"to", to_string(latter)}});
    }

    /// Of recommendations that are made without what was learnt; now and then.
    void warn_of_unread(const Error& error) {
        {
            std::lock_guard lock(mutex);
            if (Clock::now() < unread_quiet_until) return;
            unread_quiet_until = Clock::now() + 10s;
        }
        log_event(LogLevel::warning, "agentdb_error",
                  {{"what", "read what was learnt, for a recommendation"}, {"error", error.what()}});
    }

    void note(const Error& error) { observer.error(error.system(), error.kind()); }

    // -- feedback --

    RecordOutcome record_in(Primary store, const Experience& experience, Deadline deadline) {
        auto& breaker = store == Primary::redis ? redis_writes : postgres_writes;
        if (!breaker.admits()) {
            throw Error(store == Primary::redis ? System::redis : System::postgres, ErrorKind::unavailable,
                        fmt::format("{} has not answered lately and is not asked for a moment.",
                                    store == Primary::redis ? "Redis" : "PostgreSQL"));
        }
        try {
            auto outcome = store == Primary::redis
                               ? redis->record(experience, effective() != Mode::redis, deadline)
                               : postgres->record(experience, deadline);
            breaker.succeeded();
            return outcome;
        } catch (const Error& error) {
            if (error.retryable() && error.kind() != ErrorKind::overloaded) {
                breaker.failed();
            } else {
                breaker.undecided();
            }
            note(error);
            throw;
        } catch (...) {
            breaker.undecided();
            throw;
        }
    }

    bool has(Primary store) const { return store == Primary::redis ? redis != nullptr : postgres != nullptr; }

    /// Asks both, the believed one first: one that is not the primary refuses, so that no harm is done.
    std::optional<Recorded> try_record(const Experience& experience, Deadline deadline,
                                       std::optional<Error>& failure) {
        const Primary first = known_primary() == Primary::postgres ? Primary::postgres : Primary::redis;
        const Primary second = first == Primary::redis ? Primary::postgres : Primary::redis;
        failure.reset();
        for (const Primary store : {first, second}) {
            if (!has(store)) continue;
            try {
                const auto outcome = record_in(store, experience, deadline);
                if (const auto* recorded = std::get_if<Recorded>(&outcome)) {
                    if (store != first) set_primary(store, true);
                    return *recorded;
                }
            } catch (const Error& error) {
                // What the other one has to say against it (no tables yet) only counts if it is the primary.
                if (!error.retryable() && store == first) throw;
                if (!failure) failure = error;
            }
        }
        return std::nullopt;
    }

    Recorded record(const Experience& experience) {
        const auto deadline = Deadline::after(kRecordTimeout);
        std::optional<Error> failure;
        bool unknown = false;
        for (;;) {
            if (const auto recorded = try_record(experience, deadline, failure)) {
                observer.feedback(recorded->store, recorded->again ? "again" : "recorded");
                if (recorded->store == "redis" && effective() != Mode::redis) wake();
                return *recorded;
            }
            unknown = unknown || (failure && failure->outcome_unknown());
            if (deadline.passed() || (failure && failure->kind() == ErrorKind::unavailable)) break;
            wake();
            std::unique_lock lock(mutex);
            changed.wait_for(lock, kMoment);
        }
        if (failure && (failure->outcome_unknown() || !unknown)) throw *failure;
        if (failure) throw Error(failure->system(), ErrorKind::timeout, failure->what());
        throw Error(
            known_primary() == Primary::postgres ? System::postgres : System::redis, ErrorKind::unavailable,
            has(Primary::postgres) && has(Primary::redis)
                ? "The reinforcement-learning state is being handed over from one store to the other, "
                  "which takes longer than usual."
                : "The other store is the primary, and this replica is not told where it is: set both "
                  "REDIS_URL and DATABASE_URL.");
    }

    void wake() {
        {
            std::lock_guard lock(mutex);
            if (woken) return;
            woken = true;
        }
        changed.notify_all();
    }

    // -- the thread --

    void watch(const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            step();
            std::unique_lock lock(mutex);
            changed.wait_for(lock, stop, kWatchEvery, [&] { return woken; });
            const bool soon = std::exchange(woken, false);
            lock.unlock();
            if (soon) sleep_for(kGather, stop);
        }
    }

    /// What `ask` says, or nothing where the store does not answer, which is counted, and logged now and
    /// then. `failure` is told why.
    template <class Ask>
    auto ask_and_log(std::string_view what, Ask&& ask, std::optional<Error>* failure = nullptr)
        -> std::optional<decltype(ask())> {
        try {
            return ask();
        } catch (const Error& error) {
            note(error);
            if (failure != nullptr) *failure = error;
            if (Clock::now() >= quiet_until) {
                quiet_until = Clock::now() + 10s;
                log_event(LogLevel::warning, "agentdb_error", {{"what", what}, {"error", error.what()}});
            }
            return std::nullopt;
        }
    }

    void step() {
        std::optional<RedisStore::Control> control;
        if (redis)
            control = ask_and_log("look at Redis", [&] { return redis->control(Deadline::after(kLook)); });
        std::optional<PostgresStore::State> held;
        std::optional<Error> not_held;
        const bool elsewhere = control ? control->primary.value_or("redis") != "redis" : redis == nullptr;
        if (postgres && (wanted_mode() != Mode::redis || elsewhere)) {
            held = ask_and_log(
                "look at PostgreSQL", [&] { return postgres->state(Deadline::after(kLook)); }, &not_held);
        }
        if (control && held && !control->primary && held->primary == Primary::redis) {
            ask_and_log("claim of Redis", [&] {
                redis->claim_control(Deadline::after(kLook));
                return true;
            });
        }
        if (control || held) set_primary(primary_of(control, held, known_primary()), true);
        {
            std::lock_guard lock(mutex);
            owed = control ? std::optional(control->owed) : std::nullopt;
        }
        if (control) observer.owed(control->owed);
        if (control && !warned) warn_of_loss();
        if (!control || !held) {
            explain_absence(control.has_value(), held.has_value(), not_held);
            return;
        }
        if (control->owed > 0 && held->primary != Primary::postgres) bring();
        move(unfinished(control, held));
    }

    Mode wanted_mode() const {
        std::lock_guard lock(mutex);
        return wanted;
    }

    /// Why a turn does not go on while a store is away.
    void explain_absence(bool redis_there, bool postgres_there, const std::optional<Error>& not_held) {
        std::lock_guard lock(mutex);
        if (!turn_pending) return;
        if (!redis) {
            refused = "To hand over, REDIS_URL must be set too.";
        } else if (!redis_there) {
            refused = "Redis does not answer.";
        } else if (!postgres_there) {
            if (!postgres) {
                refused = "To hand over, DATABASE_URL must be set too.";
            } else if (not_held && !not_held->retryable()) {
                refused = not_held->what();  // it answers, and waiting does not help
            } else {
                refused = "PostgreSQL does not answer.";
            }
        }
    }

    void bring() {
        const auto delivered = ask_and_log(
            "bring what is owed", [&] { return bring_owed(*redis, *postgres, Deadline::after(kDeliver)); });
        if (!delivered) return;
        if (delivered->stuck > 0 && Clock::now() >= quiet_until) {
            quiet_until = Clock::now() + 10s;
            log_event(
                LogLevel::error, "agentdb_error",
                {{"what", "bring what is owed"}, {"stuck", delivered->stuck}, {"error", delivered->why}});
        }
    }

    void move(bool unfinished_one) {
        std::optional<Primary> goal;
        {
            std::lock_guard lock(mutex);
            if (turn_pending) goal = wanted == Mode::postgres ? Primary::postgres : Primary::redis;
        }
        if (!goal && !unfinished_one) return;
        if (Clock::now() < next_attempt) return;
        next_attempt = Clock::now() + kRetryTurn;
        try {
            Handover handover(*redis, *postgres);
            set_refused(handover.advance(goal).value_or(""));
        } catch (const Error& error) {
            note(error);
            set_refused(error.what());
        }
        // What became of it is seen, and told, without waiting.
        const auto control =
            ask_and_log("look at Redis", [&] { return redis->control(Deadline::after(kLook)); });
        const auto held =
            ask_and_log("look at PostgreSQL", [&] { return postgres->state(Deadline::after(kLook)); });
        if (control && held) set_primary(primary_of(control, held, known_primary()), true);
    }

    void set_refused(std::string why) {
        {
            std::lock_guard lock(mutex);
            if (refused == why) return;
            refused = why;
        }
        if (!why.empty()) {
            log_event(LogLevel::warning, "agentdb_mode", {{"result", "refused"}, {"error", why}});
        }
    }

    void warn_of_loss() {
        const auto policy =
            ask_and_log("look at Redis", [&] { return redis->appendfsync(Deadline::after(kLook)); });
        if (!policy) return;
        warned = true;
        if (*policy && **policy != "always") {
            log_event(LogLevel::warning, "agentdb_warning",
                      {{"server", redis->name()},
                       {"appendfsync", **policy},
                       {"error",
                        "A crash of Redis can lose feedback that was acknowledged. While Redis is the "
                        "primary it needs 'appendonly yes' and 'appendfsync always'."}});
        }
    }
};

Learning::Learning(Config config, Observer observer) {
    require_servers(config, config.mode);
    state_ = std::make_unique<State>(std::move(config), std::move(observer));
    State& state = *state_;
    state.watching = in_background(
        "agentdb", [&state](const std::stop_token& stop) { state.watch(stop); }, log_background_failure);
}

Learning::~Learning() {
    state_->watching = {};
}

Recorded Learning::record(const Experience& experience) {
    try {
        const auto& prefix = state_->config.names.key_prefix;
        if (prefix.empty()) return state_->record(experience);
        auto prefixed = experience;
        prefixed.key = prefix + experience.key;
        return state_->record(prefixed);
    } catch (const Error& error) {
        state_->observer.feedback(error.system() == System::postgres ? "postgres" : "redis", "failure");
        log_event(LogLevel::warning, "feedback", {{"result", "failure"}, {"error", error.what()}});
        throw;
    }
}

std::optional<Knowledge> Learning::knowledge(const std::string& agent) {
    State& state = *state_;
    if (agent.size() > kMaxAgentBytes || !state.reads.admits()) return std::nullopt;
    const bool from_postgres = state.postgres && (!state.redis || state.known_primary() == Primary::postgres);
    try {
        auto known = from_postgres ? state.postgres->knowledge(agent) : state.redis->knowledge(agent);
        state.reads.succeeded();
        return known;
    } catch (const Error& error) {
        // A connection that is still being made says nothing about the store.
        error.kind() == ErrorKind::overloaded ? state.reads.undecided() : state.reads.failed();
        state.note(error);
        if (!state.reads.closed()) state.warn_of_unread(error);
        return std::nullopt;
    } catch (...) {
        state.reads.undecided();
        throw;
    }
}

void Learning::turn(Mode mode) {
    State& state = *state_;
    require_servers(state.config, mode);
    {
        std::lock_guard lock(state.mutex);
        state.wanted = mode;
        state.turn_pending = true;
        state.refused.clear();
    }
    // A turn between redis and dual is in effect at once.
    state.set_primary(state.known_primary(), false);
    state.wake();
}

Mode Learning::wanted() const {
    return state_->wanted_mode();
}

LearningStatus Learning::status() const {
    const State& state = *state_;
    std::lock_guard lock(state.mutex);
    LearningStatus status{state.effect, state.wanted, {}, state.owed, state.refused};
    if (state.store_has_told) status.primary = state.primary;
    return status;
}

std::string Learning::unready() {
    State& state = *state_;
    const Primary primary = state.known_primary();
    if (!state.config.asked_for) return {};
    try {
        if (primary != Primary::postgres && state.redis) state.redis->control(Deadline::after(1s));
        if (primary == Primary::postgres) {
            if (!state.postgres) return "PostgreSQL is the primary, and DATABASE_URL is not set.";
            state.postgres->state(Deadline::after(1s));
        }
        return {};
    } catch (const Error& error) {
        state.note(error);
        return fmt::format("{} does not answer; the reinforcement-learning state is there.",
                           primary == Primary::postgres ? "PostgreSQL" : "Redis");
    }
}

std::string Learning::unread() const {
    const State& state = *state_;
    if (state.reads.closed()) return {};
    return fmt::format(
        "{} does not answer within a tenth of a second: recommendations are made without what was learnt.",
        state.postgres && (!state.redis || state.known_primary() == Primary::postgres) ? "PostgreSQL"
                                                                                       : "Redis");
}

}  // namespace crossover::learning
