#include "neo4j/lease.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>

#include "base/background.h"
#include "base/error.h"
#include "base/process.h"
#include "base/retry.h"
#include "base/unique_name.h"
#include "log/log.h"
#include "neo4j/cypher.h"

namespace crossover::neo4j {

using namespace std::chrono_literals;

namespace {

std::string host_name() {
    std::array<char, 256> name{};
    return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown host";
}

struct Holder {
    std::string owner;
    std::string host;
    ProcessIdentity process;
    std::int64_t remaining_ms = 0;
    std::int64_t expires_at = 0;
};

constexpr const char* kConstraint =
    "CREATE CONSTRAINT crossover_lease_name IF NOT EXISTS FOR (l:CrossoverLease) REQUIRE l.name IS UNIQUE";

// The lock first (by a SET), then the look: two statements that look first could both take it.
// A former owner that is dead has sent nothing after now; one that may live, nothing beyond its lease.
constexpr const char* kTake =
    "MERGE (l:CrossoverLease {name: $name}) SET l.touched_by = $owner "
    "WITH l, (l.owner IS NULL OR l.owner = $dead OR l.expires_at < timestamp()) AS free, "
    "CASE WHEN l.owner IS NULL THEN 0 WHEN l.owner = $dead AND l.expires_at > timestamp() + $longest_write "
    "THEN timestamp() + $longest_write ELSE l.expires_at END AS former, "
    "coalesce(l.writes_until, 0) AS inherited "
    "FOREACH (_ IN CASE WHEN free THEN [1] ELSE [] END | SET l.owner = $owner, l.expires_at = timestamp() + "
    "$ttl, l.writes_until = CASE WHEN former > inherited THEN former ELSE inherited END, "
    "l.collection = $collection, l.host = $host, l.machine = $machine, l.pid = $pid, l.started = $started) "
    "RETURN free, l.owner, l.host, l.machine, l.pid, l.started, l.expires_at - timestamp(), l.expires_at, "
    "l.writes_until, timestamp()";

constexpr const char* kRenew =
    "MATCH (l:CrossoverLease {name: $name}) SET l.touched_by = $owner WITH l WHERE l.owner = $owner "
    "SET l.expires_at = timestamp() + $ttl RETURN l.expires_at";

constexpr const char* kRelease =
    "MATCH (l:CrossoverLease {name: $name}) SET l.touched_by = $owner WITH l WHERE l.owner = $owner DELETE l";
constexpr const char* kReleaseInDebt =
    "MATCH (l:CrossoverLease {name: $name}) SET l.touched_by = $owner WITH l WHERE l.owner = $owner "
    "SET l.writes_until = CASE WHEN l.writes_until > timestamp() + $longest_write THEN l.writes_until "
    "ELSE timestamp() + $longest_write END REMOVE l.owner";

}  // namespace

namespace {

/// Runs what takes a lease; where this user or database may not write, says so and what to do.
template <class Action>
auto with_right_to_write(const std::string& database, Action action) {
    try {
        return action();
    } catch (const Error& error) {
        // Security.Forbidden, General.ForbiddenOnReadOnlyDatabase, General.WriteOnReadOnlyAccessDatabase,
        // Statement.AccessMode
        const auto says = [&](const char* word) {
            return error.native_code().find(word) != std::string::npos;
        };
        if (!says("Forbidden") && !says("ReadOnly") && !says("AccessMode")) throw;
        throw Error(
            System::neo4j, ErrorKind::not_ready,
            fmt::format("This user may not write to database {}: the copy keeps its lease there, in a "
                        "node labelled CrossoverLease with a constraint on its name. Grant the rights "
                        "to write and to create constraints, or make the database writable. ({})",
                        database, error.what()));
    }
}

}  // namespace

struct Lease::State {
    State(bolt::Driver& driver_in, std::string database_in, const LeaseName& name_in,
          std::chrono::milliseconds longest_write_in)
        : driver(driver_in),
          database(std::move(database_in)),
          name(name_in.work + " " + name_in.collection),
          collection(name_in.collection),
          owner(unique_name()),
          longest_write(longest_write_in) {}

    bolt::Driver& driver;
    std::string database;
    std::string name;
    std::string collection;
    std::string owner;
    std::chrono::milliseconds longest_write;
    std::optional<Deadline> inherited_writes;
    std::atomic<bool> no_write_under_way{true};
    mutable std::mutex mutex;
    Deadline::Clock::time_point renewed_at;
    std::exception_ptr lost;
    std::jthread renewer;

    bolt::SessionConfig session_config() const {
        bolt::SessionConfig config;
        config.database = database;
        config.deadline = Deadline::after(10s);
        return config;
    }

    std::vector<std::string> transact(Deadline deadline,
                                      const std::function<void(bolt::Transaction&)>& work) {
        auto session = driver.session({.database = database, .fetch_size = -1, .deadline = deadline});
        const auto before = Deadline::Clock::now();
        auto transaction = session.begin();
        renew_in(transaction);
        work(transaction);
        transaction.commit();
        {
            std::lock_guard lock(mutex);
            renewed_at = std::max(renewed_at, before);
        }
        return session.last_bookmarks();
    }

    void renew_in(bolt::Transaction& transaction) {
        auto result = transaction.run(kRenew, {{"name", name}, {"owner", owner}, {"ttl", ttl_ms()}});
        if (result.collect().empty()) {
            const Error error(
                System::neo4j, ErrorKind::conflict,
                "Another run of this job has taken over while this one was held up. Let that one go on; what "
                "this one had not checked is not counted.");
            std::lock_guard lock(mutex);
            lost = std::make_exception_ptr(error);
            throw error;
        }
    }

    static std::int64_t ttl_ms() { return std::chrono::milliseconds(kTimeToLive).count(); }

    std::optional<Holder> try_take(const std::string& dead) {
        const auto before = Deadline::Clock::now();
        const auto self = this_process();
        auto session = driver.session(session_config());
        const auto row = session
                             .run(kTake, {{"name", name},
                                          {"owner", owner},
                                          {"dead", dead},
                                          {"ttl", ttl_ms()},
                                          {"longest_write", longest_write.count()},
                                          {"collection", collection},
                                          {"host", host_name()},
                                          {"machine", self.machine},
                                          {"pid", self.pid},
                                          {"started", self.started}})
                             .single();
        const auto* free = row[0].get_if<bool>();
        if (free != nullptr && *free) {
            renewed_at = before;
            if (const auto until = integer_of(row[8]); until > 0) {
                inherited_writes = Deadline::after(std::chrono::milliseconds(until - integer_of(row[9])));
                no_write_under_way = false;
            }
            return std::nullopt;
        }
        return Holder{text_of(row[1]),
                      text_of(row[2]),
                      {text_of(row[3]), integer_of(row[4]), text_of(row[5])},
                      integer_of(row[6]),
                      integer_of(row[7])};
    }
};

std::unique_ptr<Lease> Lease::acquire(bolt::Driver& driver, const std::string& database,
                                      const LeaseName& name, std::chrono::milliseconds longest_write,
                                      const std::function<void(const std::string&)>& on_wait,
                                      const std::stop_token& stop) {
    auto state = std::make_unique<State>(driver, database, name, longest_write);
    with_right_to_write(database,
                        [&] { driver.session(state->session_config()).run(kConstraint).consume(); });
    std::string dead;
    std::optional<std::int64_t> first_expiry;
    while (const auto holder = with_right_to_write(database, [&] { return state->try_take(dead); })) {
        const std::string who = fmt::format("process {} on {}", holder->process.pid, holder->host);
        if (is_seen_dead(holder->process)) {
            dead = holder->owner;
            continue;
        }
        // A living holder renews several times within the time to live.
        if (first_expiry && *first_expiry != holder->expires_at) {
            throw Error(
                System::neo4j, ErrorKind::conflict,
                fmt::format(
                    "Another run of this job is under way: {}. One run at a time: follow it with 'migrate "
                    "monitor', or stop it first.",
                    who));
        }
        first_expiry = holder->expires_at;
        on_wait(fmt::format("waiting up to {} s for {}, which holds this job and may have died",
                            holder->remaining_ms / 1000 + 1, who));
        if (!sleep_for(1s, stop)) {
            throw Error(System::neo4j, ErrorKind::cancelled,
                        "Stopped while waiting for another run's lease.");
        }
    }
    State* const shared = state.get();
    state->renewer = in_background(
        "lease",
        [shared](const std::stop_token& ended) {
            while (sleep_for(kRenewEvery, ended)) {
                try {
                    shared->transact(Deadline::after(10s), [](bolt::Transaction&) {});
                } catch (const Error& error) {
                    // limit() stands still, and with it every writer, until a renewal succeeds.
                    if (error.kind() == ErrorKind::conflict) return;
                }
            }
        },
        log_background_failure);
    return std::unique_ptr<Lease>(new Lease(std::move(state)));
}

void Lease::require_right_to_take(bolt::Driver& driver, const std::string& database) {
    const State state(driver, database, {unique_name(), {}}, {});
    with_right_to_write(database, [&] {
        for (const auto* statement : {kConstraint, "CREATE (:CrossoverLease {name: $name})"}) {
            auto session = driver.session(state.session_config());
            auto transaction = session.begin();
            transaction.run(statement, {{"name", state.name}}).consume();
            transaction.rollback();
        }
    });
}

Lease::Lease(std::unique_ptr<State> state) : state_(std::move(state)) {}

Lease::~Lease() {
    state_->renewer.request_stop();
    state_->renewer.join();
    try {
        auto session = state_->driver.session(state_->session_config());
        session
            .run(state_->no_write_under_way ? kRelease : kReleaseInDebt,
                 {{"name", state_->name},
                  {"owner", state_->owner},
                  {"longest_write", state_->longest_write.count()}})
            .consume();
    } catch (const Error&) {
        // It lapses by itself.
    }
}

std::vector<std::string> Lease::transact(Deadline deadline,
                                         const std::function<void(bolt::Transaction&)>& work) {
    return state_->transact(deadline, work);
}

Deadline Lease::limit() const {
    // A tenth less than Neo4j's, for clocks that do not run at quite the same speed.
    constexpr auto kMargin = std::chrono::duration_cast<std::chrono::milliseconds>(kTimeToLive) / 10;
    std::lock_guard lock(state_->mutex);
    if (state_->lost) std::rethrow_exception(state_->lost);
    return Deadline::at(state_->renewed_at + kTimeToLive - kMargin);
}

std::optional<Deadline> Lease::inherited_writes() const {
    return state_->inherited_writes;
}

void Lease::writes_begin() {
    state_->no_write_under_way = false;
}

void Lease::writes_ended() {
    state_->no_write_under_way = true;
}

}  // namespace crossover::neo4j
