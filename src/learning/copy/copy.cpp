#include "learning/copy/copy.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "base/deletions.h"
#include "base/unique_name.h"
#include "learning/copy/capture_token.h"
#include "learning/copy/parallel_write.h"
#include "learning/copy/quarantine.h"
#include "learning/copy/sample.h"
#include "learning/copy/stores.h"
#include "learning/copy/sweep.h"
#include "learning/copy/table_writer.h"
#include "learning/copy/value_scan.h"
#include "learning/store/lease.h"
#include "learning/store/schema.h"

namespace crossover::learning {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kMostLooks = 5;
/// Fewer rows are not worth indexes of their own making.
constexpr std::int64_t kDropIndexesFrom = 20'000;
/// For another copy's lease: one that was killed holds it for kLeaseTime.
constexpr std::chrono::seconds kWaitForOther{15};
static_assert(kWaitForOther > 2 * kLeaseTime);

bool is_even(const std::array<KindCounts, 4>& kinds) {
    return std::all_of(kinds.begin(), kinds.end(), [](const KindCounts& kind) {
        return kind.redis_keys == kind.rows + kind.quarantined;
    });
}

class Copy {
  public:
    Copy(const CopyOptions& options, const std::function<void(const CopyProgress&)>& on_progress,
         const std::stop_token& stop)
        : options_(options),
          progress_(on_progress),
          user_(stop),
          quarantine_(options.dry_run ? std::string() : options.quarantine_file),
          stores_(options, stopping_.get_token(), progress_,
                  [this](const Error& error) { note_failure(error); }) {}

    CopyResult run() {
        // A stop by the user, or by a thread that failed.
        const std::stop_callback relay(user_, [this] { stopping_.request_stop(); });
        try {
            check_fields();
            if (options_.dry_run) {
                dry_run();
            } else {
                copy();
            }
        } catch (const Error& error) {
            if (error.kind() == ErrorKind::cancelled && taken_over_) throw copy_taken_over(database_);
            if (error.kind() != ErrorKind::cancelled || !user_.stop_requested()) throw;
            result_.interrupted = true;
        }
        if (auto hint = result_.lookalikes.text(); !hint.empty()) result_.notes.push_back(std::move(hint));
        result_.written = tally_.written;
        result_.unchanged = tally_.unchanged;
        result_.errors = progress_.errors();
        result_.examples = quarantine_.examples();
        for (const auto kind : kKinds) of(kind).quarantined = quarantine_.count(kind);
        return std::move(result_);
    }

  private:
    /// Before anything is written.
    void check_fields() {
        const auto guesses = sample_fields(stores_, options_);
        if (auto refusal = refuse_guesses(guesses, redis::to_string(options_.redis))) throw *refusal;
        for (const auto& guess : guesses) result_.notes.push_back(guess.text());
    }

    void dry_run() {
        look();
        take_counts();
        if (!options_.postgres_url.empty()) {
            const bool there = stores_.postgres(
                [](postgres::Connection& session) { return schema_version(session, call_deadline()) > 0; });
            if (there) result_.to_delete = count_gone().gone;
        }
        result_.consistent = true;
    }

    void copy() {
        stores_.postgres([this](postgres::Connection& session) {
            database_ = session.name();
            postgres::require_writable(session);
            migrate_schema(session, Deadline::after(std::chrono::minutes(10)));
            require_redis_primary(session);
        });
        take_lease();
        const LeaseKeeper keeper(options_.postgres_url, LeaseName::copy, holder_, [this] {
            taken_over_ = true;
            stopping_.request_stop();
        });
        note_empty_tables();
        drop_indexes_where_worthwhile();
        const auto token = read_capture_token(stores_);
        bool complete = false;
        while (!complete && !ended_ && result_.looks < kMostLooks) complete = round();
        quarantine_.finish_look();
        stores_.postgres([](postgres::Connection& session) { make_durable(session); });
        result_.consistent = complete;
        if (complete && token && !options_.skip_history && !release_capture_token(stores_, *token)) {
            result_.notes.push_back(
                "An engine in the mode redis wrote meanwhile, which PostgreSQL does not get by itself. Turn "
                "all engines to dual (AGENTDB_MODE), then run this again.");
        }
    }

    /// By whichever thread.
    void note_failure(const Error& error) {
        if (error.system() == System::redis) {
            // The walk may begin anew, and a key be met twice.
            walked_anew_ = true;
            for (auto& empty : tally_.empty) empty = false;
        } else if (error.outcome_unknown()) {
            // What was committed may not have reached the disk.
            tally_.session_lost = true;
        }
    }

    void note_empty_tables() {
        for (const auto kind : kKinds) {
            tally_.empty[index_of(kind)] = stores_.postgres([&](postgres::Connection& session) {
                const auto none = fmt::format("SELECT NOT EXISTS (SELECT FROM {})", table_of(kind));
                return session.exec(none, call_deadline()).value(0, 0) == "t";
            });
        }
    }

    void drop_indexes_where_worthwhile() {
        expect_keys();
        if (!tally_.empty[index_of(Kind::experience)] || !options_.includes(Kind::experience) ||
            expected_ < kDropIndexesFrom) {
            return;
        }
        try {
            stores_.postgres(
                [](postgres::Connection& session) { drop_secondary_indexes(session, call_deadline()); });
            indexes_dropped_ = true;
        } catch (const Error& error) {
            if (error.kind() != ErrorKind::authentication) throw;  // not its owner: they stay
        }
    }

    /// One look and what follows it. True when nothing is left to do.
    bool round() {
        const auto before = write_mark();
        quarantine_.begin_look();
        look();
        if (indexes_dropped_) {
            progress_.begin("building indexes");
            stores_.postgres([](postgres::Connection& session) {
                create_secondary_indexes(session, Deadline::after(std::chrono::hours(1)));
            });
            indexes_dropped_ = false;
        }
        if (!tally_.session_lost)
            stores_.postgres([](postgres::Connection& session) { make_durable(session); });
        result_.deleted += sweep_expired_rows(stores_, holder_, options_);
        take_counts();
        const bool whole = !tally_.session_lost && !walked_anew_;
        const bool quiet = whole && write_mark().nothing_since(before);
        if (quiet && !tally_.has_stale() && is_even(result_.kinds)) return true;
        sweep();
        if (result_.refused) {
            // All that is there was copied, once a look was whole.
            ended_ = whole && (quiet || result_.looks >= 2);
            return false;
        }
        take_counts();
        if (!quiet && result_.looks >= 2) result_.moving_target = !write_mark().nothing_since(before);
        if (tally_.session_lost || walked_anew_ || result_.looks < 2) return false;
        if (is_even(result_.kinds)) return true;
        // The look has brought each key that it met; the sweep has left only rows whose key it met. So there
        // is equality, though keys that came twice, or come and go, spoil the count of the look.
        const bool complete = result_.moving_target ? result_.looks >= 3 : !tally_.wrote;
        if (complete) adopt_counts();
        return complete;
    }

    WriteMark write_mark() {
        return stores_.redis(
            [](redis::Keyspace& keyspace) { return WriteMark::read(keyspace, call_deadline()); });
    }

    void expect_keys() {
        const auto keys =
            stores_.redis([](redis::Keyspace& keyspace) { return key_count(keyspace, call_deadline()); });
        expected_ = keys.value_or(0);
    }

    /// Reads all keys, and has their values brought to PostgreSQL.
    void look() {
        const auto begin = Clock::now();
        tally_.begin_look();
        walked_anew_ = false;
        if (expected_ == 0) expect_keys();
        progress_.begin(result_.looks > 0  ? "looking again"
                        : options_.dry_run ? "reading"
                                           : "copying",
                        expected_);
        write_in_parallel(options_, holder_, stores_.retry(), tally_, quarantine_, stopping_,
                          [&](const GiveBatch& give) {
                              scan_values(
                                  stores_, options_,
                                  [&](std::vector<Source>&& batch) {
                                      give(std::move(batch));
                                      progress_.done(tally_.handled, quarantined());
                                  },
                                  result_.lookalikes);
                          });
        stores_.check_stop();
        ++result_.looks;
        for (auto& empty : tally_.empty) empty = false;
        if (result_.looks == 1) {
            result_.seconds = seconds_since(begin);
            result_.items_per_second = static_cast<double>(tally_.handled) / std::max(result_.seconds, 1e-9);
        }
    }

    /// Deletes rows whose key is gone, or holds nothing valid now; all of them, or none where they are so
    /// many that somebody must have been asked.
    void sweep() {
        progress_.begin("sweeping");
        const auto stale = tally_.take_stale();
        auto count = count_gone();
        count.gone += count_rows_of_bad_values(stores_, stale);
        result_.refused = refusal(count);
        result_.to_delete = result_.refused ? count.gone : 0;
        if (result_.refused || count.gone + count.expired == 0) return;
        auto left = options_.allow_deletes ? DeletionsLeft()
                                           : DeletionsLeft(most_to_delete(swept_ + count.rows) - swept_);
        for (const auto kind : kKinds) {
            if (options_.includes(kind)) {
                result_.deleted += sweep_rows_without_key(stores_, holder_, kind, left);
            }
        }
        result_.deleted += sweep_rows_of_bad_values(stores_, holder_, stale, left);
        swept_ += left.taken();
    }

    RowCount count_gone() {
        RowCount all;
        for (const auto kind : kKinds) {
            if (!options_.includes(kind)) continue;
            const auto count = count_rows_without_key(stores_, kind);
            all.rows += count.rows;
            all.gone += count.gone;
            all.expired += count.expired;
        }
        return all;
    }

    /// What is deleted counts over the whole run, however many looks it takes.
    std::optional<Error> refusal(const RowCount& count) {
        if (options_.allow_deletes || count.gone == 0) return std::nullopt;
        const auto redis = redis::to_string(options_.redis);
        if (tally_.handled == 0) {
            const auto hint = result_.lookalikes.text();
            return deletion_refused(System::redis, count.gone, count.rows, database_,
                                    fmt::format("{} has not one key of the learning state{}{}", redis,
                                                hint.empty() ? "" : ". ", hint));
        }
        if (!needs_permission_to_delete(swept_ + count.gone, swept_ + count.rows)) return std::nullopt;
        return deletion_refused(System::redis, count.gone, count.rows, database_,
                                fmt::format("{} no longer has their keys, or nothing valid there", redis));
    }

    KindCounts& of(Kind kind) { return result_.kinds[index_of(kind)]; }

    void take_counts() {
        for (const auto kind : kKinds) {
            auto& counts = of(kind);
            counts = {};
            if (!options_.includes(kind)) continue;
            counts.redis_keys = tally_.seen[index_of(kind)];
            counts.quarantined = quarantine_.count(kind);
            counts.rows = options_.dry_run ? counts.redis_keys - counts.quarantined
                                           : stores_.postgres([&](postgres::Connection& session) {
                                                 return count_rows(session, kind);
                                             });
        }
    }

    /// Of keys that were met more than once, or came and went.
    void adopt_counts() {
        for (auto& kind : result_.kinds) kind.redis_keys = kind.rows + kind.quarantined;
    }

    void take_lease() {
        const auto end = Deadline::after(kWaitForOther);
        Backoff backoff;
        while (!stores_.postgres([this](postgres::Connection& session) {
            return learning::take_lease(session, LeaseName::copy, holder_, call_deadline());
        })) {
            if (end.passed()) {
                throw Error(
                    System::postgres, ErrorKind::conflict,
                    fmt::format("Another 'migrate migrate-agentdb' is at work on {}. Wait for it to end.",
                                database_));
            }
            progress_.waiting("waiting for another copy to end");
            if (!sleep_for(backoff.next(), stores_.retry().stop)) stores_.check_stop();
        }
        progress_.waited();
    }

    std::int64_t quarantined() const {
        std::int64_t keys = 0;
        for (const auto kind : kKinds) keys += quarantine_.count(kind);
        return keys;
    }

    const CopyOptions& options_;
    const std::string holder_ = unique_name();
    ProgressReport progress_;
    const std::stop_token user_;
    std::stop_source stopping_;
    CopyTally tally_;
    Quarantine quarantine_;
    std::string database_;
    std::atomic<bool> taken_over_{false};   ///< by another copy
    std::atomic<bool> walked_anew_{false};  ///< in this look
    Stores stores_;
    bool indexes_dropped_ = false;
    bool ended_ = false;      ///< though not complete
    std::int64_t swept_ = 0;  ///< rows deleted as gone, in the sweeps so far
    std::int64_t expected_ = 0;
    CopyResult result_;
};

}  // namespace

CopyResult run_copy(const CopyOptions& options, const std::function<void(const CopyProgress&)>& on_progress,
                    const std::stop_token& stop) {
    return Copy(options, on_progress, stop).run();
}

}  // namespace crossover::learning
