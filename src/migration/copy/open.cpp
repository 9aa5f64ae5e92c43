#include <fmt/format.h>

#include "base/clock.h"
#include "base/error.h"
#include "migration/copy/run.h"
#include "migration/job/former_texts.h"
#include "migration/job/job.h"
#include "migration/job/quarantine_claim.h"
#include "neo4j/inventory.h"
#include "neo4j/refused_items.h"
#include "neo4j/replicas.h"
#include "neo4j/source_mark.h"

namespace crossover::migration {

using namespace std::chrono_literals;

namespace {

/// A collection that is there decides the types. A dry run does without Milvus where it must.
void adopt_fields(Run& run) {
    const auto adopt = [&] {
        vectors::adopt_fields(run.client, run.mapping.collection, run.mapping, Deadline::after(10s));
    };
    if (!run.options.dry_run) return run.patiently(adopt);
    try {
        adopt();
    } catch (const Error& error) {
        run.result.notes.push_back(fmt::format(
            "Milvus was not asked for the types of a collection that may be there: {}", error.what()));
    }
}

/// A resumed job goes by the mapping that its first run found in the data: `known`.
void look_at_the_data(Run& run, const sync::MediaMapping* known) {
    run.say("looking at the data");
    run.mapping = known != nullptr ? *known : run.options.mapping;
    run.mapping.collection = run.options.mapping.collection;
    if (known == nullptr) {
        adopt_fields(run);
        neo4j::infer_mapping(run.driver, run.options.database, run.mapping);
    }
    const auto support = neo4j::inspect_id_support(run.driver, run.options.database, run.mapping);
    if (!support.ordered) {
        run.result.notes.push_back(
            fmt::format("No online index on {}.{}: read by one label scan, which cannot be resumed in "
                        "the middle. To make one: {}",
                        run.mapping.label, run.mapping.id_property, support.statement));
    }
    run.read_by_mapping(support.ordered);
    run.checkpoint.expected = run.patiently([&] { return run.media->count_with_embedding(); });
    if (run.checkpoint.expected == 0) {
        throw Error(System::neo4j, ErrorKind::not_ready,
                    fmt::format("No {} in {} has the property {} any more. Neo4j is the source of truth: "
                                "going on would empty {}. If that is meant, drop the collection instead.",
                                run.mapping.label, run.options.source_address, run.mapping.embedding_property,
                                run.mapping.collection));
    }
}

bool replaced(Run& run, std::int64_t collection_id) {
    const auto now = run.patiently([&] {
        return vectors::find_collection(run.client, run.options.mapping.collection, Deadline::after(30s));
    });
    return !now || now->id != collection_id;
}

/// This job's lines begin where the file ends.
void open_quarantine(Run& run) {
    run.quarantine.emplace(run.options.quarantine_file, std::nullopt);
    claim_quarantine(run.options.quarantine_file, run.options.checkpoint_file);
    run.checkpoint.quarantine_file = absolute_path(run.options.quarantine_file);
    run.checkpoint.quarantine_begin = run.checkpoint.quarantine_bytes = run.quarantine->length();
}

void resume_quarantine(Run& run) {
    const auto& counted_in = run.checkpoint.quarantine_file;
    if (counted_in.empty() || counted_in == absolute_path(run.options.quarantine_file)) {
        run.quarantine.emplace(run.options.quarantine_file, std::nullopt);
        claim_quarantine(run.options.quarantine_file, run.options.checkpoint_file);
        run.quarantine->cut(run.checkpoint.quarantine_bytes);
        run.checkpoint.quarantine_file = absolute_path(run.options.quarantine_file);
        return;
    }
    if (run.checkpoint.quarantine_bytes > run.checkpoint.quarantine_begin) {
        throw Error(
            System::file, ErrorKind::conflict,
            fmt::format("The checkpoint {} has counted quarantined items in {}, not in {}. Run "
                        "with --quarantine-file {}, or remove the checkpoint to start over.",
                        run.options.checkpoint_file, counted_in, run.options.quarantine_file, counted_in));
    }
    open_quarantine(run);  // it has counted none
}

/// Takes up the checkpoint where it is of this job and nothing has pulled the ground from under it.
void open_checkpoint(Run& run, std::int64_t epoch) {
    auto found = read_checkpoint(run.options.checkpoint_file);
    const bool same_mapping = found && completes(found->mapping, run.options.mapping);
    const auto job_of = [&](sync::MediaMapping mapping) {
        mapping.collection = run.options.mapping.collection;
        return Job{run.options.source_address, run.options.target_address, run.options.database, mapping};
    };
    if (same_mapping && found->job == hash_of(job_of(found->mapping)) &&
        replaced(run, found->collection_id)) {
        run.result.notes.push_back(
            "The collection was dropped or replaced since the checkpoint: copying all anew.");
        found.reset();  // one that is there now decides the types
    }
    look_at_the_data(run, found && same_mapping ? &found->mapping : nullptr);
    const Job job = job_of(run.mapping);
    if (found && found->job != hash_of(job)) {
        throw Error(System::file, ErrorKind::conflict,
                    fmt::format("{} belongs to another job: {}. Name another file with "
                                "--checkpoint-file, or remove it if that job is not to be resumed.",
                                run.options.checkpoint_file, found->description));
    }
    run.mark =
        neo4j::source_mark(run.driver, run.options.database, run.mapping, run.options.adopt_collection);
    run.collection.emplace(
        vectors::Collection::open_or_create(run.client, run.mapping.collection, run.mapping,
                                            {run.mark, run.options.adopt_collection}, Deadline::after(60s)));
    run.result.collection = run.collection->name();
    require_present_texts(*run.collection, run.driver, run.options.database, run.mapping);
    run.collection->adopt_limits(run.mapping);
    run.read_by_mapping(run.media->ordered());
    if (!run.collection->marked()) {
        run.result.notes.push_back(
            fmt::format("Milvus's user may not alter {}, so that it bears no mark of whose it is: nothing "
                        "would refuse another label or database that is copied into it.",
                        run.collection->name()));
    }
    if (run.collection->adopted() || (found && found->takeover != run.collection->takeover())) {
        run.result.notes.push_back(fmt::format(
            "{} belonged to another source and was taken over: copying all anew.", run.collection->name()));
    } else if (found && found->epoch != epoch && (found->phase == Phase::copy || !run.media->ordered())) {
        run.result.notes.push_back("An engine ran without capture since the checkpoint: copying all anew.");
    } else if (found && !run.media->ordered()) {
        // A late delete of the run before may have hit what its copy had counted, and without an index
        // the sweep meets only what Milvus has.
        if (found->phase != Phase::copy) {
            run.result.notes.push_back("Without an index on ids, all is copied anew.");
        }
    } else if (found && !run.options.resume_from) {
        const std::int64_t expected = run.checkpoint.expected;
        run.checkpoint = *found;
        run.checkpoint.expected = expected;
        run.checkpoint.live = {};  // of the run that has ended
        run.result.resumed = true;
        if (run.checkpoint.epoch != epoch) {
            run.result.notes.push_back(
                "An engine ran without capture since the checkpoint: comparing all ids and versions.");
            run.checkpoint.epoch = epoch;
        }
        run.was_done = found->phase == Phase::done && found->epoch == epoch;
        // Whoever runs Milvus may have dropped the index, or released the collection; else this takes no
        // time.
        if (run.checkpoint.phase != Phase::copy) run.checkpoint.phase = Phase::index;
        resume_quarantine(run);
        return;
    }
    run.checkpoint.job = hash_of(job);
    run.checkpoint.description = describe(job);
    run.checkpoint.mapping = run.mapping;
    run.checkpoint.epoch = epoch;
    run.checkpoint.collection_id = run.collection->id();
    run.checkpoint.takeover = run.collection->takeover();
    run.checkpoint.collection = run.collection->name();
    run.checkpoint.started_ms = unix_ms();
    run.checkpoint.open_ranges = run.fresh_ranges();
    open_quarantine(run);
}

}  // namespace

void open_job(Run& run) {
    run.lease = neo4j::Lease::acquire(
        run.driver, run.options.database, lease_name(run.options.mapping.collection),
        sync::WriteTiming{}.timeout, [&run](const std::string& what) { run.say(what); }, run.stop);
    neo4j::prepare_epochs(run.driver, run.options.database);
    neo4j::RefusedItems::prepare(run.driver, run.options.database);
    const std::int64_t epoch = run.pass_barrier("now");
    if (!run.any_replica()) {
        run.result.notes.push_back(
            "No recommendation-engine is running: changes made during the copy by other programs are not "
            "captured. 'migrate validate --full-scan' finds them.");
    }
    open_checkpoint(run, epoch);
    run.check.emplace(run.mapping, run.media->ordered(), *run.lease);
    run.outage.emplace([&run](Deadline deadline) { run.demand_collection(deadline); });
    run.guard.emplace(run.client, *run.collection);
    run.fixer.emplace(
        Fixer::Ports{*run.media, *run.collection, *run.lease, *run.check, *run.outage,
                     [&run](const Error& error) { run.say_waiting(error); }, run.erasure_rule()},
        run.mapping, run.stop);
}

void dry_run(Run& run) {
    look_at_the_data(run, nullptr);
    RangeLedger ledger(run.fresh_ranges(), {}, run.media->ordered(), nullptr);
    CopyPipeline pipeline({*run.media, *run.media, run.throttle, nullptr, nullptr, nullptr}, run.mapping,
                          run.copy_settings(), ledger);
    const auto started = std::chrono::steady_clock::now();
    run.run_reporting(ledger, pipeline, run.stop);
    run.checkpoint.copy_seconds = seconds_since(started);
    run.result.counts = ledger.live_counts();
    run.result.interrupted = run.stop.stop_requested();
    if (!run.result.interrupted)
        run.result.counts = run.result.counts + run.count_outside_ranges([](std::string) {});
}

}  // namespace crossover::migration
