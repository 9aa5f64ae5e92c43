#include "preflight_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "progress_view.h"

namespace crossover::cli {
namespace {

using migration::PreflightReport;
using migration::ServerState;

/// "int64, from 3,200 values"
std::string type_text(const sync::CarriedProperty& property, const neo4j::PropertyValues& values) {
    const auto seen = values.all == 0 ? "no value" : counted(values.all, "value", "values");
    switch (property.type_source) {
        case sync::TypeSource::values:
            break;
        case sync::TypeSource::collection:
            return fmt::format("{}, as the collection has it; {}", to_string(property.type), seen);
        case sync::TypeSource::setting:
            return fmt::format("{}, as --properties says; {}", to_string(property.type), seen);
    }
    return fmt::format("{}, {}{}", to_string(property.type), values.all == 0 ? "" : "from ", seen);
}

void print_servers(const PreflightReport& report, const Terminal& terminal) {
    fmt::print("Servers\n");
    std::size_t width = 9;
    for (const auto& server : report.servers) width = std::max(width, server.version.size());
    for (const auto& server : report.servers) {
        const char* mark = !server.configured ? "-" : server.well() ? "✓" : "✗";
        if (!terminal.unicode) mark = !server.configured ? "-" : server.well() ? "+" : "x";
        const std::string what = !server.configured       ? "not configured"
                                 : server.version.empty() ? "no answer"
                                                          : server.version;
        fmt::print("  {} {:<11} {:<{}}  {}\n", mark, server.name, what, std::max<std::size_t>(width, 14),
                   server.configured ? server.address : migration::setting_of(server.system));
    }
}

void print_inventory(const PreflightReport& report) {
    const auto& inventory = *report.inventory;
    const auto line = [](std::string_view name, const std::string& value) {
        fmt::print("  {:<12} {}\n", name, value);
    };
    fmt::print("\n{} in {}\n", report.label, report.source);
    if (inventory.items_exact) {
        line("items", fmt::format("{} with an embedding, {} without", with_separators(inventory.items),
                                  with_separators(inventory.missing)));
    } else {
        line("items", fmt::format("{} nodes, about {} of them with an embedding",
                                  with_separators(inventory.items + inventory.missing),
                                  with_separators(inventory.items)));
    }
    if (inventory.sampled) {
        line("looked at", fmt::format("a sample of {}: what follows is of these; --full reads all",
                                      with_separators(inventory.sample_items)));
    }
    std::string dimensions;
    for (const auto& [dimension, items] : inventory.dimensions) {
        dimensions +=
            fmt::format("{}{}: {}", dimensions.empty() ? "" : "   ", dimension, with_separators(items));
    }
    line("dimensions", dimensions.empty() ? "none" : dimensions);
    line("ids", fmt::format("{}s, {}, {}", to_string(inventory.mapping.id_kind),
                            inventory.ids.unique ? "unique by constraint" : "no uniqueness constraint",
                            inventory.ids.ordered ? "readable in order" : "not readable in order"));
    std::string carried;
    for (std::size_t i = 0; i < inventory.values.size(); ++i) {
        const auto& property = inventory.mapping.properties[i];
        carried += fmt::format("{}{}{} ({})", carried.empty() ? "" : ", ", property.name,
                               property.field == property.name ? "" : " as " + property.field,
                               type_text(property, inventory.values[i]));
    }
    line("carried", carried.empty() ? "no property" : carried);
    std::int64_t bad = 0;
    for (const auto& [reason, items] : inventory.bad) bad += items;
    if (bad == 0) {
        line("bad", "none");
    } else {
        line("bad", fmt::format("{}, to be quarantined:", counted(bad, "item", "items")));
        for (const auto& [reason, items] : inventory.bad) {
            fmt::print("  {:<12} {:>9}  {}\n", "", with_separators(items), reason);
        }
    }
    line("read",
         fmt::format("{}, {}",
                     inventory.sampled ? fmt::format("all in about {}", duration_text(inventory.read_seconds))
                                       : fmt::format("in {}", duration_text(inventory.read_seconds)),
                     rate_text(inventory.items_per_second())));
    fmt::print("\nRequired of Milvus\n");
    line("disk", fmt::format("{} (3 x {} of embeddings){}", bytes_text(report.forecast.disk_bytes),
                             bytes_text(report.forecast.embedding_bytes),
                             report.capacity.disk_free
                                 ? fmt::format("; {} free, says {}", bytes_text(*report.capacity.disk_free),
                                               report.capacity.disk_source)
                                 : ""));
    line("memory",
         fmt::format("{}{}", bytes_text(report.forecast.memory_bytes),
                     report.capacity.memory_free
                         ? fmt::format("; {} free, says Milvus", bytes_text(*report.capacity.memory_free))
                         : ""));
    line("time",
         fmt::format("{}: {} to copy, {} to build the index", duration_text(report.forecast.total_seconds()),
                     duration_text(report.forecast.copy_seconds),
                     duration_text(report.forecast.index_seconds)));
}

}  // namespace

void print_preflight(const PreflightReport& report) {
    const auto terminal = inspect_terminal(stdout);
    print_servers(report, terminal);
    if (report.inventory) print_inventory(report);
    fmt::print("\n");
    for (const auto& note : report.notes) fmt::print("note: {}\n", note);
    if (!report.notes.empty()) fmt::print("\n");
    const auto headline = [&](std::string_view text) {
        fmt::print("{}{}{}\n", terminal.colour ? "\x1b[1m" : "", text, terminal.colour ? "\x1b[0m" : "");
    };
    if (!report.ready()) {
        headline("NOT READY");
        for (const auto& reason : report.reasons) fmt::print("• {}\n", reason);
        return;
    }
    if (report.only_connectivity) {
        headline("ALL CONFIGURED SERVERS ARE REACHABLE");
        return;
    }
    headline(report.inventory->sampled ? fmt::format("READY FOR MIGRATION, by a sample of {}",
                                                     counted(report.inventory->sample_items, "item", "items"))
                                       : "READY FOR MIGRATION");
    fmt::print("• {}{} media items\n", report.inventory->items_exact ? "" : "about ",
               with_separators(report.inventory->items));
    if (report.capacity.disk_free) {
        fmt::print("• {} disk available ({} required)\n", bytes_text(*report.capacity.disk_free),
                   bytes_text(report.forecast.disk_bytes));
    }
    if (report.capacity.memory_free) {
        fmt::print("• {} memory available ({} required)\n", bytes_text(*report.capacity.memory_free),
                   bytes_text(report.forecast.memory_bytes));
    }
    if (report.inventory->bad_items() > 0) {
        fmt::print("• {}{} to be quarantined\n", report.inventory->sampled ? "about " : "",
                   counted(report.inventory->bad_items(), "item", "items"));
    }
    fmt::print("• Estimated time: {}\n", duration_text(report.forecast.total_seconds()));
}

std::string preflight_json(const PreflightReport& report) {
    using Json = nlohmann::json;
    Json object{{"ready", report.ready()}, {"reasons", report.reasons}, {"notes", report.notes}};
    object["servers"] = Json::array();
    for (const auto& server : report.servers) {
        object["servers"].push_back({{"name", server.name},
                                     {"address", server.address},
                                     {"configured", server.configured},
                                     {"reached", server.reached},
                                     {"version", server.version},
                                     {"minimum_version", server.minimum},
                                     {"problem", server.problem}});
    }
    if (report.inventory) {
        const auto& inventory = *report.inventory;
        Json dimensions = Json::object();
        for (const auto& [dimension, items] : inventory.dimensions)
            dimensions[std::to_string(dimension)] = items;
        Json properties = Json::object();
        Json types = Json::object();
        for (std::size_t i = 0; i < inventory.values.size(); ++i) {
            const auto& property = inventory.mapping.properties[i];
            properties[property.name] = to_string(property.type);
            types[property.name] = {{"type", to_string(property.type)},
                                    {"field", property.field},
                                    {"decided_by", to_string(property.type_source)},
                                    {"values", inventory.values[i].all}};
        }
        object["inventory"] = {{"sampled", inventory.sampled},
                               {"sample_items", inventory.sample_items},
                               {"items", inventory.items},
                               {"items_exact", inventory.items_exact},
                               {"missing", inventory.missing},
                               {"valid", inventory.valid},
                               {"bad", inventory.bad},
                               {"bad_items", inventory.bad_items()},
                               {"dimension", inventory.mapping.dimension},
                               {"dimensions", dimensions},
                               {"id_kind", to_string(inventory.mapping.id_kind)},
                               {"properties", properties},
                               {"types", types},
                               {"ids_ordered", inventory.ids.ordered},
                               {"ids_unique", inventory.ids.unique},
                               {"index_trouble", inventory.ids.index_trouble},
                               {"statement", inventory.ids.statement},
                               {"read_seconds", inventory.read_seconds}};
        object["required"] = {{"embedding_bytes", report.forecast.embedding_bytes},
                              {"disk_bytes", report.forecast.disk_bytes},
                              {"memory_bytes", report.forecast.memory_bytes}};
        object["estimate"] = {{"copy_seconds", report.forecast.copy_seconds},
                              {"index_seconds", report.forecast.index_seconds},
                              {"total_seconds", report.forecast.total_seconds()}};
        const auto optional = [](const std::optional<double>& value) {
            return value ? Json(*value) : Json();
        };
        object["available"] = {{"disk_bytes", optional(report.capacity.disk_free)},
                               {"disk_source", report.capacity.disk_source},
                               {"memory_bytes", optional(report.capacity.memory_free)}};
    }
    return object.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace crossover::cli
