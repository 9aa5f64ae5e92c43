#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/memory.h"
#include "base/text.h"
#include "commands.h"
#include "learning/copy/compare.h"
#include "learning/copy/copy.h"
#include "learning/copy/reverse.h"
#include "learning_settings.h"
#include "progress_view.h"
#include "settings/exit_code.h"
#include "settings/servers.h"

namespace crossover::cli {
namespace {

using learning::Kind;

constexpr std::int64_t kLargestBatch = 100'000;

[[noreturn]] void refuse(const std::string& message) {
    throw Error(System::config, ErrorKind::usage, message);
}

std::string plural_of(Kind kind) {
    static constexpr std::array<const char*, 4> kNames = {"experiences", "q_values", "policies", "agents"};
    return kNames[learning::index_of(kind)];
}

class MigrateAgentdb : public Command {
  public:
    explicit MigrateAgentdb(CLI::App& parent) {
        declare(
            parent, "migrate-agentdb",
            "Copy the reinforcement-learning state from Redis to PostgreSQL (or back), while it is in use.",
            "  migrate migrate-agentdb --dry-run\n"
            "      read everything, write nothing; says what would be quarantined\n"
            "  migrate migrate-agentdb\n"
            "      copy, making the tables where they are missing; may be interrupted and run again at any "
            "time\n"
            "  migrate migrate-agentdb --verify\n"
            "      compare the content of both, writing nothing\n"
            "  migrate migrate-agentdb --reverse\n"
            "      while PostgreSQL is the primary: bring Redis up to date, before turning back\n\n"
            "SERVERS\n"
            "  REDIS_URL     redis://user:password@host:port/number, or rediss:// for TLS; a server or a "
            "cluster\n"
            "  DATABASE_URL  postgresql://user:password@host:port/database");
        app->add_flag("--dry-run", dry_run_, "read everything, write nothing")->group("Copying");
        app->add_flag("--verify", verify_, "compare the content of both, write nothing")->group("Copying");
        app->add_flag("--reverse", reverse_, "from PostgreSQL to Redis")->group("Copying");
        app->add_flag("--skip-history", skip_history_, "leave out experiences (rl:experience:*)")
            ->group("Copying");
        app->add_flag("--allow-deletes", options_.allow_deletes,
                      "delete rows whose keys are gone, however many they are")
            ->group("Copying");
        app->add_option("--batch-size", batch_size_, "keys a batch; split where values are large")
            ->type_name("N")
            ->default_str(std::to_string(batch_size_))
            ->group("Copying");
        app->add_option("--quarantine-file", quarantine_file_,
                        "NDJSON of the keys that cannot be copied, and why")
            ->type_name("FILE")
            ->default_str(quarantine_file_)
            ->group("Copying");
        add_learning_settings();
        add_settings("Servers", {"redis.ca_file"});
        add_general_flags();
    }

    int run(const Context& context) override {
        check(context.settings);
        options_.redis = redis_address(context.settings);
        options_.postgres_url = context.settings.postgres_url;
        options_.batch_size = static_cast<std::size_t>(batch_size_);
        options_.skip_history = skip_history_;
        options_.dry_run = dry_run_;
        options_.quarantine_file = quarantine_file_;
        take_learning_settings(context.settings, options_);
        if (verify_) return verify(context);
        return reverse_ ? reverse(context) : copy(context);
    }

  private:
    void check(const Settings& settings) const {
        if (settings.postgres_url.empty() && !(dry_run_ && !reverse_)) {
            refuse(
                "PostgreSQL is not configured. Set DATABASE_URL, such as "
                "postgresql://user:password@localhost:5432/agentdb.");
        }
        if (verify_ && reverse_) refuse("--verify compares both ways already; leave out --reverse.");
        if (verify_ && dry_run_) refuse("--verify writes nothing already; leave out --dry-run.");
        if (batch_size_ < 1 || batch_size_ > kLargestBatch) {
            refuse(fmt::format("--batch-size must be a whole number from 1 to {}, not '{}'.", kLargestBatch,
                               batch_size_));
        }
    }

    static void show(ProgressView& view, const learning::CopyProgress& progress) {
        ProgressMoment moment;
        moment.done = progress.done;
        moment.expected = progress.expected;
        moment.items_per_second = progress.items_per_second;
        moment.eta_seconds = progress.eta_seconds;
        moment.state = progress.state;
        if (progress.quarantined > 0) {
            moment.aside = fmt::format("{} quarantined", with_separators(progress.quarantined));
        }
        if (progress.errors > 0) {
            moment.aside += fmt::format("{}{}", moment.aside.empty() ? "" : ", ",
                                        counted(progress.errors, "error ridden out", "errors ridden out"));
        }
        view.show(moment);
    }

    static void line(std::string_view name, const std::string& value) {
        fmt::print("  {:<12} {}\n", name, value);
    }

    static void print_object(const nlohmann::json& object) {
        fmt::print("{}\n", object.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
    }

    bool left_out(Kind kind) const { return skip_history_ && kind == Kind::experience; }

    // --- copying ---

    int copy(const Context& context) {
        learning::CopyResult result;
        {
            ProgressView view;
            result = learning::run_copy(
                options_, [&](const learning::CopyProgress& progress) { show(view, progress); },
                context.stop);
        }
        context.json ? print_json(result) : print_text(result);
        if (result.interrupted) return kInterrupted;
        if (result.refused) {
            // The result says all else; standard output has one JSON document.
            fmt::print(stderr, "error: {}\n", result.refused->what());
            return kNotReady;
        }
        std::int64_t quarantined = 0;
        for (const auto& kind : result.kinds) quarantined += kind.quarantined;
        return result.consistent && quarantined == 0 ? kDone : kWithFindings;
    }

    void print_text(const learning::CopyResult& result) const {
        for (const auto& note : result.notes) fmt::print("note: {}\n", note);
        fmt::print("{}\n", result.interrupted  ? "INTERRUPTED"
                           : dry_run_          ? "DRY RUN DONE"
                           : result.consistent ? "DONE"
                                               : "NOT EQUAL");
        std::int64_t quarantined = 0;
        if (!result.interrupted) {
            fmt::print("  {:<12} {:>14} {:>14} {:>14}\n", "", "Redis keys",
                       dry_run_ ? "would be rows" : "rows", "quarantined");
            for (const auto kind : learning::kKinds) {
                const auto& counts = result.kinds[learning::index_of(kind)];
                quarantined += counts.quarantined;
                if (left_out(kind)) {
                    fmt::print("  {:<12} {:>14}\n", plural_of(kind), "left out");
                    continue;
                }
                fmt::print("  {:<12} {:>14} {:>14} {:>14}{}\n", plural_of(kind),
                           with_separators(counts.redis_keys), with_separators(counts.rows),
                           with_separators(counts.quarantined),
                           counts.redis_keys == counts.rows + counts.quarantined ? "" : "  <- not equal");
            }
        }
        if (!dry_run_) {
            line("written",
                 fmt::format("{}, {} were there, {} deleted", counted(result.written, "row", "rows"),
                             with_separators(result.unchanged), with_separators(result.deleted)));
        }
        if (result.to_delete > 0) {
            line(dry_run_ ? "to delete" : "not deleted",
                 fmt::format("{}, whose keys are gone{}", counted(result.to_delete, "row", "rows"),
                             dry_run_ ? "" : ": see below"));
        }
        line("speed",
             fmt::format("{}  ({})", rate_text(result.items_per_second), duration_text(result.seconds)));
        line("memory", bytes_text(static_cast<double>(peak_memory_bytes())) + " at most");
        if (quarantined > 0) {
            line("quarantined",
                 dry_run_ ? "for example:" : fmt::format("see {}; for example:", quarantine_file_));
            for (const auto& example : result.examples) fmt::print("    {}\n", example);
        }
        if (result.moving_target && !result.interrupted) {
            fmt::print(
                "Redis was written to until the end, or does not say (a cluster does not, nor a user who may "
                "not ask INFO): the counts may be of a moving target.\n");
        }
        if (!result.consistent && !result.interrupted && !result.refused) {
            fmt::print(
                "Rows and quarantined keys are not as many as Redis has keys. Run the same command again; if "
                "it "
                "stays, see which differ: migrate migrate-agentdb --verify\n");
        }
        if (result.interrupted) fmt::print("Run the same command again to go on.\n");
    }

    void print_json(const learning::CopyResult& result) const {
        nlohmann::json kinds;
        for (const auto kind : learning::kKinds) {
            const auto& counts = result.kinds[learning::index_of(kind)];
            kinds[plural_of(kind)] = {{"redis_keys", counts.redis_keys},
                                      {"rows", counts.rows},
                                      {"quarantined", counts.quarantined},
                                      {"left_out", left_out(kind)}};
        }
        print_object({{"kinds", kinds},
                      {"written", result.written},
                      {"unchanged", result.unchanged},
                      {"deleted", result.deleted},
                      {"to_delete", result.to_delete},
                      {"deletes_refused", result.refused.has_value()},
                      {"refusal", result.refused ? nlohmann::json(result.refused->what()) : nlohmann::json()},
                      {"lookalike_keys", result.lookalikes.keys},
                      {"looks", result.looks},
                      {"consistent", result.consistent},
                      {"moving_target", result.moving_target},
                      {"interrupted", result.interrupted},
                      {"dry_run", dry_run_},
                      {"copy_seconds", result.seconds},
                      {"items_per_second", result.items_per_second},
                      {"errors_ridden_out", result.errors},
                      {"peak_memory_bytes", peak_memory_bytes()},
                      {"quarantine_file", quarantine_file_},
                      {"quarantine_examples", result.examples},
                      {"notes", result.notes}});
    }

    // --- comparing ---

    int verify(const Context& context) {
        learning::CompareResult result;
        {
            ProgressView view;
            result = learning::run_compare(
                options_, [&](const learning::CopyProgress& progress) { show(view, progress); },
                context.stop);
        }
        std::int64_t found = 0;
        for (const auto& kind : result.kinds) found += kind.missing + kind.different + kind.orphaned;
        if (context.json) {
            nlohmann::json kinds, differences = nlohmann::json::array();
            for (const auto kind : learning::kKinds) {
                const auto& counts = result.kinds[learning::index_of(kind)];
                kinds[plural_of(kind)] = {
                    {"redis_keys", counts.redis_keys}, {"rows", counts.rows},
                    {"equal", counts.equal},           {"quarantined", counts.quarantined},
                    {"missing", counts.missing},       {"different", counts.different},
                    {"orphaned", counts.orphaned},     {"left_out", left_out(kind)}};
            }
            for (const auto& difference : result.differences) {
                differences.push_back(
                    {{"key", difference.key}, {"kind", difference.kind}, {"what", difference.what}});
            }
            print_object({{"equal", found == 0 && !result.interrupted},
                          {"kinds", kinds},
                          {"differences", differences},
                          {"quarantine_examples", result.examples},
                          {"unsettled", result.unsettled},
                          {"lookalike_keys", result.lookalikes.keys},
                          {"interrupted", result.interrupted},
                          {"seconds", result.seconds},
                          {"peak_memory_bytes", peak_memory_bytes()}});
        } else {
            fmt::print("{}\n", result.interrupted ? "INTERRUPTED" : found == 0 ? "EQUAL" : "NOT EQUAL");
            fmt::print("  {:<12} {:>12} {:>12} {:>12} {:>12} {:>10} {:>10} {:>10}\n", "", "Redis keys",
                       "rows", "equal", "quarantined", "missing", "different", "orphaned");
            for (const auto kind : learning::kKinds) {
                const auto& counts = result.kinds[learning::index_of(kind)];
                if (left_out(kind)) continue;
                fmt::print("  {:<12} {:>12} {:>12} {:>12} {:>12} {:>10} {:>10} {:>10}\n", plural_of(kind),
                           with_separators(counts.redis_keys), with_separators(counts.rows),
                           with_separators(counts.equal), with_separators(counts.quarantined),
                           with_separators(counts.missing), with_separators(counts.different),
                           with_separators(counts.orphaned));
            }
            for (const auto& difference : result.differences) {
                fmt::print("  {}: {}\n", difference.key, difference.what);
            }
            if (!result.examples.empty()) line("quarantined", "for example:");
            for (const auto& example : result.examples) fmt::print("    {}\n", example);
            if (const auto hint = result.lookalikes.text(); !hint.empty()) fmt::print("note: {}\n", hint);
            if (found > static_cast<std::int64_t>(result.differences.size())) fmt::print("  and more\n");
            if (result.unsettled > 0) {
                fmt::print("  {} changed all the while, and can't be judged\n",
                           counted(result.unsettled, "key", "keys"));
            }
        }
        if (result.interrupted) return kInterrupted;
        return found == 0 ? kDone : kWithFindings;
    }

    // --- back to Redis ---

    int reverse(const Context& context) {
        learning::ReverseResult result;
        {
            ProgressView view;
            result = learning::run_reverse(
                options_, [&](const learning::CopyProgress& progress) { show(view, progress); },
                context.stop);
        }
        std::int64_t kept = 0;
        for (const auto& kind : result.kinds) kept += kind.kept;
        if (context.json) {
            nlohmann::json kinds;
            for (const auto kind : learning::kKinds) {
                const auto& counts = result.kinds[learning::index_of(kind)];
                kinds[plural_of(kind)] = {{"rows", counts.rows},           {"written", counts.written},
                                          {"unchanged", counts.unchanged}, {"expired", counts.expired},
                                          {"kept", counts.kept},           {"left_out", left_out(kind)}};
            }
            print_object({{"kinds", kinds},
                          {"complete", result.complete},
                          {"reverse_through", result.reverse_through ? nlohmann::json(*result.reverse_through)
                                                                     : nlohmann::json()},
                          {"interrupted", result.interrupted},
                          {"dry_run", dry_run_},
                          {"errors_ridden_out", result.errors},
                          {"seconds", result.seconds},
                          {"peak_memory_bytes", peak_memory_bytes()},
                          {"notes", result.notes}});
        } else {
            for (const auto& note : result.notes) fmt::print("note: {}\n", note);
            fmt::print("{}\n", result.interrupted ? "INTERRUPTED" : dry_run_ ? "DRY RUN DONE" : "DONE");
            fmt::print("  {:<12} {:>12} {:>12} {:>12} {:>12} {:>12}\n", "", "rows",
                       dry_run_ ? "would write" : "written", "unchanged", "expired", "newer kept");
            for (const auto kind : learning::kKinds) {
                const auto& counts = result.kinds[learning::index_of(kind)];
                if (left_out(kind)) continue;
                fmt::print("  {:<12} {:>12} {:>12} {:>12} {:>12} {:>12}\n", plural_of(kind),
                           with_separators(counts.rows), with_separators(counts.written),
                           with_separators(counts.unchanged), with_separators(counts.expired),
                           with_separators(counts.kept));
            }
            line("time", duration_text(result.seconds));
            if (result.complete)
                fmt::print("Redis is up to date; the engines may be turned to dual or redis.\n");
            if (result.interrupted) fmt::print("Run the same command again to go on.\n");
        }
        if (result.interrupted) return kInterrupted;
        return kept == 0 ? kDone : kWithFindings;
    }

    bool dry_run_ = false, verify_ = false, reverse_ = false, skip_history_ = false;
    std::int64_t batch_size_ = 5'000;
    std::string quarantine_file_ = "agentdb_quarantine.ndjson";
    learning::CopyOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_migrate_agentdb(CLI::App& parent) {
    return std::make_unique<MigrateAgentdb>(parent);
}

}  // namespace crossover::cli
