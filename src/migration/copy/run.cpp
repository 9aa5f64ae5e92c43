#include "migration/copy/run.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "base/background.h"
#include "base/clock.h"
#include "base/error.h"
#include "log/log.h"
#include "neo4j/refused_items.h"
#include "neo4j/replicas.h"

namespace crossover::migration {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

// Vectors that wait to be sent or are being sent, over all threads: the larger part of the tool's memory.
constexpr std::size_t kMaxVectorBytesInMemory = 48 << 20;
/// So many upserts in flight a running copy can be turned up to, whatever it began with.
constexpr int kMostWriters = 32;

}  // namespace

double RateMeter::update(std::int64_t items) {
    const auto now = Clock::now();
    samples_.emplace_back(now, items);
    while (samples_.size() > 2 && now - samples_.front().first > 5s) samples_.pop_front();
    const double span = std::chrono::duration<double>(now - samples_.front().first).count();
    return span > 0 ? static_cast<double>(items - samples_.front().second) / span : 0;
}

void Run::read_by_mapping(bool ordered) {
    media.emplace(driver, options.database, mapping, ordered);
    media->see_at_least(bookmarks_);
}

std::int64_t Run::pass_barrier(const std::string& when) {
    const auto barrier = patiently([&] {
        neo4j::Barrier seen;
        bookmarks_ = lease->transact(Deadline::after(30s), [&](bolt::Transaction& transaction) {
            seen = neo4j::look_at_barrier(transaction, options.mapping.collection);
        });
        if (media) media->see_at_least(bookmarks_);
        return seen;
    });
    for (const auto& replica : barrier.living) {
        if (replica.mode != "neo4j_only" || options.force) continue;
        throw Error(System::neo4j, ErrorKind::not_ready,
                    fmt::format("Engine {} runs neo4j_only {}: its writes are not captured, so the copy "
                                "could miss them. Turn every engine to dual_write first, or say --force "
                                "if nothing writes.",
                                replica.id, when));
    }
    any_replica_ = !barrier.living.empty();
    return barrier.epoch;
}

void Run::demand_collection(Deadline deadline) {
    const auto found = client.describe_collection(collection->name(), deadline);
    if (found) return vectors::require_ours(client.address(), *found, mark);
    throw Error(
        System::milvus, ErrorKind::conflict,
        fmt::format("{}: collection {} was dropped while it was being filled. Run again to start over.",
                    client.address(), collection->name()));
}

void Run::forget_refusals() {
    const neo4j::RefusedItems refused(mapping);
    bool any = true;
    while (any) {
        patiently([&] {
            lease->transact(Deadline::after(60s),
                            [&](bolt::Transaction& transaction) { any = refused.forget_some(transaction); });
        });
    }
}

std::vector<OpenRange> Run::fresh_ranges() {
    std::optional<ItemId> after = options.resume_from;
    if (!media->ordered()) {
        if (after) {
            throw Error(System::config, ErrorKind::usage,
                        "--resume-from needs an index on the id property, to read in the order of ids. "
                        "'migrate preflight' names the statement that makes one.");
        }
        return {OpenRange{}};
    }
    std::vector<OpenRange> ranges;
    for (const auto& boundary : media->range_boundaries(static_cast<std::size_t>(copy_settings().readers))) {
        if (after && !(*after < boundary)) continue;
        ranges.push_back({{after, boundary}, {}});
        after = boundary;
    }
    ranges.push_back({{after, {}}, {}});
    return ranges;
}

CopySettings Run::copy_settings() {
    CopySettings settings;
    const std::size_t row_bytes = std::max<std::size_t>(1, mapping.dimension) * sizeof(float);
    settings.batch_rows = options.batch_size;
    const std::size_t fit =
        std::max<std::size_t>(1, kMaxVectorBytesInMemory / (row_bytes * settings.batch_rows));
    settings.readers = media->ordered() && fit >= 4 ? 2 : 1;
    // Beside the batches in flight each reader fills one and two wait in the queue.
    const std::size_t beside = static_cast<std::size_t>(settings.readers) + 2;
    settings.writers = static_cast<int>(std::clamp<std::size_t>(
        fit > beside ? fit - beside : 1, 1,
        static_cast<std::size_t>(std::max(kMostWriters, throttle.get().concurrency))));
    settings.target_may_have_rows = result.resumed || (collection && !collection->created());
    settings.on_erasing_invalid = erasure_rule();
    return settings;
}

std::function<void(std::span<const ItemId>)> Run::erasure_rule() {
    if (!guard || options.allow_deletes || collection->created()) return {};
    return [this](std::span<const ItemId> ids) { guard->admit(ids); };
}

Run::QuarantineSink Run::quarantine_from(std::int64_t begin) {
    quarantine->cut(begin);
    return [this](const std::string& line) { quarantine->append(line); };
}

Counts Run::count_outside_ranges(const QuarantineSink& sink) {
    Counts counts;
    counts.skipped = patiently([&] { return media->count_without_embedding(); });
    if (media->ordered()) {
        const std::int64_t begin = quarantine ? quarantine->length() : 0;
        counts.quarantined = patiently([&] {
            if (quarantine) quarantine->cut(begin);
            std::int64_t items = 0;
            media->scan_foreign_ids([&](const sync::Rejected& rejected) {
                sink(quarantine_line(rejected, mapping));
                ++items;
            });
            return items;
        });
    }
    if (quarantine) checkpoint.quarantine_bytes = quarantine->length();
    counts.read = counts.skipped + counts.quarantined;
    return counts;
}

void Run::run_reporting(RangeLedger& ledger, CopyPipeline& pipeline, const std::stop_token& end) {
    const std::jthread reporter = in_background(
        "progress",
        [&](const std::stop_token& ended) {
            do {
                report(ledger, pipeline);
            } while (sleep_for(250ms, ended));
        },
        log_background_failure);
    pipeline.run(end);
}

void Run::report(const RangeLedger& ledger, const CopyPipeline& pipeline) {
    const std::string trouble = pipeline.trouble();
    progress_.phase = Phase::copy;
    progress_.counts = ledger.live_counts();
    progress_.expected = checkpoint.expected;
    progress_.items_per_second = rate_.update(progress_.counts.read);
    progress_.errors = pipeline.errors();
    progress_.state = !trouble.empty() ? trouble : options.dry_run ? "reading" : "copying";
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

void Run::say(const std::string& state) {
    progress_.phase = checkpoint.phase;
    progress_.counts = checkpoint.counts;
    progress_.expected = checkpoint.expected;
    progress_.items_per_second = 0;
    progress_.eta_seconds.reset();
    progress_.state = state;
    on_progress_(progress_);
    const bool beyond_copy = checkpoint.phase != Phase::copy && !checkpoint.job.empty();
    if (beyond_copy && Clock::now() - saved_at_ > 1s) save(state, false);
}

void Run::say_waiting(const Error& error) {
    result.errors.count(error);
    progress_.errors = result.errors;
    say(fmt::format("waiting for {}: {}", error.system() == System::milvus ? "Milvus" : "Neo4j",
                    error.what()));
}

Live Run::live() const {
    std::lock_guard lock(live_mutex_);
    return live_;
}

void Run::save(const std::string& state, bool finished) {
    if (lease->limit().passed()) return;  // another run may go by it
    saved_at_ = Clock::now();
    checkpoint.live = {};
    checkpoint.live.updated_ms = unix_ms();
    checkpoint.live.pid = ::getpid();
    checkpoint.live.errors = result.errors.total();
    checkpoint.live.state = state;
    checkpoint.live.finished_cleanly = finished;
    write_checkpoint(options.checkpoint_file, checkpoint);
}

}  // namespace crossover::migration
