#include "milvus/node_info.h"

#include <nlohmann/json.hpp>

namespace crossover::milvus {
namespace {

using Json = nlohmann::json;

const Json& member(const Json& object, const char* name) {
    static const Json kNone;
    const auto found = object.is_object() ? object.find(name) : object.end();
    return object.is_object() && found != object.end() ? *found : kNone;
}

std::string text(const Json& object, const char* name) {
    const Json& value = member(object, name);
    return value.is_string() ? value.get<std::string>() : std::string();
}

std::uint64_t whole_number(const Json& object, const char* name) {
    const Json& value = member(object, name);
    if (value.is_number_unsigned()) return value.get<std::uint64_t>();
    constexpr double kLimit = 9.2e18;
    if (value.is_number_float() && value.get<double>() > 0 && value.get<double>() < kLimit) {
        return static_cast<std::uint64_t>(value.get<double>());
    }
    return 0;
}

/// What Milvus 2.3 says of the disk of every machine, whatever it has: 100 MiB, and 2 MiB of them in use.
bool is_made_up(const NodeMetrics& metrics) {
    return metrics.disk_total == 100U << 20 && metrics.disk_used == 2U << 20;
}

}  // namespace

std::optional<std::vector<NodeMetrics>> parse_system_info(std::string_view json) {
    const Json document = Json::parse(json, nullptr, /*allow_exceptions=*/false);
    const Json& nodes = member(document, "nodes_info");
    if (!nodes.is_array()) return std::nullopt;
    std::vector<NodeMetrics> all;
    for (const Json& node : nodes) {
        const Json& infos = member(node, "infos");
        const Json& hardware = member(infos, "hardware_infos");
        NodeMetrics metrics;
        metrics.role = text(infos, "type");
        metrics.name = text(infos, "name");
        metrics.ip = text(hardware, "ip");
        metrics.deploy_mode = text(member(infos, "system_info"), "deploy_mode");
        metrics.memory_total = whole_number(hardware, "memory");
        metrics.memory_used = whole_number(hardware, "memory_usage");
        metrics.disk_total = whole_number(hardware, "disk");
        metrics.disk_used = whole_number(hardware, "disk_usage");
        if (is_made_up(metrics)) metrics.disk_total = metrics.disk_used = 0;
        metrics.cores = whole_number(hardware, "cpu_core_count");
        all.push_back(std::move(metrics));
    }
    return all;
}

}  // namespace crossover::milvus
