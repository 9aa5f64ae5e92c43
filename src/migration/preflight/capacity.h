#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace crossover::milvus {
class Client;
}

namespace crossover::migration {

/// What Milvus has left.
struct Capacity {
    std::optional<double> disk_free;    ///< bytes
    std::optional<double> memory_free;  ///< bytes
    std::string disk_source;            ///< "Milvus", or "file system of /var/lib/milvus"
    std::optional<double> index_cores;  ///< of the machines that build indexes
};

/// What a copy will need.
struct Forecast {
    double embedding_bytes = 0;  ///< items * dimension * 4
    double disk_bytes = 0;       ///< 3 * embedding_bytes: log, segments, and a compaction beside them
    double memory_bytes = 0;     ///< see forecast()
    double copy_seconds = 0;
    double index_seconds = 0;  ///< with flush and load
    double total_seconds() const { return copy_seconds + index_seconds; }
};

/// Memory of an HNSW index that is loaded: for each item its vector (4 * dimension bytes), 2 M links of 4
/// bytes in the bottom layer, together M links in the layers above, and 40 bytes of id, level and
/// bookkeeping; and a fifth more for allocators and segments that are being built.
///
/// Time: reading was measured; beside it Milvus writes and versions are checked again, which on one machine
/// costs about as much once more: twice the measured time. The index takes, by builds seen of 50,000 and
/// 150,000 items of 768 dimensions with ef_construction 256, two milliseconds an item on one core, in
/// proportion to both numbers, divided by the cores (two where nobody says); flush and load six seconds.
Forecast forecast(std::int64_t items, std::uint32_t dimension, int hnsw_m, int ef_construction,
                  double read_seconds, std::optional<double> index_cores);

/// Asks Milvus's node metrics. Where they do not tell the disk and `local`, the file system is asked.
Capacity ask_capacity(milvus::Client& client, bool local);

}  // namespace crossover::migration
