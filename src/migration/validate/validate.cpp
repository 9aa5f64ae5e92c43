#include "migration/validate/validate.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <random>

#include "base/deletions.h"
#include "base/retry.h"
#include "bolt/driver.h"
#include "migration/copy/fenced_version_check.h"
#include "migration/copy/fixer.h"
#include "migration/job/former_texts.h"
#include "migration/job/job.h"
#include "migration/validate/feeders.h"
#include "migration/validate/row_comparison.h"
#include "migration/validate/target_reader.h"
#include "migration/validate/validation.h"
#include "neo4j/inventory.h"
#include "neo4j/lease.h"
#include "neo4j/media_store.h"
#include "neo4j/refused_items.h"
#include "neo4j/source_mark.h"
#include "vectors/collection.h"

namespace crossover::migration {

namespace {

using namespace std::chrono_literals;

/// Vectors in one batch of either side. About eight such batches are in memory at once.
constexpr std::size_t kBatchBytes = 6 << 20;

Deadline soon() {
    return Deadline::after(30s);
}

/// Opens the collection and completes the mapping with what it was created with: a row is judged by the
/// rules of the copy that made it, not by what Neo4j's data would suggest today.
vectors::Collection open_collection(milvus::Client& client, const std::string& alias,
                                    sync::MediaMapping& mapping) {
    vectors::adopt_mapping(client, alias, mapping, soon());
    auto collection = vectors::Collection::open(client, alias, mapping, soon());
    if (!collection) {
        throw Error(System::milvus, ErrorKind::not_found,
                    fmt::format("{}: there is no collection {}, so nothing to validate. Run "
                                "migrate-embeddings first.",
                                client.address(), alias));
    }
    const auto index = client.describe_index(collection->ref(), soon());
    if (!index) {
        throw Error(System::milvus, ErrorKind::unavailable,
                    fmt::format("{}: collection {} has no index yet, so it can't be read. Run "
                                "migrate-embeddings to its end first.",
                                client.address(), collection->name()));
    }
    if (index->spec && index->spec->metric != vectors::to_milvus(mapping.metric)) {
        throw Error(System::milvus, ErrorKind::conflict,
                    fmt::format("{}: the index of collection {} uses {}, not {}. Run with --metric {}.",
                                client.address(), collection->name(), milvus::to_string(index->spec->metric),
                                sync::to_string(mapping.metric), milvus::to_string(index->spec->metric)));
    }
    if (client.load_progress(collection->name(), soon()).state != milvus::LoadState::loaded) {
        throw Error(System::milvus, ErrorKind::unavailable,
                    fmt::format("{}: collection {} is not loaded, so it can't be read. Run "
                                "migrate-embeddings to its end first, or load it.",
                                client.address(), collection->name()));
    }
    return *std::move(collection);
}

ItemId parse_id(const std::string& text, sync::IdKind kind) {
    if (kind == sync::IdKind::string) return text;
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) {
        throw Error(System::config, ErrorKind::usage,
                    fmt::format("--id {}: the collection's ids are integers.", text));
    }
    return number;
}

/// Both sides of one id, as they are now.
void show_sides(sync::SourceStore& source, TargetReader& target, const sync::MediaMapping& mapping,
                const ItemId& id, ValidateReport& report) {
    const std::vector<ItemId> ids{id};
    sync::ItemBatch valid = sync::make_batch(mapping);
    std::vector<sync::Rejected> rejected;
    const auto versions = source.read_versions(ids, soon());
    const auto& presence = versions.presences.front();
    source.read_items(ids, versions, valid, rejected, soon());
    auto& from_source = report.source_item.emplace();
    if (!valid.empty()) {
        from_source = describe_source(mapping, valid, 0);
        from_source.state = "present";
    } else if (presence.state == sync::Presence::State::ambiguous) {
        from_source.present = true;
        from_source.state = "ambiguous: several nodes have this id";
    } else if (!rejected.empty()) {
        from_source.present = true;
        from_source.version = presence.version;
        from_source.state = fmt::format("invalid: {}{}{}", sync::to_string(rejected.front().reason),
                                        rejected.front().detail.empty() ? "" : ", ", rejected.front().detail);
    } else {
        from_source.state = "absent";
    }
    const auto rows = target.by_ids(ids, Content::rows);
    auto& from_target = report.target_item.emplace();
    if (!rows.empty()) from_target = describe_target(mapping, rows, 0);
    from_target.state = rows.empty() ? "absent" : "present";
}

/// What it takes to write: no other run that writes the collection may be under way.
struct Repairs {
    Repairs(bolt::Driver& source, milvus::Client& client, const ValidateOptions& options,
            const sync::MediaMapping& mapping, neo4j::MediaStore& media, vectors::Collection& collection,
            const std::function<void(const std::string&)>& say, const std::stop_token& stop)
        : lease(neo4j::Lease::acquire(source, options.database, lease_name(options.mapping.collection),
                                      sync::WriteTiming{}.timeout, say, stop)),
          check(mapping, media.ordered(), *lease),
          outage([&client, &options](Deadline deadline) {
              client.has_collection(options.mapping.collection, deadline);
          }),
          fixer({media, collection, *lease, check, outage,
                 [say](const Error& error) { say(fmt::format("waiting: {}", error.what())); }},
                mapping, stop) {
        const bool adopt = options.adopt_collection;
        collection.claim({neo4j::source_mark(source, options.database, mapping, adopt), adopt}, soon());
        neo4j::RefusedItems::prepare(source, options.database);
        fixer.wait_out_former_writes(say);
    }

    std::unique_ptr<neo4j::Lease> lease;
    FencedVersionCheck check;
    sync::TargetOutage outage;
    Fixer fixer;
};

/// Orphans that were found, kept back until it is known how many they are.
class HeldOrphans {
  public:
    void add(std::span<const ItemId> ids) {
        count_ += static_cast<std::int64_t>(ids.size());
        for (const auto& id : ids) {
            if (first_.size() < kMost) first_.push_back(id);
        }
    }
    std::int64_t count() const { return count_; }
    bool all_are_here() const { return count_ == static_cast<std::int64_t>(first_.size()); }
    std::span<const ItemId> ids() const { return first_; }

  private:
    static constexpr std::size_t kMost = 2000;  // of up to 8,000 bytes
    std::vector<ItemId> first_;
    std::int64_t count_ = 0;
};

}  // namespace

ValidateReport run_validate(bolt::Driver& source, milvus::Client& target, const ValidateOptions& options,
                            const std::function<void(const ValidateProgress&)>& on_progress,
                            std::stop_token stop) {
    sync::MediaMapping mapping = options.mapping;
    auto collection = open_collection(target, options.mapping.collection, mapping);
    require_present_texts(collection, source, options.database, mapping);
    const std::optional<ItemId> single =
        options.id ? std::optional(parse_id(*options.id, mapping.id_kind)) : std::nullopt;
    const auto support = neo4j::inspect_id_support(source, options.database, mapping);
    neo4j::MediaStore media(source, options.database, mapping, support.ordered);
    MilvusReader reader(target, collection.ref(), mapping, stop);
    const std::uint64_t seed = options.seed ? *options.seed : std::random_device{}();

    FeedLimits feed_limits;
    const std::size_t row_bytes = mapping.dimension * sizeof(float) + 256;
    feed_limits.rows = std::clamp<std::size_t>(kBatchBytes / row_bytes, 64, 8192);
    Validation::Limits limits;
    limits.look_again_after = options.look_again_after;
    limits.look_rows = std::min<std::size_t>(limits.look_rows, feed_limits.rows);

    const std::int64_t with_embedding = media.count_with_embedding();
    const std::int64_t expected =
        single              ? 1
        : options.full_scan ? with_embedding
                            : std::min(with_embedding, static_cast<std::int64_t>(options.sample_size));

    std::optional<Repairs> repairs;
    if (options.fix_inconsistencies) {
        const auto say = [&](const std::string& state) {
            ValidateProgress progress;
            progress.state = state;
            on_progress(progress);
        };
        repairs.emplace(source, target, options, mapping, media, collection, say, stop);
    }
    std::int64_t fixed = 0;
    HeldOrphans orphans;
    bool may_delete = options.allow_deletes;
    const auto fix = [&](std::span<const ItemId> ids) {
        if (ids.empty()) return;
        repairs->fixer.fix(ids);
        fixed += static_cast<std::int64_t>(ids.size());
    };
    const auto fix_some = [&](std::span<const ItemId> ids, std::span<const ItemId> to_delete) {
        fix(ids);
        if (may_delete) {
            fix(to_delete);
        } else {
            orphans.add(to_delete);
        }
    };
    const auto validate = [&](bool fix) {
        reader.begin();
        Validation validation(media, reader, mapping, limits,
                              fix ? Validation::Fix(fix_some) : Validation::Fix(), stop);
        auto report = validation.run(
            [&](const std::stop_token& stopping) {
                if (single) {
                    validation.suspect(*single, std::nullopt);
                } else if (!options.full_scan) {
                    feed_sample(media, media, reader, feed_limits, options.sample_size, seed, validation,
                                stopping);
                } else if (support.ordered) {
                    feed_in_order(media, reader, feed_limits, validation, stopping);
                } else {
                    feed_by_ids(media, media, reader, mapping, feed_limits, seed, validation, stopping);
                }
            },
            expected, on_progress);
        report.full_scan = options.full_scan && !single;
        report.ordered = support.ordered;
        report.collection = collection.name();
        if (!options.full_scan && !single) report.seed = seed;
        if (single) show_sides(media, reader, mapping, *single, report);
        return report;
    };

    auto report = validate(options.fix_inconsistencies);
    if (orphans.count() > 0 && !stop.stop_requested()) {
        may_delete = !needs_permission_to_delete(orphans.count(), report.target_ids);
        if (!may_delete) {
            report.deletes_refused = orphans.count();
        } else if (orphans.all_are_here()) {
            fix(orphans.ids());
        } else {
            validate(true);
        }
    }
    report.fixed = fixed;
    if (report.fixed > 0 && !stop.stop_requested()) {
        report.after_fix = std::make_unique<ValidateReport>(validate(false));
    }
    return report;
}

}  // namespace crossover::migration
