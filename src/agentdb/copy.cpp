#include "agentdb/copy.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>

#include "agentdb/patience.h"
#include "agentdb/quarantine.h"
#include "agentdb/schema.h"
#include "agentdb/source_reader.h"
#include "agentdb/tables.h"
#include "core/bounded_queue.h"
#include "core/text.h"
#include "redis/key_scan.h"

namespace crossover::agentdb {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kWriters = 2;
constexpr std::size_t kMostBatchBytes = 4 << 20;
constexpr std::size_t kQueuedBatches = 2;
constexpr std::size_t kSweepPage = 5'000;
constexpr int kMostLooks = 5;
/// Fewer rows are not worth indexes of their own making.
constexpr std::int64_t kDropIndexesFrom = 20'000;
/// Of sessions that copy ("agentdb2").
constexpr const char* kCopyLock = "7019267256385544498";
constexpr std::string_view kUncaptured = "rl:control:uncaptured";

std::size_t index_of(Kind kind) {
    return static_cast<std::size_t>(kind);
}

double seconds_since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// What the threads of a copy count, and how they hear of each other's end.
struct Shared {
    std::array<std::atomic<std::int64_t>, 4> seen{};
    std::atomic<std::int64_t> written{0}, unchanged{0}, errors{0}, handled{0};
    std::array<std::atomic<bool>, 4> empty{};  ///< the table was, and all its rows came from this look
    std::atomic<bool> session_lost{false};     ///< commits that were not yet on disk may be undone
    std::atomic<bool> wrote{false};            ///< in this look
    std::mutex mutex;
    std::exception_ptr failure;
    std::vector<std::string> stale;  ///< keys with a row, whose value is quarantined now
};

using Batch = std::vector<Source>;

/// Takes batches and brings them to PostgreSQL, over a session of its own.
class Writer {
  public:
    Writer(const CopyOptions& options, const Patience& patience, Shared& shared, Quarantine& quarantine)
        : options_(options), patience_(patience), shared_(shared), quarantine_(quarantine) {}

    void run(BoundedQueue<Batch>& queue) {
        while (auto batch = queue.pop(patience_.stop)) {
            for (const auto kind : kKinds) {
                std::vector<const Source*> sources;
                for (const auto& source : *batch) {
                    if (source.kind == kind && source.type != Source::Type::missing)
                        sources.push_back(&source);
                }
                if (!sources.empty()) take(kind, sources);
            }
            shared_.handled += static_cast<std::int64_t>(batch->size());
        }
    }

  private:
    struct Refusal {
        const Source* source;
        std::string reason;
    };

    void take(Kind kind, const std::vector<const Source*>& sources) {
        std::vector<Refusal> refusals;
        std::int64_t written = 0, unchanged = 0;
        patience_.ride_out([&] {
            refusals.clear();
            written = unchanged = 0;
            if (!options_.dry_run) open();
            try {
                bring(kind, sources, refusals, written, unchanged);
            } catch (const Error& error) {
                if (error.outcome_unknown()) {
                    // What was committed may not have reached the disk; rows of this batch may be there
                    // already.
                    shared_.session_lost = true;
                    shared_.empty[index_of(kind)] = false;
                    connection_.reset();
                }
                throw;
            }
        });
        for (const auto& refusal : refusals) quarantine_.add(*refusal.source, refusal.reason);
        shared_.seen[index_of(kind)] += static_cast<std::int64_t>(sources.size());
        shared_.written += written;
        shared_.unchanged += unchanged;
        if (written > 0) shared_.wrote = true;
    }

    void open() {
        if (connection_ && connection_->usable()) return;
        connection_ = open_session(options_.postgres_url);
    }

    void bring(Kind kind, const std::vector<const Source*>& sources, std::vector<Refusal>& refusals,
               std::int64_t& written, std::int64_t& unchanged) {
        Digests digests;
        if (!options_.dry_run && !shared_.empty[index_of(kind)]) {
            std::vector<std::string_view> keys;
            // A key that is too long has no row.
            for (const auto* source : sources) keys.emplace_back(source->key);
            digests = read_digests(*connection_, kind, keys);
        }
        fresh_.clear(kind);
        changed_.clear(kind);
        std::vector<const Source*> fresh, changed;
        for (const auto* source : sources) {
            const auto known = digests.find(source->key);
            const bool is_known = known != digests.end();
            if (is_known && same(*source, known->second)) {
                ++unchanged;
                continue;
            }
            if (auto fault = parse(*source, row_)) {
                refusals.push_back({source, std::move(*fault)});
                if (is_known) note_stale(source->key);
            } else if (options_.dry_run) {
                ++written;
            } else if (!is_known) {
                fresh_.add(row_);
                fresh.push_back(source);
            } else if (replaces(row_, known->second)) {
                changed_.add(row_);
                changed.push_back(source);
            } else {
                ++unchanged;
            }
        }
        const auto write = [&](const EncodedRows& rows, const std::vector<const Source*>& which,
                               bool upsert) {
            if (rows.size() == 0) return;
            written += write_rows(*connection_, rows, upsert, [&](std::size_t i, const std::string& reason) {
                refusals.push_back({which[i], reason});
                if (upsert) note_stale(which[i]->key);
            });
        };
        write(fresh_, fresh, false);
        write(changed_, changed, true);
    }

    static std::optional<std::int64_t> expiry_of(const Source& source) {
        return source.expires_at_ms ? std::optional(*source.expires_at_ms * 1000) : std::nullopt;
    }
    static bool same(const Source& source, const Digest& digest) {
        return digest.content_hash && expiry_of(source) == digest.expires_at_us &&
               source.type != Source::Type::other && content_hash(source) == *digest.content_hash;
    }
    /// The rule of the upsert, to spare it where it would change nothing.
    static bool replaces(const Row& row, const Digest& digest) {
        if (digest.version != row.version) return digest.version < row.version;
        return row.expires_at_us != digest.expires_at_us ||
               (row.version == 0 && row.content_hash != digest.content_hash);
    }

    void note_stale(const std::string& key) {
        std::lock_guard lock(shared_.mutex);
        shared_.stale.push_back(key);
    }

    const CopyOptions& options_;
    const Patience& patience_;
    Shared& shared_;
    Quarantine& quarantine_;
    std::unique_ptr<Connection> connection_;
    EncodedRows fresh_, changed_;
    Row row_;
};

class Copy {
  public:
    Copy(const CopyOptions& options, std::function<void(const CopyProgress&)> on_progress,
         const std::stop_token& stop)
        : options_(options),
          on_progress_(std::move(on_progress)),
          quarantine_(options.dry_run ? std::string() : options.quarantine_file) {
        // A stop by the user or by a thread that failed.
        patience_.stop = stopping_.get_token();
        patience_.on_wait = [this](const Error&) { ++shared_.errors; };
        user_ = stop;
    }

    CopyResult run() {
        const std::stop_callback relay(user_, [this] { stopping_.request_stop(); });
        try {
            work();
        } catch (const Error& error) {
            if (error.kind() != ErrorKind::cancelled || !user_.stop_requested()) throw;
            result_.interrupted = true;
        }
        result_.written = shared_.written;
        result_.unchanged = shared_.unchanged;
        result_.errors = shared_.errors;
        result_.examples = quarantine_.examples();
        for (const auto kind : kKinds) result_.kinds[index_of(kind)].quarantined = quarantine_.count(kind);
        return result_;
    }

  private:
    /// Calls `action` with the session of the main thread, which holds the copy's lock.
    template <class Action>
    void with_session(Action&& action) {
        patience_.ride_out([&] {
            if (!session_ || !session_->usable()) {
                session_ = open_session(options_.postgres_url);
                if (locked_) take_lock(*session_);
            }
            try {
                action(*session_);
            } catch (const Error& error) {
                if (error.outcome_unknown()) shared_.session_lost = true;
                throw;
            }
        });
    }
    template <class Action>
    auto with_redis(Action&& action) {
        return patience_.ride_out([&] {
            try {
                return action();
            } catch (const Error& error) {
                // The walk may begin anew, and a key be met twice.
                if (error.retryable()) reader_restarted_ = true;
                for (auto& empty : shared_.empty) empty = empty && !error.retryable();
                throw;
            }
        });
    }

    bool counts(Kind kind) const { return !options_.skip_history || kind != Kind::experience; }

    void work() {
        show("connecting");
        // Who can't be reached at the start is told of at once.
        keyspace_.emplace(options_.redis);
        reader_.emplace(*keyspace_);
        if (options_.dry_run) {
            look();
            take_counts();
            result_.consistent = true;
            return;
        }
        prepare();
        // Before the first look: what is written after this, and not captured, keeps the token.
        const auto token = with_redis([&] { return read_token(); });
        bool complete = false;
        while (!complete && result_.looks < kMostLooks) complete = round();
        quarantine_.finish_look();
        make_durable_or_fail();
        result_.consistent = complete;
        if (complete) release(token);
    }

    void prepare() {
        with_session([&](Connection& session) {
            migrate_schema(session, Deadline::after(std::chrono::minutes(10)));
            take_lock(session);
            if (const auto primary = read_primary(session); primary.store != "redis") {
                throw Error(
                    System::postgres, ErrorKind::not_ready,
                    primary.store == "moving"
                        ? fmt::format(
                              "A handover between Redis and {} is under way, and nothing may be copied "
                              "meanwhile. Try again when the engines have ended it (/status).",
                              session.name())
                        : fmt::format("{} is the primary of the learning state, and a copy from Redis would "
                                      "bring back what is old. To go back to Redis use 'migrate "
                                      "migrate-agentdb --reverse'.",
                                      session.name()));
            }
            for (const auto kind : kKinds) {
                shared_.empty[index_of(kind)] =
                    session
                        .exec(fmt::format("SELECT NOT EXISTS (SELECT FROM {})", table_of(kind)),
                              call_deadline())
                        .value(0, 0) == "t";
            }
        });
        expected_ = with_redis([&] { return key_count(*keyspace_, call_deadline()); }).value_or(0);
        if (shared_.empty[index_of(Kind::experience)] && counts(Kind::experience) &&
            expected_ >= kDropIndexesFrom) {
            try {
                with_session([&](Connection& session) { drop_secondary_indexes(session, call_deadline()); });
                indexes_dropped_ = true;
            } catch (const Error& error) {
                if (error.kind() != ErrorKind::authentication) throw;  // not its owner: they stay
            }
        }
    }

    /// One look and what follows it. True when nothing is left to do.
    bool round() {
        const auto before = with_redis([&] { return WriteMark::read(*keyspace_, call_deadline()); });
        shared_.session_lost = false;
        shared_.wrote = false;
        if (result_.looks > 0) quarantine_.begin_look();
        look();
        if (indexes_dropped_) {
            show("building indexes");
            with_session([&](Connection& session) {
                create_secondary_indexes(session, Deadline::after(std::chrono::hours(1)));
            });
            indexes_dropped_ = false;
        }
        if (!shared_.session_lost) with_session([&](Connection& session) { make_durable(session); });
        drop_expired();
        take_counts();
        const bool quiet = !shared_.session_lost && !reader_restarted_ && nothing_written_since(before);
        if (quiet && shared_.stale.empty() && even()) return true;
        sweep();
        take_counts();
        if (!quiet && result_.looks >= 2) result_.moving_target = !nothing_written_since(before);
        // The look has brought each key that it met; the sweep has left only rows whose key it met. So there
        // is equality, though keys that came twice, or come and go, spoil the count of the look.
        const bool settled = !shared_.session_lost && !reader_restarted_ &&
                             (result_.moving_target ? result_.looks >= 3 : !shared_.wrote);
        if (settled && !even()) adopt_counts();
        return !shared_.session_lost && !reader_restarted_ && result_.looks >= 2 && (even() || settled);
    }

    bool nothing_written_since(const WriteMark& before) {
        return with_redis([&] { return WriteMark::read(*keyspace_, call_deadline()); }).nothing_since(before);
    }

    /// Reads all keys, and has their values brought to PostgreSQL.
    void look() {
        const auto begin = Clock::now();
        for (auto& seen : shared_.seen) seen = 0;
        shared_.handled = 0;
        reader_restarted_ = false;
        {
            std::lock_guard lock(shared_.mutex);
            shared_.stale.clear();
        }
        if (expected_ == 0)
            expected_ = with_redis([&] { return key_count(*keyspace_, call_deadline()); }).value_or(0);
        state_ = result_.looks == 0 ? (options_.dry_run ? "reading" : "copying") : "looking again";
        BoundedQueue<Batch> queue(kQueuedBatches);
        {
            std::vector<std::jthread> writers;
            for (int i = 0; i < kWriters; ++i) {
                writers.emplace_back([&] {
                    try {
                        Writer(options_, patience_, shared_, quarantine_).run(queue);
                    } catch (...) {
                        {
                            std::lock_guard lock(shared_.mutex);
                            if (!shared_.failure) shared_.failure = std::current_exception();
                        }
                        stopping_.request_stop();
                        queue.close();
                    }
                });
            }
            try {
                read_all(queue, begin);
            } catch (...) {
                queue.close();
                stopping_.request_stop();
                writers.clear();
                std::lock_guard lock(shared_.mutex);
                if (shared_.failure) std::rethrow_exception(shared_.failure);
                throw;
            }
            queue.close();
        }
        if (shared_.failure) std::rethrow_exception(shared_.failure);
        if (user_.stop_requested()) {
            throw Error(System::internal, ErrorKind::cancelled, "Stopped on request.");
        }
        ++result_.looks;
        for (auto& empty : shared_.empty) empty = false;
        if (result_.looks == 1) {
            result_.seconds = seconds_since(begin);
            result_.items_per_second = static_cast<double>(shared_.handled) / std::max(result_.seconds, 1e-9);
        }
    }

    void read_all(BoundedQueue<Batch>& queue, Clock::time_point begin) {
        redis::KeyScan scan(*keyspace_, "rl:", options_.batch_size);
        std::vector<std::string> page, wanted, taken;
        Batch batch;
        std::size_t bytes = 0;
        const auto flush = [&] {
            if (!batch.empty() && !queue.push(std::move(batch), patience_.stop)) {
                throw Error(System::internal, ErrorKind::cancelled, "Stopped on request.");
            }
            batch = {};
            bytes = 0;
            show_progress(begin);
        };
        const auto sink = [&](Source&& source) {
            bytes += source.bytes();
            taken.push_back(source.key);
            batch.push_back(std::move(source));
            if (bytes >= kMostBatchBytes) flush();
        };
        const auto read_wanted = [&] {
            // Twice in a batch would be twice in a statement.
            std::sort(wanted.begin(), wanted.end());
            wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
            taken.clear();
            with_redis([&] {
                if (!taken.empty()) {
                    // An attempt that failed had brought some.
                    std::sort(taken.begin(), taken.end());
                    std::erase_if(wanted, [&](const std::string& key) {
                        return std::binary_search(taken.begin(), taken.end(), key);
                    });
                }
                reader_->read(wanted, sink, call_deadline());
            });
            wanted.clear();
            flush();
        };
        for (bool more = true; more;) {
            if (patience_.stop.stop_requested()) {
                throw Error(System::internal, ErrorKind::cancelled, "Stopped on request.");
            }
            more = with_redis([&] { return scan.next(page, call_deadline()); });
            if (!more) page.clear();
            for (auto& key : page) {
                const auto kind = kind_of_key(key);
                if (kind && counts(*kind)) wanted.push_back(std::move(key));
                if (wanted.size() >= options_.batch_size) read_wanted();
            }
        }
        read_wanted();
        flush();
    }

    /// Deletes rows whose key is gone, and rows of keys that hold nothing valid any more.
    void sweep() {
        show("sweeping");
        std::int64_t deleted = 0;
        for (const auto kind : kKinds) {
            if (!counts(kind)) continue;
            std::optional<std::string> after;
            for (;;) {
                if (user_.stop_requested())
                    throw Error(System::internal, ErrorKind::cancelled, "Stopped on request.");
                // First the rows, then Redis.
                std::vector<KeyedDigest> rows;
                with_session(
                    [&](Connection& session) { rows = page_of_keys(session, kind, after, kSweepPage); });
                if (rows.empty()) break;
                after = rows.back().key;
                std::vector<std::string> keys;
                for (const auto& row : rows) keys.push_back(row.key);
                const auto there = with_redis([&] { return reader_->exist(keys, call_deadline()); });
                std::vector<KeyedDigest> gone;
                for (std::size_t i = 0; i < rows.size(); ++i) {
                    if (!there[i]) gone.push_back(std::move(rows[i]));
                }
                with_session([&](Connection& session) { deleted += delete_unchanged(session, kind, gone); });
            }
        }
        result_.deleted += deleted + sweep_stale();
    }

    std::int64_t sweep_stale() {
        std::vector<std::string> stale;
        {
            std::lock_guard lock(shared_.mutex);
            stale.swap(shared_.stale);
        }
        std::int64_t deleted = 0;
        for (const auto& key : stale) {
            const auto kind = *kind_of_key(key);
            const std::string_view view = key;
            Digests digests;
            with_session(
                [&](Connection& session) { digests = read_digests(session, kind, std::span(&view, 1)); });
            if (digests.empty()) continue;
            bool bad = false;
            with_redis([&] {
                reader_->read(
                    std::span(&key, 1),
                    [&](Source&& source) {
                        Row row;
                        bad = source.type != Source::Type::missing && parse(source, row).has_value();
                    },
                    call_deadline());
            });
            if (!bad) continue;
            const KeyedDigest seen{key, digests.begin()->second};
            with_session([&](Connection& session) {
                deleted += delete_unchanged(session, kind, std::span(&seen, 1));
            });
        }
        return deleted;
    }

    /// By Redis's clock, so that a row goes when its key does.
    void drop_expired() {
        const auto now = with_redis([&] { return redis_time_ms(*keyspace_, call_deadline()); });
        if (!now) return;
        with_session([&](Connection& session) {
            for (const auto kind : kKinds) {
                if (counts(kind)) result_.deleted += delete_expired(session, kind, *now);
            }
        });
    }

    void take_counts() {
        for (const auto kind : kKinds) {
            auto& counts_of_kind = result_.kinds[index_of(kind)];
            counts_of_kind = {};
            if (!counts(kind)) continue;
            counts_of_kind.redis_keys = shared_.seen[index_of(kind)];
            counts_of_kind.quarantined = quarantine_.count(kind);
            if (options_.dry_run) {
                counts_of_kind.rows = counts_of_kind.redis_keys - counts_of_kind.quarantined;
            } else {
                with_session([&](Connection& session) { counts_of_kind.rows = count_rows(session, kind); });
            }
        }
    }
    bool even() const {
        return std::all_of(result_.kinds.begin(), result_.kinds.end(), [](const KindCounts& kind) {
            return kind.redis_keys == kind.rows + kind.quarantined;
        });
    }
    /// Of keys that were met more than once, or came and went.
    void adopt_counts() {
        for (auto& kind : result_.kinds) kind.redis_keys = kind.rows + kind.quarantined;
    }

    void make_durable_or_fail() {
        with_session([&](Connection& session) { make_durable(session); });
    }

    std::optional<std::string> read_token() {
        redis::Pipeline pipeline;
        pipeline.add({"GET", kUncaptured});
        auto reply = keyspace_->run(pipeline, call_deadline()).front();
        // Who may not read it is not the engine's Redis.
        return reply.is_error() ? std::nullopt : reply.text;
    }

    /// All that was written without being owed to PostgreSQL is there now, unless the token has changed.
    void release(const std::optional<std::string>& token) {
        if (!token || options_.skip_history) return;
        const auto left = with_redis([&] {
            redis::Pipeline pipeline;
            pipeline.add({"EVAL",
                          "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end "
                          "return redis.call('EXISTS', KEYS[1])",
                          "1", kUncaptured, *token},
                         3);
            auto reply = keyspace_->run(pipeline, call_deadline()).front();
            if (reply.is_error()) throw redis::to_error(keyspace_->name(), reply);
            return reply.integer;
        });
        if (left == 1) {
            result_.notes.push_back(
                "An engine in the mode redis wrote meanwhile, which PostgreSQL does not get by itself. Turn "
                "all "
                "engines to dual (AGENTDB_MODE), then run this again.");
        }
    }

    void take_lock(Connection& session) {
        const auto end = Deadline::after(std::chrono::seconds(15));  // a killed one's session ends soon
        Backoff backoff;
        while (session.exec(fmt::format("SELECT pg_try_advisory_lock({})", kCopyLock), call_deadline())
                   .value(0, 0) != "t") {
            if (end.passed()) {
                throw Error(
                    System::postgres, ErrorKind::conflict,
                    fmt::format("Another 'migrate migrate-agentdb' is at work on {}. Wait for it to end.",
                                session.name()));
            }
            show("waiting for another copy to end");
            if (!sleep_for(backoff.next(), patience_.stop)) {
                throw Error(System::internal, ErrorKind::cancelled, "Stopped on request.");
            }
        }
        locked_ = true;
    }

    void show(const std::string& state) {
        if (!on_progress_) return;
        CopyProgress progress;
        progress.state = state;
        progress.errors = shared_.errors;
        on_progress_(progress);
    }

    void show_progress(Clock::time_point begin) {
        if (!on_progress_ || Clock::now() - shown_ < std::chrono::milliseconds(200)) return;
        shown_ = Clock::now();
        CopyProgress progress;
        progress.state = state_;
        progress.done = shared_.handled;
        progress.expected = std::max(expected_, progress.done);
        for (const auto kind : kKinds) progress.quarantined += quarantine_.count(kind);
        progress.errors = shared_.errors;
        progress.items_per_second = static_cast<double>(progress.done) / std::max(seconds_since(begin), 1e-9);
        if (expected_ > 0 && progress.items_per_second > 0) {
            progress.eta_seconds =
                static_cast<double>(progress.expected - progress.done) / progress.items_per_second;
        }
        on_progress_(progress);
    }

    const CopyOptions& options_;
    const std::function<void(const CopyProgress&)> on_progress_;
    std::stop_token user_;
    std::stop_source stopping_;
    Patience patience_;
    Shared shared_;
    Quarantine quarantine_;
    std::optional<redis::Keyspace> keyspace_;
    std::optional<SourceReader> reader_;
    std::unique_ptr<Connection> session_;
    bool locked_ = false, indexes_dropped_ = false, reader_restarted_ = false;
    std::int64_t expected_ = 0;
    std::string state_;
    Clock::time_point shown_{};
    CopyResult result_;
};

}  // namespace

CopyResult run_copy(const CopyOptions& options, const std::function<void(const CopyProgress&)>& on_progress,
                    const std::stop_token& stop) {
    return Copy(options, on_progress, stop).run();
}

}  // namespace crossover::agentdb
