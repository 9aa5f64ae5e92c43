#include "migration/preflight/capacity.h"

#include <sys/statvfs.h>

#include <map>

#include "milvus/client.h"

namespace crossover::migration {
namespace {

constexpr double kFloatBytes = 4;
constexpr double kLinkBytes = 4;
constexpr double kItemBytes = 40;
constexpr double kOverhead = 1.2;
constexpr double kDiskFactor = 3;
constexpr double kCopyFactor = 2;
constexpr double kIndexSecondsPerItem = 2e-3;  // one core, 768 dimensions, ef_construction 256
constexpr double kUsualCores = 2;
constexpr double kFlushAndLoadSeconds = 6;

/// Where Milvus's packages and images put their data; else the root.
constexpr const char* kUsualFolder = "/var/lib/milvus";

std::optional<double> free_bytes(const char* folder) {
    struct statvfs about {};
    if (statvfs(folder, &about) != 0) return std::nullopt;
    return static_cast<double>(about.f_bavail) * static_cast<double>(about.f_frsize);
}

struct Machine {
    double memory_free = 0, disk_free = 0;
};

}  // namespace

Forecast forecast(std::int64_t items, std::uint32_t dimension, int hnsw_m, int ef_construction,
                  double read_seconds, std::optional<double> index_cores) {
    const auto count = static_cast<double>(items);
    Forecast need;
    need.embedding_bytes = count * dimension * kFloatBytes;
    need.disk_bytes = kDiskFactor * need.embedding_bytes;
    need.memory_bytes =
        count * (dimension * kFloatBytes + 3.0 * hnsw_m * kLinkBytes + kItemBytes) * kOverhead;
    need.copy_seconds = kCopyFactor * read_seconds;
    need.index_seconds = count * kIndexSecondsPerItem * (dimension / 768.0) * (ef_construction / 256.0) /
                             index_cores.value_or(kUsualCores) +
                         kFlushAndLoadSeconds;
    return need;
}

Capacity ask_capacity(milvus::Client& client, bool local) {
    Capacity capacity;
    // Roles that share a machine report the same memory and disk: each machine counts once.
    std::map<std::string, Machine> searching, storing;
    std::map<std::string, double> indexing, writing;  // cores; Milvus 2.6 builds indexes on its data nodes
    for (const auto& node : client.node_metrics(Deadline::after(std::chrono::seconds(10)))) {
        const auto machine =
            node.deploy_mode == "STANDALONE" ? std::string() : node.ip.substr(0, node.ip.rfind(':'));
        const Machine free{static_cast<double>(node.memory_total) - static_cast<double>(node.memory_used),
                           static_cast<double>(node.disk_total) - static_cast<double>(node.disk_used)};
        if (node.role == "querynode" && node.memory_total > 0) searching[machine] = free;
        if ((node.role == "datanode" || node.role == "querynode") && node.disk_total > 0)
            storing[machine] = free;
        if (node.role == "indexnode" && node.cores > 0) indexing[machine] = static_cast<double>(node.cores);
        if (node.role == "datanode" && node.cores > 0) writing[machine] = static_cast<double>(node.cores);
    }
    for (const auto& [machine, cores] : indexing.empty() ? writing : indexing) {
        capacity.index_cores = capacity.index_cores.value_or(0) + cores;
    }
    for (const auto& [machine, free] : searching) {
        capacity.memory_free = capacity.memory_free.value_or(0) + free.memory_free;
    }
    for (const auto& [machine, free] : storing) {
        capacity.disk_free = capacity.disk_free.value_or(0) + free.disk_free;
        capacity.disk_source = "Milvus";
    }
    if (!capacity.disk_free && local) {
        const char* folder = free_bytes(kUsualFolder) ? kUsualFolder : "/";
        capacity.disk_free = free_bytes(folder);
        capacity.disk_source = std::string("file system of ") + folder;
    }
    return capacity;
}

}  // namespace crossover::migration
