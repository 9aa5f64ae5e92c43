#include "migrate/backfill.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <mutex>
#include <thread>

#include "core/background.h"
#include "core/deletions.h"
#include "core/error.h"
#include "core/retry.h"
#include "embeddings/collection.h"
#include "migrate/checkpoint_journal.h"
#include "migrate/copy_pipeline.h"
#include "migrate/erasure_guard.h"
#include "migrate/fenced_version_check.h"
#include "migrate/fixer.h"
#include "migrate/former_texts.h"
#include "migrate/job.h"
#include "migrate/quarantine_claim.h"
#include "neo4j/inventory.h"
#include "neo4j/lease.h"
#include "neo4j/media_store.h"
#include "neo4j/refused_items.h"
#include "neo4j/replicas.h"
#include "neo4j/source_mark.h"
#include "sync/sweep.h"

namespace crossover::migrate {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

// Vectors that wait to be sent or are being sent, over all threads: the larger part of the tool's memory.
constexpr std::size_t kMaxVectorBytesInMemory = 48 << 20;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Items per second over the last few seconds.
class RateMeter {
  public:
    double update(std::int64_t items) {
        const auto now = Clock::now();
        samples_.emplace_back(now, items);
        while (samples_.size() > 2 && now - samples_.front().first > 5s) samples_.pop_front();
        const double span = std::chrono::duration<double>(now - samples_.front().first).count();
        return span > 0 ? static_cast<double>(items - samples_.front().second) / span : 0;
    }

  private:
    std::deque<std::pair<Clock::time_point, std::int64_t>> samples_;
};

class Backfill {
  public:
    Backfill(bolt::Driver& source, milvus::Client& target, const BackfillOptions& options,
             const std::function<void(const Progress&)>& on_progress, std::stop_token stop)
        : driver_(source),
          client_(target),
          options_(options),
          on_progress_(on_progress),
          stop_(std::move(stop)) {}

    BackfillResult run() {
        if (options_.dry_run) {
            look_at_the_data(nullptr);
            dry_run();
        } else {
            migrate();
        }
        result_.copy_seconds = checkpoint_.copy_seconds;
        result_.index_seconds = checkpoint_.index_seconds;
        const auto settled = static_cast<double>(result_.counts.copied + result_.counts.quarantined);
        result_.items_per_second = result_.copy_seconds > 0 ? settled / result_.copy_seconds : 0;
        return std::move(result_);
    }

  private:
    template <class Action>
    auto patiently(Action action) {
        return ride_out(
            stop_, [this](const Error& error) { say_waiting(error); }, action);
    }

    // ---- before the copy ----

    /// A resumed job goes by the mapping that its first run found in the data: `known`.
    void look_at_the_data(const sync::MediaMapping* known) {
        say("looking at the data");
        mapping_ = known != nullptr ? *known : options_.mapping;
        mapping_.collection = options_.mapping.collection;
        if (known == nullptr) {
            adopt_fields();
            neo4j::infer_mapping(driver_, options_.database, mapping_);
        }
        const auto support = neo4j::inspect_id_support(driver_, options_.database, mapping_);
        if (!support.ordered) {
            result_.notes.push_back(
                fmt::format("No online index on {}.{}: read by one label scan, which cannot be resumed in "
                            "the middle. To make one: {}",
                            mapping_.label, mapping_.id_property, support.statement));
        }
        read_by_mapping(support.ordered);
        checkpoint_.expected = patiently([&] { return media_->count_with_embedding(); });
        if (checkpoint_.expected == 0) {
            throw Error(System::neo4j, ErrorKind::not_ready,
                        fmt::format("No {} in {} has the property {} any more. Neo4j is the source of truth: "
                                    "going on would empty {}. If that is meant, drop the collection instead.",
                                    mapping_.label, options_.source_address, mapping_.embedding_property,
                                    mapping_.collection));
        }
    }

    /// A collection that is there decides the types. A dry run does without Milvus where it must.
    void adopt_fields() {
        const auto adopt = [&] {
            embeddings::adopt_fields(client_, mapping_.collection, mapping_, Deadline::after(10s));
        };
        if (!options_.dry_run) return patiently(adopt);
        try {
            adopt();
        } catch (const Error& error) {
            result_.notes.push_back(fmt::format(
                "Milvus was not asked for the types of a collection that may be there: {}", error.what()));
        }
    }

    void read_by_mapping(bool ordered) {
        media_.emplace(driver_, options_.database, mapping_, ordered);
        media_->see_at_least(bookmarks_);
    }

    /// Which epoch it is; a write transaction that commits only while we hold the lease. Writes of replicas
    /// in neo4j_only are not captured: a copy would miss them.
    std::int64_t pass_barrier(const std::string& when) {
        const auto barrier = patiently([&] {
            neo4j::Barrier seen;
            bookmarks_ = lease_->transact(Deadline::after(30s), [&](bolt::Transaction& transaction) {
                seen = neo4j::look_at_barrier(transaction, options_.mapping.collection);
            });
            if (media_) media_->see_at_least(bookmarks_);
            return seen;
        });
        for (const auto& replica : barrier.living) {
            if (replica.mode != "neo4j_only" || options_.force) continue;
            throw Error(System::neo4j, ErrorKind::not_ready,
                        fmt::format("Engine {} runs neo4j_only {}: its writes are not captured, so the copy "
                                    "could miss them. Turn every engine to dual_write first, or say --force "
                                    "if nothing writes.",
                                    replica.id, when));
        }
        any_replica_ = !barrier.living.empty();
        return barrier.epoch;
    }

    /// Takes up the checkpoint where it is of this job and nothing has pulled the ground from under it.
    void open_job(std::int64_t epoch) {
        auto found = read_checkpoint(options_.checkpoint_file);
        const bool same_mapping = found && completes(found->mapping, options_.mapping);
        const auto job_of = [&](sync::MediaMapping mapping) {
            mapping.collection = options_.mapping.collection;
            return Job{options_.source_address, options_.target_address, options_.database, mapping};
        };
        if (same_mapping && found->job == hash_of(job_of(found->mapping)) && replaced(found->collection_id)) {
            result_.notes.push_back(
                "The collection was dropped or replaced since the checkpoint: copying all anew.");
            found.reset();  // one that is there now decides the types
        }
        look_at_the_data(found && same_mapping ? &found->mapping : nullptr);
        const Job job = job_of(mapping_);
        if (found && found->job != hash_of(job)) {
            throw Error(System::file, ErrorKind::conflict,
                        fmt::format("{} belongs to another job: {}. Name another file with "
                                    "--checkpoint-file, or remove it if that job is not to be resumed.",
                                    options_.checkpoint_file, found->description));
        }
        mark_ = neo4j::source_mark(driver_, options_.database, mapping_, options_.adopt_collection);
        collection_.emplace(embeddings::Collection::open_or_create(client_, mapping_.collection, mapping_,
                                                                   {mark_, options_.adopt_collection},
                                                                   Deadline::after(60s)));
        result_.collection = collection_->name();
        require_present_texts(*collection_, driver_, options_.database, mapping_);
        collection_->adopt_limits(mapping_);
        read_by_mapping(media_->ordered());
        if (!collection_->marked()) {
            result_.notes.push_back(fmt::format(
                "Milvus's user may not alter {}, so that it bears no mark of whose it is: nothing "
                "would refuse another label or database that is copied into it.",
                collection_->name()));
        }
        if (collection_->adopted() || (found && found->takeover != collection_->takeover())) {
            result_.notes.push_back(fmt::format(
                "{} belonged to another source and was taken over: copying all anew.", collection_->name()));
        } else if (found && found->epoch != epoch && (found->phase == Phase::copy || !media_->ordered())) {
            result_.notes.push_back("An engine ran without capture since the checkpoint: copying all anew.");
        } else if (found && !media_->ordered()) {
            // A late delete of the run before may have hit what its copy had counted, and without an index
            // the sweep meets only what Milvus has.
            if (found->phase != Phase::copy) {
                result_.notes.push_back("Without an index on ids, all is copied anew.");
            }
        } else if (found && !options_.resume_from) {
            const std::int64_t expected = checkpoint_.expected;
            checkpoint_ = *found;
            checkpoint_.expected = expected;
            checkpoint_.live = {};  // of the run that has ended
            result_.resumed = true;
            if (checkpoint_.epoch != epoch) {
                result_.notes.push_back(
                    "An engine ran without capture since the checkpoint: comparing all ids and versions.");
                checkpoint_.epoch = epoch;
                checkpoint_.phase = Phase::index;  // and then the sweep, which brings what differs
            }
            resume_quarantine();
            return;
        }
        checkpoint_.job = hash_of(job);
        checkpoint_.description = describe(job);
        checkpoint_.mapping = mapping_;
        checkpoint_.epoch = epoch;
        checkpoint_.collection_id = collection_->id();
        checkpoint_.takeover = collection_->takeover();
        checkpoint_.collection = collection_->name();
        checkpoint_.started_ms = unix_ms();
        checkpoint_.open_ranges = fresh_ranges();
        open_quarantine();
    }

    bool replaced(std::int64_t collection_id) {
        const auto now = patiently([&] {
            return embeddings::find_collection(client_, options_.mapping.collection, Deadline::after(30s));
        });
        return !now || now->id != collection_id;
    }

    /// This job's lines begin where the file ends.
    void open_quarantine() {
        quarantine_.emplace(options_.quarantine_file, std::nullopt);
        claim_quarantine(options_.quarantine_file, options_.checkpoint_file);
        checkpoint_.quarantine_file = absolute_path(options_.quarantine_file);
        checkpoint_.quarantine_begin = checkpoint_.quarantine_bytes = quarantine_->length();
    }

    void resume_quarantine() {
        const auto& counted_in = checkpoint_.quarantine_file;
        if (counted_in.empty() || counted_in == absolute_path(options_.quarantine_file)) {
            quarantine_.emplace(options_.quarantine_file, std::nullopt);
            claim_quarantine(options_.quarantine_file, options_.checkpoint_file);
            quarantine_->cut(checkpoint_.quarantine_bytes);
            checkpoint_.quarantine_file = absolute_path(options_.quarantine_file);
            return;
        }
        if (checkpoint_.quarantine_bytes > checkpoint_.quarantine_begin) {
            throw Error(
                System::file, ErrorKind::conflict,
                fmt::format("The checkpoint {} has counted quarantined items in {}, not in {}. Run "
                            "with --quarantine-file {}, or remove the checkpoint to start over.",
                            options_.checkpoint_file, counted_in, options_.quarantine_file, counted_in));
        }
        open_quarantine();  // it has counted none
    }

    std::vector<OpenRange> fresh_ranges() {
        std::optional<ItemId> after = options_.resume_from;
        if (!media_->ordered()) {
            if (after) {
                throw Error(System::config, ErrorKind::usage,
                            "--resume-from needs an index on the id property, to read in the order of ids. "
                            "'migrate preflight' names the statement that makes one.");
            }
            return {OpenRange{}};
        }
        std::vector<OpenRange> ranges;
        for (const auto& boundary :
             media_->range_boundaries(static_cast<std::size_t>(copy_settings().readers))) {
            if (after && !(*after < boundary)) continue;
            ranges.push_back({{after, boundary}, {}});
            after = boundary;
        }
        ranges.push_back({{after, {}}, {}});
        return ranges;
    }

    CopySettings copy_settings() {
        CopySettings settings;
        const std::size_t row_bytes = std::max<std::size_t>(1, mapping_.dimension) * sizeof(float);
        settings.batch_rows = options_.batch_size;
        const std::size_t fit =
            std::max<std::size_t>(1, kMaxVectorBytesInMemory / (row_bytes * settings.batch_rows));
        settings.readers = media_->ordered() && fit >= 4 ? 2 : 1;
        // Beside the batches in flight each reader fills one and two wait in the queue.
        const std::size_t beside = static_cast<std::size_t>(settings.readers) + 2;
        settings.concurrency = static_cast<int>(std::clamp<std::size_t>(
            fit > beside ? fit - beside : 1, 1, static_cast<std::size_t>(options_.concurrency)));
        settings.items_per_second = options_.items_per_second;
        settings.target_may_have_rows = result_.resumed || (collection_ && !collection_->created());
        settings.on_erasing_invalid = erasure_rule();
        return settings;
    }

    std::function<void(std::span<const ItemId>)> erasure_rule() {
        if (!guard_ || options_.allow_deletes || collection_->created()) return {};
        return [this](std::span<const ItemId> ids) { guard_->admit(ids); };
    }

    // ---- phases ----

    void dry_run() {
        RangeLedger ledger(fresh_ranges(), {}, media_->ordered(), nullptr);
        CopyPipeline pipeline({*media_, *media_, nullptr, nullptr, nullptr}, mapping_, copy_settings(),
                              ledger);
        const auto started = Clock::now();
        run_reporting(ledger, pipeline, stop_);
        checkpoint_.copy_seconds = seconds_since(started);
        result_.counts = ledger.live_counts();
        result_.interrupted = stop_.stop_requested();
        if (!result_.interrupted) result_.counts = result_.counts + count_outside_ranges([](std::string) {});
    }

    void migrate() {
        lease_ = neo4j::Lease::acquire(
            driver_, options_.database, lease_name(options_.mapping.collection), sync::WriteTiming{}.timeout,
            [this](const std::string& what) { say(what); }, stop_);
        neo4j::prepare_epochs(driver_, options_.database);
        neo4j::RefusedItems::prepare(driver_, options_.database);
        const std::int64_t epoch = pass_barrier("now");
        if (!any_replica_) {
            result_.notes.push_back(
                "No recommendation-engine is running: changes made during the copy by other programs are not "
                "captured. 'migrate validate --full-scan' finds them.");
        }
        open_job(epoch);
        check_.emplace(mapping_, media_->ordered(), *lease_);
        outage_.emplace([this](Deadline deadline) { demand_collection(deadline); });
        guard_.emplace(client_, *collection_);
        fixer_.emplace(Fixer::Ports{*media_, *collection_, *lease_, *check_, *outage_,
                                    [this](const Error& error) { say_waiting(error); }, erasure_rule()},
                       mapping_, stop_);
        try {
            fixer_->wait_out_former_writes([this](const std::string& state) { say(state); });
            if (checkpoint_.phase == Phase::copy) copy();
            if (!stop_.stop_requested()) complete();
        } catch (const Error& error) {
            if (error.kind() != ErrorKind::cancelled) throw;
        }
        result_.interrupted = checkpoint_.phase != Phase::done && result_.deletes_refused == 0;
        save(result_.interrupted            ? "interrupted"
             : result_.deletes_refused == 0 ? "done"
                                            : "refused to remove rows that Neo4j lacks",
             true);
        result_.counts = checkpoint_.counts;
    }

    /// From "all is copied" to "Milvus is equal to Neo4j, and what changes from now on is captured".
    void complete() {
        const bool was_done = checkpoint_.phase == Phase::done;
        index_and_load();
        for (;;) {
            const std::int64_t epoch = pass_barrier("at the end");
            if (epoch == checkpoint_.epoch && swept_) break;
            if (epoch != checkpoint_.epoch && !media_->ordered()) {
                throw Error(System::neo4j, ErrorKind::not_ready,
                            "An engine ran without capture during the copy. Without an index on ids what it "
                            "wrote is found only by copying all anew: run again.");
            }
            if (swept_)
                result_.notes.push_back("An engine ran without capture meanwhile: compared once more.");
            checkpoint_.epoch = epoch;
            sweep(was_done);
        }
        if (result_.deletes_refused > 0) return;  // the next run compares again
        patiently([&] { demand_collection(Deadline::after(30s)); });
        checkpoint_.phase = Phase::done;
    }

    /// It is there, and still ours: of two that claimed it at once both may have seen themselves as the last.
    void demand_collection(Deadline deadline) {
        const auto found = client_.describe_collection(collection_->name(), deadline);
        if (found) return embeddings::require_ours(client_.address(), *found, mark_);
        throw Error(
            System::milvus, ErrorKind::conflict,
            fmt::format("{}: collection {} was dropped while it was being filled. Run again to start over.",
                        client_.address(), collection_->name()));
    }

    /// From here on every item is judged anew, and leaves a record where it is no row.
    void forget_refusals() {
        const neo4j::RefusedItems refused(mapping_);
        bool any = true;
        while (any) {
            patiently([&] {
                lease_->transact(Deadline::after(60s), [&](bolt::Transaction& transaction) {
                    any = refused.forget_some(transaction);
                });
            });
        }
    }

    void copy() {
        if (!media_->ordered()) forget_refusals();
        RangeLedger ledger(checkpoint_.open_ranges, checkpoint_.counts, media_->ordered(), &*quarantine_);
        std::stop_source end;
        const std::stop_callback forward(stop_, [&] { end.request_stop(); });
        const auto started = Clock::now();
        const double seconds_before = checkpoint_.copy_seconds;
        CheckpointJournal journal(
            options_.checkpoint_file, checkpoint_, ledger, *quarantine_,
            {[&](Checkpoint& checkpoint) {
                 checkpoint.copy_seconds = seconds_before + seconds_since(started);
                 std::lock_guard lock(live_mutex_);
                 checkpoint.live = live_;
             },
             [this] { return !lease_->limit().passed(); }, [&] { end.request_stop(); }});
        CopyPipeline pipeline({*media_, *media_, &*collection_, &*check_, &*outage_}, mapping_,
                              copy_settings(), ledger);
        lease_->expect_writes();
        run_reporting(ledger, pipeline, end.get_token());
        if (pipeline.quiescent()) lease_->settled();
        result_.errors = result_.errors + pipeline.errors();
        checkpoint_ = journal.finish();
        if (!ledger.all_done()) return;
        // What was counted of earlier runs of this step is cut off first.
        checkpoint_.counts =
            checkpoint_.counts + count_outside_ranges(quarantine_from(quarantine_->length()));
        checkpoint_.phase = Phase::index;
        save("copied", false);
    }

    void index_and_load() {
        const auto started = Clock::now();
        collection_->build_index_and_load(
            options_.index,
            [this](const std::string& what, int percent) {
                say(percent > 0 ? fmt::format("{} {} %", what, percent) : what);
            },
            stop_);
        checkpoint_.index_seconds += seconds_since(started);
        checkpoint_.phase = Phase::sweep;
    }

    /// In the order of ids it meets every item once more, and accounts for them anew: what it says of the
    /// rejected replaces what the copy had said.
    void sweep(bool was_done) {
        swept_ = true;
        if (media_->ordered()) checkpoint_.quarantine_bytes = checkpoint_.quarantine_begin;
        save("comparing ids", false);
        if (media_->ordered()) forget_refusals();
        const auto quarantine = quarantine_from(checkpoint_.quarantine_bytes);
        std::int64_t upserted = 0;
        std::int64_t rejections = 0;
        const auto fix = [&](std::span<const ItemId> ids) {
            const auto outcome = fixer_->fix(ids);
            upserted += static_cast<std::int64_t>(outcome.upserted);
            for (const auto& rejected : outcome.rejected) {
                quarantine(quarantine_line(rejected, mapping_));
                ++rejections;
            }
        };
        const auto swept = sync::sweep(
            {*media_, *media_, *collection_, fix, fix,
             [this](std::int64_t looked_at) { say(fmt::format("comparing ids, {} so far", looked_at)); },
             [this](const Error& error) { say_waiting(error); },
             [this](std::int64_t orphans, std::int64_t rows) {
                 return options_.allow_deletes || !needs_permission_to_delete(orphans, rows);
             }},
            stop_);
        if (stop_.stop_requested()) {
            throw Error(System::internal, ErrorKind::cancelled, "Stopped while comparing ids.");
        }
        if (media_->ordered()) {
            const auto copied = swept.matched + upserted;
            checkpoint_.counts = Counts{copied + rejections, copied, rejections, 0} +
                                 count_outside_ranges(quarantine_from(quarantine_->length()));
        }
        checkpoint_.quarantine_bytes = quarantine_->length();
        quarantine_->sync();
        result_.swept = swept.orphans - swept.refused;
        result_.deletes_refused = swept.refused;
        result_.target_rows = swept.rows;
        if (was_done) {
            result_.notes.push_back(
                fmt::format("This job was complete: compared all ids and versions, copied {} and removed {}.",
                            upserted, result_.swept));
        } else if (result_.swept > 0) {
            result_.notes.push_back(
                fmt::format("Removed {} rows from Milvus that Neo4j no longer has.", result_.swept));
        }
    }

    // ---- pieces ----

    using QuarantineSink = std::function<void(std::string line)>;

    /// Cuts the quarantine file to `begin` and appends from there.
    QuarantineSink quarantine_from(std::int64_t begin) {
        quarantine_->cut(begin);
        return [this](const std::string& line) { quarantine_->append(line); };
    }

    /// What no range of ids holds: nodes without an embedding, and, where ranges were read, those whose id
    /// can be no row's.
    Counts count_outside_ranges(const QuarantineSink& quarantine) {
        Counts counts;
        counts.skipped = patiently([&] { return media_->count_without_embedding(); });
        if (media_->ordered()) {
            const std::int64_t begin = quarantine_ ? quarantine_->length() : 0;
            counts.quarantined = patiently([&] {
                if (quarantine_) quarantine_->cut(begin);
                std::int64_t items = 0;
                media_->scan_foreign_ids([&](const sync::Rejected& rejected) {
                    quarantine(quarantine_line(rejected, mapping_));
                    ++items;
                });
                return items;
            });
        }
        if (quarantine_) checkpoint_.quarantine_bytes = quarantine_->length();
        counts.read = counts.skipped + counts.quarantined;
        return counts;
    }

    void run_reporting(RangeLedger& ledger, CopyPipeline& pipeline, const std::stop_token& stop) {
        const std::jthread reporter = in_background("progress", [&](const std::stop_token& ended) {
            do {
                report(ledger, pipeline);
            } while (sleep_for(250ms, ended));
        });
        pipeline.run(stop);
    }

    void report(const RangeLedger& ledger, const CopyPipeline& pipeline) {
        const std::string trouble = pipeline.trouble();
        progress_.phase = Phase::copy;
        progress_.counts = ledger.live_counts();
        progress_.expected = checkpoint_.expected;
        progress_.items_per_second = rate_.update(progress_.counts.read);
        progress_.errors = pipeline.errors();
        progress_.state = !trouble.empty() ? trouble : options_.dry_run ? "reading" : "copying";
        progress_.eta_seconds.reset();
        if (progress_.items_per_second > 0) {
            const auto left = std::max<std::int64_t>(0, progress_.expected - progress_.counts.read);
            progress_.eta_seconds = static_cast<double>(left) / progress_.items_per_second;
        }
        {
            std::lock_guard lock(live_mutex_);
            live_.items_per_second = progress_.items_per_second;
            live_.errors = progress_.errors.total();
            live_.state = progress_.state;
            live_.reader = pipeline.reader_state();
            live_.writer = pipeline.writer_state();
            live_.checker = pipeline.checker_state();
        }
        on_progress_(progress_);
    }

    void say(const std::string& state) {
        progress_.phase = checkpoint_.phase;
        progress_.counts = checkpoint_.counts;
        progress_.expected = checkpoint_.expected;
        progress_.items_per_second = 0;
        progress_.eta_seconds.reset();
        progress_.state = state;
        on_progress_(progress_);
        const bool beyond_copy = checkpoint_.phase != Phase::copy && !checkpoint_.job.empty();
        if (beyond_copy && Clock::now() - saved_at_ > 1s) save(state, false);
    }

    void say_waiting(const Error& error) {
        result_.errors.count(error);
        progress_.errors = result_.errors;
        say(fmt::format("waiting for {}: {}", error.system() == System::milvus ? "Milvus" : "Neo4j",
                        error.what()));
    }

    void save(const std::string& state, bool finished) {
        if (lease_->limit().passed()) return;  // another run may go by it
        saved_at_ = Clock::now();
        checkpoint_.live = {};
        checkpoint_.live.updated_ms = unix_ms();
        checkpoint_.live.pid = ::getpid();
        checkpoint_.live.errors = result_.errors.total();
        checkpoint_.live.state = state;
        checkpoint_.live.finished_cleanly = finished;
        write_checkpoint(options_.checkpoint_file, checkpoint_);
    }

    bolt::Driver& driver_;
    milvus::Client& client_;
    const BackfillOptions& options_;
    const std::function<void(const Progress&)>& on_progress_;
    const std::stop_token stop_;

    sync::MediaMapping mapping_;
    std::optional<neo4j::MediaStore> media_;
    std::unique_ptr<neo4j::Lease> lease_;
    sync::SourceMark mark_;
    std::optional<embeddings::Collection> collection_;
    std::optional<ErasureGuard> guard_;
    std::optional<FencedVersionCheck> check_;
    std::optional<sync::TargetOutage> outage_;
    std::optional<Fixer> fixer_;
    std::optional<AppendFile> quarantine_;
    Checkpoint checkpoint_;
    std::vector<std::string> bookmarks_;  ///< of the last barrier
    bool any_replica_ = false;
    bool swept_ = false;
    Progress progress_;
    RateMeter rate_;
    std::mutex live_mutex_;
    Live live_;  ///< of the running copy, for its checkpoints
    Clock::time_point saved_at_{};
    BackfillResult result_;
};

}  // namespace

BackfillResult run_backfill(bolt::Driver& source, milvus::Client& target, const BackfillOptions& options,
                            const std::function<void(const Progress&)>& on_progress, std::stop_token stop) {
    return Backfill(source, target, options, on_progress, std::move(stop)).run();
}

}  // namespace crossover::migrate
