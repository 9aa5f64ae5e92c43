#include "migrate/backfill.h"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <deque>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/error.h"
#include "core/retry.h"
#include "embeddings/collection.h"
#include "migrate/checkpoint_journal.h"
#include "migrate/copy_pipeline.h"
#include "migrate/fenced_version_check.h"
#include "migrate/version_sweep.h"
#include "neo4j/inventory.h"
#include "neo4j/lease.h"
#include "neo4j/media_store.h"
#include "neo4j/replicas.h"

namespace crossover::migrate {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

// Vectors that wait to be sent or are being sent, over all threads: the larger part of the tool's memory.
constexpr std::size_t kMaxVectorBytesInMemory = 48 << 20;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

/// What defines the job: not its speed.
std::string job_hash(const BackfillOptions& options, const sync::MediaMapping& mapping) {
    nlohmann::json job{{"source", options.source_address},
                       {"target", options.target_address},
                       {"database", options.database},
                       {"collection", options.collection},
                       {"label", mapping.label},
                       {"id", mapping.id_property},
                       {"embedding", mapping.embedding_property},
                       {"version", mapping.version_property},
                       {"id_kind", sync::to_string(mapping.id_kind)},
                       {"dimension", mapping.dimension},
                       {"metric", sync::to_string(mapping.metric)}};
    for (const auto& property : mapping.properties) {
        job["properties"].push_back({property.name, sync::to_string(property.type)});
    }
    const std::string text = job.dump();
    std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
    SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
    std::string hex;
    for (const unsigned char byte : digest) hex += fmt::format("{:02x}", byte);
    return hex;
}

std::string job_description(const BackfillOptions& options, const sync::MediaMapping& mapping) {
    return fmt::format("{} in {} → {} in {}", mapping.label, options.source_address, options.collection,
                       options.target_address);
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
        mapping_ = options_.mapping;
        say("looking at the data");
        neo4j::infer_mapping(driver_, options_.database, mapping_);
        const auto support = neo4j::inspect_id_support(driver_, options_.database, mapping_);
        if (!support.ordered) {
            result_.notes.push_back(
                fmt::format("No online index on {}.{}: read by one label scan, which cannot be resumed in "
                            "the middle. To make one: {}",
                            mapping_.label, mapping_.id_property, support.statement));
        }
        media_.emplace(driver_, options_.database, mapping_, support.ordered);
        checkpoint_.expected = media_->count_with_embedding(Deadline::after(300s));
        if (options_.dry_run) {
            dry_run();
        } else {
            migrate();
        }
        return std::move(result_);
    }

  private:
    // ---- phases ----

    void dry_run() {
        RangeLedger ledger(fresh_ranges(), {}, media_->ordered(), nullptr, Clock::time_point::min());
        CopyPipeline pipeline({*media_, *media_, nullptr, nullptr, nullptr, nullptr}, mapping_,
                              copy_settings(), ledger);
        const auto started = Clock::now();
        run_reporting(ledger, pipeline);
        checkpoint_.copy_seconds = seconds_since(started);
        finish_counts(ledger.live_counts());
        result_.interrupted = stop_.stop_requested();
    }

    void migrate() {
        require_capture("now");
        lease_ = neo4j::Lease::acquire(
            driver_, options_.database, "migrate-embeddings " + options_.collection,
            [this](const std::string& what) { say(what); }, stop_);
        const auto found = read_checkpoint(options_.checkpoint_file);
        const std::string job = job_hash(options_, mapping_);
        if (found && found->job != job) {
            throw Error(System::file, ErrorKind::conflict,
                        fmt::format("{} belongs to another job: {}. Name another file with "
                                    "--checkpoint-file, or remove it if that "
                                    "job is not to be resumed.",
                                    options_.checkpoint_file, found->description));
        }
        collection_.emplace(embeddings::Collection::open_or_create(client_, options_.collection, mapping_,
                                                                   Deadline::after(60s)));
        result_.collection = collection_->name();
        const std::int64_t epoch = neo4j::capture_epoch(driver_, options_.database);
        const bool same_ground = found && found->epoch == epoch && found->collection_id == collection_->id();
        if (found && !same_ground) {
            result_.notes.push_back(
                found->epoch == epoch
                    ? "The collection was dropped or replaced since the checkpoint: copying all anew."
                    : "An engine ran without capture since the checkpoint: copying all anew.");
        }
        if (same_ground && !options_.resume_from) {
            const std::int64_t expected = checkpoint_.expected;
            checkpoint_ = *found;
            checkpoint_.expected = expected;
            checkpoint_.live = {};  // of the run that has ended
            result_.resumed = true;
        } else {
            checkpoint_.job = job;
            checkpoint_.description = job_description(options_, mapping_);
            checkpoint_.epoch = epoch;
            checkpoint_.collection_id = collection_->id();
            checkpoint_.collection = collection_->name();
            checkpoint_.started_ms = unix_ms();
            checkpoint_.open_ranges = fresh_ranges();
        }
        check_.emplace(driver_, options_.database, mapping_, *lease_);
        outage_.emplace([this](Deadline deadline) {
            if (!client_.describe_collection(collection_->name(), deadline)) {
                throw Error(
                    System::milvus, ErrorKind::conflict,
                    fmt::format(
                        "{}: collection {} was dropped while it was being filled. Run again to start over.",
                        client_.address(), collection_->name()));
            }
        });

        const bool was_done = checkpoint_.phase == Phase::done;
        if (checkpoint_.phase == Phase::copy && !copy()) return;
        if (!index_and_load()) return;
        if (!sweep(was_done)) return;
        require_capture("at the end");
        checkpoint_.phase = Phase::done;
        save("done", true);
        finish_counts(checkpoint_.counts);
    }

    bool copy() {
        AppendFile quarantine(options_.quarantine_file,
                              result_.resumed ? std::optional(checkpoint_.quarantine_bytes) : std::nullopt);
        RangeLedger ledger(checkpoint_.open_ranges, checkpoint_.counts, media_->ordered(), &quarantine,
                           settled_at());
        const auto started = Clock::now();
        const double seconds_before = checkpoint_.copy_seconds;
        CopyPipeline* running = nullptr;
        std::mutex running_mutex;
        CheckpointJournal journal(options_.checkpoint_file, checkpoint_, ledger, quarantine,
                                  [&](Checkpoint& checkpoint) {
                                      checkpoint.copy_seconds = seconds_before + seconds_since(started);
                                      std::lock_guard lock(running_mutex);
                                      if (running != nullptr) fill_live(checkpoint.live, *running);
                                  });
        CopyPipeline pipeline({*media_, *media_, &*collection_, &*check_, &journal, &*outage_}, mapping_,
                              copy_settings(), ledger);
        {
            std::lock_guard lock(running_mutex);
            running = &pipeline;
        }
        run_reporting(ledger, pipeline);

        const bool complete = ledger.all_done();
        result_.errors += pipeline.errors();
        const auto without = complete ? media_->count_without_embedding(Deadline::after(300s)) : 0;
        journal.finish([&](Checkpoint& checkpoint) {
            if (complete) {
                checkpoint.phase = Phase::index;
                checkpoint.counts.read += without;
                checkpoint.counts.skipped += without;
            }
            if (pipeline.quiescent()) {
                checkpoint.in_flight_until_ms = 0;
                for (auto& range : checkpoint.open_ranges) range.in_flight_through.reset();
            }
            checkpoint.live.state = complete ? "copied" : "interrupted";
            checkpoint.live.finished_cleanly = !complete;
            checkpoint_ = checkpoint;
        });
        result_.interrupted = !complete;
        finish_counts(checkpoint_.counts);
        return complete;
    }

    bool index_and_load() {
        const auto started = Clock::now();
        try {
            collection_->build_index_and_load(
                options_.index,
                [this](const std::string& what, int percent) {
                    say(percent > 0 ? fmt::format("{} {} %", what, percent) : what);
                },
                stop_);
        } catch (const Error& error) {
            if (error.kind() != ErrorKind::cancelled) throw;
            return interrupt();
        }
        checkpoint_.index_seconds += seconds_since(started);
        if (checkpoint_.phase != Phase::done) checkpoint_.phase = Phase::sweep;
        save("comparing ids", false);
        return true;
    }

    bool sweep(bool was_done) {
        say("comparing ids");
        auto swept = sweep_versions(
            *media_, *media_, *collection_, client_, mapping_, *check_, *outage_,
            [this](std::int64_t looked_at) { say(fmt::format("comparing ids, {} so far", looked_at)); },
            stop_);
        if (stop_.stop_requested()) return interrupt();
        result_.swept = swept.erased;
        if (was_done) {
            result_.notes.push_back(
                fmt::format("This job was complete: compared all ids and versions, copied {} and removed {}.",
                            swept.upserted, swept.erased));
            checkpoint_.counts = recount();
        } else if (swept.erased > 0) {
            result_.notes.push_back(
                fmt::format("Removed {} rows from Milvus that Neo4j no longer has.", swept.erased));
        }
        return true;
    }

    /// A finished job that caught up: its counts follow from what is there now and what stands quarantined.
    Counts recount() {
        Counts counts = checkpoint_.counts;
        counts.copied = client_.count(collection_->ref(), milvus::Consistency::strong, Deadline::after(60s));
        counts.skipped = media_->count_without_embedding(Deadline::after(300s));
        counts.quarantined = std::max<std::int64_t>(0, checkpoint_.expected - counts.copied);
        counts.read = counts.copied + counts.quarantined + counts.skipped;
        return counts;
    }

    // ---- pieces ----

    /// Writes of replicas in neo4j_only are not captured: a copy would miss them.
    void require_capture(const std::string& when) {
        const auto replicas = neo4j::living_replicas(driver_, options_.database);
        for (const auto& replica : replicas) {
            if (replica.mode != "neo4j_only" || options_.force) continue;
            throw Error(System::neo4j, ErrorKind::not_ready,
                        fmt::format("Engine {} runs neo4j_only {}: its writes are not captured, so the copy "
                                    "could miss them. Turn every "
                                    "engine to dual_write first, or say --force if nothing writes.",
                                    replica.id, when));
        }
        if (replicas.empty() && when == "now") {
            result_.notes.push_back(
                "No recommendation-engine is running: changes made during the copy by other programs are not "
                "captured. 'migrate validate --full-scan' finds them.");
        }
    }

    std::vector<OpenRange> fresh_ranges() {
        std::optional<ItemId> after = options_.resume_from;
        if (!media_->ordered()) {
            if (after) {
                throw Error(System::config, ErrorKind::usage,
                            "--resume-from needs an index on the id property, to read in the order of ids. "
                            "'migrate preflight' names "
                            "the statement that makes one.");
            }
            return {OpenRange{}};
        }
        std::vector<OpenRange> ranges;
        for (const auto& boundary : media_->range_boundaries(
                 static_cast<std::size_t>(copy_settings().readers), Deadline::after(300s))) {
            if (after && !(*after < boundary)) continue;
            ranges.push_back({{after, boundary}, {}, {}});
            after = boundary;
        }
        ranges.push_back({{after, {}}, {}, {}});
        return ranges;
    }

    CopySettings copy_settings() const {
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
        return settings;
    }

    /// When no write of an earlier run can arrive any more: its last deadline has passed, Milvus has answered
    /// us, and it has had time to finish what it had received.
    Clock::time_point settled_at() const {
        if (!result_.resumed || checkpoint_.in_flight_until_ms == 0) return Clock::time_point::min();
        const auto wait = std::chrono::milliseconds(
            std::clamp<std::int64_t>(checkpoint_.in_flight_until_ms - unix_ms(), 0,
                                     std::chrono::milliseconds(CheckpointJournal::kWriteHorizon).count()));
        return Clock::now() + wait + CopyPipeline::kSettlingTime;
    }

    void run_reporting(RangeLedger& ledger, CopyPipeline& pipeline) {
        std::jthread reporter([&](std::stop_token ended) {
            do {
                const Counts counts = ledger.live_counts();
                progress_.counts = counts;
                progress_.items_per_second = rate_.update(counts.read);
                progress_.errors = pipeline.errors();
                const std::string trouble = pipeline.trouble();
                progress_.state = !trouble.empty() ? trouble : options_.dry_run ? "reading" : "copying";
                progress_.expected = checkpoint_.expected;
                progress_.eta_seconds.reset();
                if (progress_.items_per_second > 0) {
                    progress_.eta_seconds =
                        static_cast<double>(std::max<std::int64_t>(0, checkpoint_.expected - counts.read)) /
                        progress_.items_per_second;
                }
                rate_now_ = progress_.items_per_second;
                on_progress_(progress_);
            } while (sleep_for(250ms, ended));
        });
        pipeline.run(stop_);
    }

    void fill_live(Live& live, const CopyPipeline& pipeline) const {
        live.items_per_second = rate_now_;
        live.errors = pipeline.errors();
        const std::string trouble = pipeline.trouble();
        live.state = trouble.empty() ? "copying" : trouble;
        live.reader = pipeline.reader_state();
        live.writer = pipeline.writer_state();
        live.checker = pipeline.checker_state();
    }

    void say(const std::string& state) {
        progress_.phase = checkpoint_.phase;
        progress_.counts = checkpoint_.counts;
        progress_.expected = checkpoint_.expected;
        progress_.items_per_second = 0;
        progress_.eta_seconds.reset();
        progress_.state = state;
        on_progress_(progress_);
        if (checkpoint_.phase != Phase::copy && !checkpoint_.job.empty() && Clock::now() - saved_at_ > 1s)
            save(state, false);
    }

    void save(const std::string& state, bool finished) {
        saved_at_ = Clock::now();
        checkpoint_.live = {};
        checkpoint_.live.updated_ms = unix_ms();
        checkpoint_.live.pid = ::getpid();
        checkpoint_.live.state = state;
        checkpoint_.live.finished_cleanly = finished;
        write_checkpoint(options_.checkpoint_file, checkpoint_);
    }

    bool interrupt() {
        result_.interrupted = true;
        save("interrupted", true);
        finish_counts(checkpoint_.counts);
        return false;
    }

    void finish_counts(const Counts& counts) {
        result_.counts = counts;
        if (options_.dry_run && !stop_.stop_requested()) {
            const auto without = media_->count_without_embedding(Deadline::after(300s));
            result_.counts.read += without;
            result_.counts.skipped += without;
        }
        result_.copy_seconds = checkpoint_.copy_seconds;
        result_.index_seconds = checkpoint_.index_seconds;
        const auto copied = static_cast<double>(counts.copied + counts.quarantined);
        result_.items_per_second = checkpoint_.copy_seconds > 0 ? copied / checkpoint_.copy_seconds : 0;
    }

    bolt::Driver& driver_;
    milvus::Client& client_;
    const BackfillOptions& options_;
    const std::function<void(const Progress&)>& on_progress_;
    const std::stop_token stop_;

    sync::MediaMapping mapping_;
    std::optional<neo4j::MediaStore> media_;
    std::unique_ptr<neo4j::Lease> lease_;
    std::optional<embeddings::Collection> collection_;
    std::optional<FencedVersionCheck> check_;
    std::optional<TargetOutage> outage_;
    Checkpoint checkpoint_;
    Progress progress_;
    RateMeter rate_;
    std::atomic<double> rate_now_ = 0;
    Clock::time_point saved_at_{};
    BackfillResult result_;
};

}  // namespace

BackfillResult run_backfill(bolt::Driver& source, milvus::Client& target, const BackfillOptions& options,
                            const std::function<void(const Progress&)>& on_progress, std::stop_token stop) {
    return Backfill(source, target, options, on_progress, std::move(stop)).run();
}

}  // namespace crossover::migrate
