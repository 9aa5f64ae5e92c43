#include "preflight_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/text.h"
#include "progress_view.h"

namespace crossover::cli {
namespace {

using migrate::ServerState;

bool is_away(const ServerState& server) {
    return server.kind == ErrorKind::unreachable || server.kind == ErrorKind::timeout;
}

std::string setting_of(System system) {
    switch (system) {
        case System::neo4j:
            return "NEO4J_URI";
        case System::milvus:
            return "MILVUS_URI";
        case System::postgres:
            return "DATABASE_URL";
        default:
            return "REDIS_URL";
    }
}

std::string needed(const migrate::Forecast& forecast) {
    return fmt::format("{} of memory and {} of disk", bytes_text(forecast.memory_bytes),
                       bytes_text(forecast.disk_bytes));
}

void judge_servers(PreflightReport& report) {
    report.only_unreachable = true;
    for (const auto& server : report.servers) {
        if (server.configured) {
            if (server.well()) continue;
            report.reasons.push_back(server.problem);
            report.only_unreachable = report.only_unreachable && is_away(server);
        } else if (server.system == System::milvus) {
            report.reasons.push_back(
                report.inventory
                    ? fmt::format(
                          "Milvus is not configured. Deploy Milvus 2.3 or later with at least {}, and set "
                          "MILVUS_URI.",
                          needed(report.forecast))
                    : "Milvus is not configured. Deploy Milvus 2.3 or later, and set MILVUS_URI.");
            report.only_unreachable = false;
        } else if (server.system == System::neo4j) {
            report.reasons.push_back(
                "Neo4j is not configured. Set NEO4J_URI (such as bolt://localhost:7687), or give "
                "--neo4j-uri.");
            report.only_unreachable = false;
        } else {
            report.notes.push_back(
                fmt::format("{} is not configured ({}): it is needed to move the learning state, "
                            "not for embeddings.",
                            server.name, setting_of(server.system)));
        }
    }
    if (report.reasons.empty()) report.only_unreachable = false;
}

void judge_inventory(PreflightReport& report) {
    const auto& inventory = *report.inventory;
    if (inventory.valid == 0) {
        report.reasons.push_back(fmt::format("None of the {} of {} can be copied: see the reasons above.",
                                             counted(inventory.items, "embedding", "embeddings"),
                                             report.label));
    }
    if (inventory.narrow > 0) {
        report.reasons.push_back(fmt::format(
            "{} not fit collection {}, which is there already: {}. Make its fields longer, or name another "
            "with --collection.",
            inventory.narrow == 1 ? "1 item does" : with_separators(inventory.narrow) + " items do",
            inventory.mapping.collection, inventory.narrow_example));
    }
    if (inventory.sampled && !inventory.ids.unique) {
        report.notes.push_back("A sample does not see ids that several nodes share: --full counts them.");
    }
    if (!inventory.ids.ordered || !inventory.ids.unique) {
        const auto lacking = !inventory.ids.ordered && !inventory.ids.unique
                                 ? "no index and no uniqueness constraint"
                             : !inventory.ids.ordered ? "no online index"
                                                      : "no uniqueness constraint";
        auto note = fmt::format(
            "There is {} on {}.{}{}. ", lacking, report.label, inventory.mapping.id_property,
            inventory.ids.index_trouble.empty() ? "" : fmt::format(" ({})", inventory.ids.index_trouble));
        note += inventory.ids.ordered
                    ? "The copy works without, but nothing keeps ids unique."
                    : "The copy works without, by one scan that can't be resumed in the middle.";
        if (!inventory.ids.statement.empty()) {
            note += fmt::format(" To make {}: {}", inventory.ids.ordered ? "it" : "both",
                                inventory.ids.statement);
        }
        report.notes.push_back(std::move(note));
    }
}

/// What becomes of values that are not of one type, now or later.
void note_types(PreflightReport& report) {
    const auto& inventory = *report.inventory;
    std::vector<std::string> typed;
    for (std::size_t i = 0; i < inventory.values.size(); ++i) {
        const auto& property = inventory.mapping.properties[i];
        const auto& values = inventory.values[i];
        if (property.type != sync::PropertyType::text) {
            typed.push_back(fmt::format("{} ({})", property.name, to_string(property.type)));
        } else if (values.great > 0 && values.floats > 0) {
            report.notes.push_back(fmt::format(
                "{} is carried as text: beside floats it has {} beyond 2^53, which a float64 would round.",
                property.name, counted(values.great, "integer", "integers")));
        } else if (values.strings < values.all) {
            report.notes.push_back(fmt::format(
                "{} is carried as text: of {} {} strings, {} integers, {} floats, {} booleans, {} others.",
                property.name, counted(values.all, "value", "values"), values.strings, values.integers,
                values.floats, values.booleans,
                values.all - values.strings - values.integers - values.floats - values.booleans));
        }
    }
    if (typed.empty()) return;
    report.notes.push_back(
        fmt::format("A value of another type in {} quarantines its item (property_type), now or later. "
                    "--properties NAME:text carries any value.",
                    fmt::join(typed, ", ")));
}

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

void judge_capacity(PreflightReport& report) {
    const auto& capacity = report.capacity;
    const auto judge_one = [&](const std::optional<double>& free, double required, std::string_view what,
                               std::string_view advice) {
        if (!free) {
            report.notes.push_back(
                fmt::format("Milvus does not say how much {} it has left: see to it that {} are free.", what,
                            bytes_text(required)));
        } else if (*free < required) {
            report.reasons.push_back(fmt::format("Milvus has {} of {} left, and {} are required. {}",
                                                 bytes_text(*free), what, bytes_text(required), advice));
        }
    };
    judge_one(capacity.disk_free, report.forecast.disk_bytes, "disk",
              "Free some or give it a larger volume.");
    judge_one(capacity.memory_free, report.forecast.memory_bytes, "memory",
              "Give it more, or a smaller --hnsw-m.");
}

const ServerState* find(const PreflightReport& report, System system) {
    for (const auto& server : report.servers) {
        if (server.system == system) return &server;
    }
    return nullptr;
}

bool milvus_answered(const PreflightReport& report) {
    const auto* server = find(report, System::milvus);
    return server != nullptr && server->configured && server->reached;
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
                   server.configured ? server.address : setting_of(server.system));
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

void judge(PreflightReport& report) {
    judge_servers(report);
    if (report.inventory) {
        judge_inventory(report);
        note_types(report);
    }
    if (report.inventory && milvus_answered(report)) judge_capacity(report);
    if (report.reasons.size() > static_cast<std::size_t>(std::count_if(
                                    report.servers.begin(), report.servers.end(), [](const auto& server) {
                                        return server.configured && is_away(server) && !server.well();
                                    }))) {
        report.only_unreachable = false;
    }
}

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
