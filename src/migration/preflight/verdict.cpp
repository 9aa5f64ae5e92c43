#include "migration/preflight/verdict.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/text.h"

namespace crossover::migration {

namespace {

bool is_away(const ServerState& server) {
    return server.kind == ErrorKind::unreachable || server.kind == ErrorKind::timeout;
}

std::string needed(const Forecast& forecast) {
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

const ServerState* find_server(const PreflightReport& report, System system) {
    for (const auto& server : report.servers) {
        if (server.system == system) return &server;
    }
    return nullptr;
}

bool milvus_answered(const PreflightReport& report) {
    const auto* server = find_server(report, System::milvus);
    return server != nullptr && server->configured && server->reached;
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

}  // namespace crossover::migration
