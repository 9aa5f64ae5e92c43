#include "migration/validate/validate.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/deletions.h"
#include "base/memory.h"
#include "base/text.h"
#include "commands.h"
#include "progress_view.h"
#include "settings/exit_code.h"
#include "settings/servers.h"

namespace crossover::cli {
namespace {

using migration::Difference;
using migration::ValidateReport;

Difference difference_at(std::size_t index) {
    return static_cast<Difference>(index);
}

/// JSON has no infinity.
nlohmann::json number(double value) {
    return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(fmt::format("{}", value));
}

nlohmann::json id_json(const ItemId& id) {
    return std::visit([](const auto& value) { return nlohmann::json(value); }, id);
}

nlohmann::json side_json(const migration::ItemSide& side) {
    nlohmann::json object{{"present", side.present}, {"state", side.state}, {"vector", side.vector}};
    object["version"] = side.version ? nlohmann::json(*side.version) : nlohmann::json();
    object["properties"] = nlohmann::json::object();
    for (const auto& [name, value] : side.properties) object["properties"][name] = value;
    return object;
}

nlohmann::json report_json(const ValidateReport& report) {
    nlohmann::json object{
        {"passed", report.passed()},
        {"checked", report.checked},
        {"consistent", report.consistent},
        {"success", report.success()},
        {"quarantined", report.quarantined},
        {"unsettled", report.unsettled},
        {"max_l2", number(report.max_l2)},
        {"mean_l2", number(report.mean_l2)},
        {"within_tolerance", report.within_tolerance},
        {"target_ids", report.target_ids},
        {"seconds", report.seconds},
        {"items_per_second", report.items_per_second},
        {"full_scan", report.full_scan},
        {"ordered", report.ordered},
        {"interrupted", report.interrupted},
        {"collection", report.collection},
        {"fixed", report.fixed},
        {"deletes_refused", report.deletes_refused},
    };
    object["seed"] = report.seed ? nlohmann::json(*report.seed) : nlohmann::json();
    for (std::size_t i = 0; i < migration::kDifferences; ++i) {
        const auto name = std::string(to_string(difference_at(i)));
        object[name] = report.different[i];
        object["examples"][name] = nlohmann::json::array();
        for (const auto& example : report.examples[i]) {
            object["examples"][name].push_back({{"id", id_json(example.id)}, {"detail", example.detail}});
        }
    }
    if (report.source_item) object["source_item"] = side_json(*report.source_item);
    if (report.target_item) object["target_item"] = side_json(*report.target_item);
    if (report.after_fix) object["after_fix"] = report_json(*report.after_fix);
    return object;
}

void print_side(std::string_view store, const migration::ItemSide& side) {
    fmt::print("  {:<8}{}{}\n", store, side.state,
               side.version ? fmt::format(", version {}", *side.version) : "");
    for (const auto& [name, value] : side.properties) fmt::print("          {} = {}\n", name, value);
    if (side.vector.empty()) return;
    constexpr std::size_t kShown = 4;
    std::string values;
    for (std::size_t i = 0; i < std::min(kShown, side.vector.size()); ++i) {
        values += fmt::format("{}{}", i == 0 ? "" : ", ", side.vector[i]);
    }
    fmt::print("          embedding = [{}{}], {} values\n", values, side.vector.size() > kShown ? ", …" : "",
               side.vector.size());
}

void print_text(const ValidateReport& report) {
    if (report.source_item) print_side("Neo4j", *report.source_item);
    if (report.target_item) print_side("Milvus", *report.target_item);
    const auto line = [](std::string_view name, const std::string& value) {
        fmt::print("  {:<20}{}\n", name, value);
    };
    line("checked", fmt::format("{}  ({}, {}{})", with_separators(report.checked),
                                report.full_scan ? "everything, both ways" : "a sample",
                                rate_text(report.items_per_second),
                                report.seed ? fmt::format(", seed {}", *report.seed) : ""));
    line("consistent",
         fmt::format("{}  ({:.4g} %)", with_separators(report.consistent),
                     // Rounding must not make a whole of what is not.
                     report.consistent == report.checked ? 100.0 : std::floor(report.success() * 1e5) / 1e3));
    for (std::size_t i = 0; i < migration::kDifferences; ++i) {
        std::string name(to_string(difference_at(i)));
        std::replace(name.begin(), name.end(), '_', ' ');
        line(name, with_separators(report.different[i]));
        for (const auto& example : report.examples[i]) {
            fmt::print("    {}{}{}\n", to_string(example.id), example.detail.empty() ? "" : ": ",
                       example.detail);
        }
    }
    if (report.quarantined > 0) {
        line("quarantined", with_separators(report.quarantined) + "  (can't be a row of Milvus)");
    }
    if (report.unsettled > 0) {
        line("unsettled", with_separators(report.unsettled) + "  (kept changing while being looked at)");
    }
    line("L2 distance", fmt::format("{:.3g} at most, {:.3g} on average", report.max_l2, report.mean_l2));
    if (report.after_fix) {
        line("fixed", with_separators(report.fixed));
        fmt::print("After the fix:\n");
        print_text(*report.after_fix);
    }
}

class Validate : public Command {
  public:
    explicit Validate(CLI::App& parent) {
        declare(parent, "validate", "Compare Milvus with Neo4j, by a sample or entirely.",
                "  migrate validate                    a random sample of 1,000 from each side\n"
                "  migrate validate --full-scan        everything, both ways\n"
                "  migrate validate --full-scan --fix-inconsistencies\n"
                "      make equal what differs, then look again\n"
                "  migrate validate --id tt0133093     one item, both sides shown\n\n"
                "It passes when at least 99 % of the items are consistent, no vector is 1e-5 or more away "
                "from its\n"
                "source (L2), and none is missing; otherwise the exit code is 4.");
        app->add_option("--sample-size", sample_size_, "ids drawn from each side")
            ->type_name("N")
            ->default_str("1000")
            ->group("Comparing");
        app->add_flag("--full-scan", full_scan_, "compare everything, both ways")->group("Comparing");
        app->add_flag("--fix-inconsistencies", fix_, "make equal what differs, then validate again")
            ->group("Comparing");
        app->add_flag("--allow-deletes", allow_deletes_,
                      "let a fix remove rows, though they are over 100 and over a tenth of all")
            ->group("Comparing");
        app->add_flag("--adopt-collection", adopt_collection_,
                      "let a fix take over a collection that belongs to another label or database")
            ->group("Comparing");
        app->add_option("--id", id_, "compare this item only, and show both sides")
            ->type_name("ID")
            ->group("Comparing");
        add_media_settings();
        add_server_settings();
        add_general_flags();
    }

    int run(const Context& context) override {
        const auto& settings = context.settings;
        auto driver = make_driver(settings);
        auto client = make_client(settings);
        const auto options = make_options(settings);
        driver->verify_connectivity(settings.neo4j_database, Deadline::after(std::chrono::seconds(15)));
        client->check_connection(Deadline::after(std::chrono::seconds(15)));
        ValidateReport report;
        {
            ProgressView view;
            report = migration::run_validate(
                *driver, *client, options,
                [&](const migration::ValidateProgress& progress) { view.show(moment_of(progress)); },
                context.stop);
        }
        const ValidateReport& verdict = report.after_fix ? *report.after_fix : report;
        if (context.json) {
            auto object = report_json(report);
            object["peak_memory_bytes"] = peak_memory_bytes();
            fmt::print("{}\n", object.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
        } else {
            print_text(report);
            fmt::print("{}\n", verdict.interrupted ? "INTERRUPTED" : verdict.passed() ? "PASSED" : "FAILED");
            if (!verdict.interrupted && !verdict.passed() && !fix_) {
                fmt::print("Run it with --fix-inconsistencies to make Milvus equal to Neo4j.\n");
            }
        }
        if (report.deletes_refused > 0) {
            const auto refusal = deletion_refused(
                System::milvus, report.deletes_refused, report.target_ids,
                fmt::format("{}, collection {}", client->address(), report.collection),
                fmt::format("no valid {} in {} has their id", settings.label, options.source_address));
            fmt::print(stderr, "error: {}\n", refusal.what());  // beside the result
            return exit_code_of(refusal);
        }
        if (verdict.interrupted) return kInterrupted;
        return verdict.passed() ? kDone : kWithFindings;
    }

  private:
    migration::ValidateOptions make_options(const Settings& settings) const {
        migration::ValidateOptions options;
        const char* end = sample_size_.data() + sample_size_.size();
        const auto [stop, error] = std::from_chars(sample_size_.data(), end, options.sample_size);
        if (error != std::errc() || stop != end || options.sample_size == 0) {
            throw Error(System::config, ErrorKind::usage,
                        fmt::format("--sample-size must be a whole number from 1, not '{}'.", sample_size_));
        }
        options.source_address = source_address(settings);
        options.target_address = target_address(settings);
        options.database = settings.neo4j_database;
        options.mapping = make_mapping(settings);
        options.full_scan = full_scan_;
        options.fix_inconsistencies = fix_;
        options.allow_deletes = allow_deletes_;
        options.adopt_collection = adopt_collection_;
        if (!id_.empty()) options.id = id_;
        return options;
    }

    static ProgressMoment moment_of(const migration::ValidateProgress& progress) {
        ProgressMoment moment;
        moment.done = progress.checked;
        moment.expected = progress.expected;
        moment.items_per_second = progress.items_per_second;
        moment.eta_seconds = progress.eta_seconds;
        moment.state = progress.state;
        if (progress.different > 0)
            moment.aside = fmt::format("{} different", with_separators(progress.different));
        return moment;
    }

    std::string sample_size_ = "1000";
    bool full_scan_ = false;
    bool fix_ = false;
    bool allow_deletes_ = false;
    bool adopt_collection_ = false;
    std::string id_;
};

}  // namespace

std::unique_ptr<Command> make_validate(CLI::App& parent) {
    return std::make_unique<Validate>(parent);
}

}  // namespace crossover::cli
