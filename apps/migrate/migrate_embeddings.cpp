#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "base/deletions.h"
#include "base/memory.h"
#include "base/text.h"
#include "commands.h"
#include "migration/copy/backfill.h"
#include "migration/copy/metrics.h"
#include "neo4j/inventory.h"
#include "progress_view.h"
#include "settings/exit_code.h"
#include "settings/servers.h"
#include "vectors/collection.h"

namespace crossover::cli {
namespace {

class MigrateEmbeddings : public Command {
  public:
    explicit MigrateEmbeddings(CLI::App& parent) {
        declare(parent, "migrate-embeddings", "Copy all embeddings from Neo4j to Milvus, and index them.",
                "  migrate migrate-embeddings --dry-run\n"
                "      read everything, write nothing; says what would be quarantined\n"
                "  migrate migrate-embeddings --batch-size 1000 --concurrency 10\n"
                "      copy; interrupt it (Ctrl-C) and run the same command again to go on\n"
                "  migrate migrate-embeddings --metrics-address 127.0.0.1:9464 --output json >result.json\n"
                "      for a job: metrics for Prometheus, the result as JSON, progress on stderr");
        add_settings("Copying",
                     {"migration.batch_size", "migration.concurrency", "migration.rate_limit",
                      "migration.checkpoint_file", "migration.quarantine_file", "migration.metrics_address"});
        app->add_flag("--dry-run", dry_run_, "read everything, write nothing")->group("Copying");
        app->add_option("--resume-from", resume_from_, "begin after this id, whatever the checkpoint says")
            ->type_name("ID")
            ->group("Copying");
        app->add_flag("--force", force_,
                      "go on although an engine runs neo4j_only, whose writes are not captured")
            ->group("Copying");
        app->add_flag("--allow-deletes", allow_deletes_,
                      "remove rows that Neo4j lacks, though they are over 100 and over a tenth of all")
            ->group("Copying");
        app->add_flag("--adopt-collection", adopt_collection_,
                      "take over a collection that belongs to another label or database")
            ->group("Copying");
        add_settings("Index", {"migration.hnsw_m", "migration.ef_construction"});
        add_media_settings();
        add_server_settings();
        add_general_flags();
    }

    int run(const Context& context) override {
        const auto& settings = context.settings;
        auto driver = make_driver(settings);
        auto client = make_client(settings);
        std::optional<migration::MigrationMetrics> metrics;
        if (!settings.metrics_address.empty()) metrics.emplace(settings.metrics_address);
        // Which of host, password and database is wrong is told best before any work.
        driver->verify_connectivity(settings.neo4j_database, Deadline::after(std::chrono::seconds(15)));
        if (!dry_run_) client->check_connection(Deadline::after(std::chrono::seconds(15)));

        const auto options = make_options(settings, *driver);
        migration::Throttle throttle({static_cast<int>(settings.concurrency), settings.rate_limit});
        migration::BackfillResult result;
        {
            ProgressView view;
            view.print_line(
                fmt::format("{} {} in {} {} {}", dry_run_ ? "Reading" : "Copying", settings.label,
                            options.source_address, dry_run_ ? "for" : "to",
                            fmt::format("{} in {}", settings.collection, options.target_address)));
            if (metrics) view.print_line(fmt::format("Metrics at {}", metrics->url()));
            try {
                result = migration::run_backfill(
                    *driver, *client, options, throttle,
                    [&](const migration::Progress& progress) {
                        if (metrics) metrics->update(progress);
                        view.show(moment_of(progress));
                    },
                    context.stop);
            } catch (const Error& error) {
                if (metrics) metrics->count_error(error.system(), error.kind());
                throw;
            }
        }
        if (context.json) {
            print_json(result, settings);
        } else {
            print_text(result, settings);
        }
        if (result.deletes_refused > 0) {
            const auto refusal = deletion_refused(
                System::milvus, result.deletes_refused, result.target_rows,
                fmt::format("{}, collection {}", client->address(), result.collection),
                fmt::format("no {} in {} has their id", settings.label, options.source_address));
            fmt::print(stderr, "error: {}\n", refusal.what());  // beside the result
            return exit_code_of(refusal);
        }
        if (result.interrupted) return kInterrupted;
        return result.counts.quarantined > 0 ? kWithFindings : kDone;
    }

  private:
    migration::BackfillOptions make_options(const Settings& settings, bolt::Driver& driver) const {
        migration::BackfillOptions options;
        options.source_address = source_address(settings);
        options.target_address = target_address(settings);
        options.database = settings.neo4j_database;
        options.mapping = make_mapping(settings);
        options.index.metric = vectors::to_milvus(options.mapping.metric);
        options.index.m = static_cast<int>(settings.hnsw_m);
        options.index.ef_construction = static_cast<int>(settings.ef_construction);
        options.batch_size = static_cast<std::size_t>(settings.batch_size);
        options.dry_run = dry_run_;
        options.force = force_;
        options.allow_deletes = allow_deletes_;
        options.adopt_collection = adopt_collection_;
        options.checkpoint_file = settings.checkpoint_file;
        options.quarantine_file = settings.quarantine_file;
        if (!resume_from_.empty()) options.resume_from = start_id(settings, driver);
        return options;
    }

    /// The text of --resume-from is an integer only where the data's ids are.
    ItemId start_id(const Settings& settings, bolt::Driver& driver) const {
        auto mapping = make_mapping(settings);
        mapping.properties.clear();
        neo4j::infer_mapping(driver, settings.neo4j_database, mapping);
        if (mapping.id_kind == sync::IdKind::string) return resume_from_;
        std::int64_t number = 0;
        const char* end = resume_from_.data() + resume_from_.size();
        const auto [stop, error] = std::from_chars(resume_from_.data(), end, number);
        if (error != std::errc() || stop != end) {
            throw Error(System::config, ErrorKind::usage,
                        fmt::format("--resume-from must be an integer, as the ids of {} are, not '{}'.",
                                    settings.label, resume_from_));
        }
        return number;
    }

    static ProgressMoment moment_of(const migration::Progress& progress) {
        ProgressMoment moment;
        moment.done = progress.counts.copied + progress.counts.quarantined;
        moment.expected = progress.expected;
        moment.items_per_second = progress.items_per_second;
        moment.eta_seconds = progress.eta_seconds;
        moment.state = progress.state;
        if (progress.counts.quarantined > 0) {
            moment.aside = fmt::format("{} quarantined", with_separators(progress.counts.quarantined));
        }
        if (progress.errors.total() > 0) {
            moment.aside +=
                fmt::format("{}{}", moment.aside.empty() ? "" : ", ",
                            counted(progress.errors.total(), "error ridden out", "errors ridden out"));
        }
        return moment;
    }

    void print_text(const migration::BackfillResult& result, const Settings& settings) const {
        const auto& counts = result.counts;
        for (const auto& note : result.notes) fmt::print("note: {}\n", note);
        const auto line = [](std::string_view name, const std::string& value) {
            fmt::print("  {:<12} {}\n", name, value);
        };
        fmt::print("{}\n", result.interrupted           ? "INTERRUPTED"
                           : result.deletes_refused > 0 ? "NOT DONE"
                           : dry_run_                   ? "DRY RUN DONE"
                                                        : "DONE");
        line("read", counted(counts.read, "item", "items"));
        line(dry_run_ ? "would copy" : "copied",
             fmt::format("{}  ({}, {})", with_separators(counts.copied), duration_text(result.copy_seconds),
                         rate_text(result.items_per_second)));
        line("quarantined",
             counts.quarantined > 0 && !dry_run_
                 ? fmt::format("{}  (see {})", with_separators(counts.quarantined), settings.quarantine_file)
                 : with_separators(counts.quarantined));
        line("skipped", fmt::format("{}{}", with_separators(counts.skipped),
                                    counts.skipped > 0 ? "  (without an embedding)" : ""));
        if (!dry_run_ && !result.interrupted) {
            line("index", fmt::format("built and loaded in {}", duration_text(result.index_seconds)));
            line("collection",
                 fmt::format("{}, behind the alias {}", result.collection, settings.collection));
        }
        line("memory", bytes_text(static_cast<double>(peak_memory_bytes())) + " at most");
        if (result.interrupted && !dry_run_) {
            fmt::print("The checkpoint is saved in {}. Run the same command again to go on.\n",
                       settings.checkpoint_file);
        }
    }

    void print_json(const migration::BackfillResult& result, const Settings& settings) const {
        const nlohmann::json object{
            {"read", result.counts.read},
            {"copied", result.counts.copied},
            {"quarantined", result.counts.quarantined},
            {"skipped", result.counts.skipped},
            {"copy_seconds", result.copy_seconds},
            {"index_seconds", result.index_seconds},
            {"items_per_second", result.items_per_second},
            {"peak_memory_bytes", peak_memory_bytes()},
            {"swept", result.swept},
            {"deletes_refused", result.deletes_refused},
            {"errors_ridden_out", result.errors.total()},
            {"interrupted", result.interrupted},
            {"resumed", result.resumed},
            {"dry_run", dry_run_},
            {"collection", result.collection},
            {"checkpoint_file", settings.checkpoint_file},
            {"quarantine_file", settings.quarantine_file},
            {"notes", result.notes},
        };
        fmt::print("{}\n", object.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
    }

    bool dry_run_ = false;
    bool force_ = false;
    bool allow_deletes_ = false;
    bool adopt_collection_ = false;
    std::string resume_from_;
};

}  // namespace

std::unique_ptr<Command> make_migrate_embeddings(CLI::App& parent) {
    return std::make_unique<MigrateEmbeddings>(parent);
}

}  // namespace crossover::cli
