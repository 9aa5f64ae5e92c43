#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/error.h"
#include "neo4j/inventory.h"
#include "sync/mapping.h"

namespace crossover::bolt {
class Driver;
}
namespace crossover::milvus {
class Client;
}

/// What is there, whether it is enough, and what stands in the way. Nothing here writes to any server.
namespace crossover::migrate {

// ---- servers (preflight_servers.cpp) ----

/// One server, asked for its version.
struct ServerState {
    System system = System::internal;
    std::string name;     ///< "Neo4j"
    std::string address;  ///< without secrets; empty where none is configured
    bool configured = false;
    bool reached = false;  ///< it answered and let us in
    std::string version;   ///< as the server said it
    std::string minimum;   ///< "5.15"
    bool new_enough = false;
    ErrorKind kind = ErrorKind::internal;  ///< of `problem`
    std::string problem;                   ///< one sentence, with what to do; empty where all is well

    bool well() const { return problem.empty() && (!configured || (reached && new_enough)); }
};

/// Each has a deadline of ten seconds and throws nothing. `address` is for messages.
ServerState check_neo4j(bolt::Driver& driver, const std::string& address, const std::string& database);
ServerState check_milvus(milvus::Client& client, const std::string& address);
/// `url` as libpq takes it.
ServerState check_postgres(const std::string& url);
/// `redis://[user]:password@host:port/number`, or `rediss://…`; `ca_file` as redis::Address has it.
ServerState check_redis(const std::string& url, const std::string& ca_file = {});
/// For a server that no setting names.
ServerState not_configured(System system);
/// For one whose settings can't be meant.
ServerState misconfigured(System system, const std::string& address, const Error& error);

/// True where the first numbers of `version` ("5.26.30", "v2.3.5", "2025.10.1") are at least those of
/// `minimum`. False where `version` has no number.
bool version_at_least(const std::string& version, const std::string& minimum);

// ---- inventory (preflight_inventory.cpp) ----

struct Inventory {
    sync::MediaMapping mapping;  ///< completed
    neo4j::IdSupport ids;
    bool sampled = false;           ///< by a sample: not every item was read
    std::int64_t sample_items = 0;  ///< items that were read
    std::int64_t items = 0;         ///< nodes with an embedding
    bool items_exact = true;        ///< else by the sample's share of the label's nodes, which are counted
    std::int64_t missing = 0;       ///< nodes without one: skipped
    std::int64_t valid = 0;         ///< items that can be copied; where sampled, by the sample's share
    /// Of each carried property, in the mapping's order: what its type was inferred from.
    std::vector<neo4j::PropertyValues> values;
    /// Of the items that were read: length of the list → items; lists only.
    std::map<std::int64_t, std::int64_t> dimensions;
    /// Of the items that were read: those that will be quarantined, by the reason that a quarantine file
    /// would give (sync::RejectionReason). A sample does not see ids that several nodes share.
    std::map<std::string, std::int64_t> bad;
    /// Of the bad ones: those that are too long for the collection that is there, not for Milvus.
    std::int64_t narrow = 0;
    std::string narrow_example;  ///< of the first of them: "title has 21 bytes, the collection takes 16"
    double read_seconds = 0;  ///< for reading them all, as the copy reads; where sampled, by the pace of some

    std::int64_t bad_items() const { return items - valid; }
    double items_per_second() const;
};

/// Looks at a sample of the label, within about eight seconds whatever its size; where `full`, and where the
/// label is no larger than a sample, reads every embedding once, so that the counts are exact. Either by the
/// copy's own path and rules, and memory does not grow with the items. `on_progress(read, expected)` is
/// called for each batch. Throws crossover::Error, among them `not_ready` where there is nothing to copy and
/// `cancelled` on stop.
Inventory take_inventory(bolt::Driver& driver, const std::string& database, sync::MediaMapping mapping,
                         bool full, const std::function<void(std::int64_t, std::int64_t)>& on_progress,
                         const std::stop_token& stop);

// ---- target (preflight_target.cpp) ----

/// Why a copy of this mapping, completed, could not begin: each with what to do. `target` is a null pointer
/// where no Milvus is to be asked.
std::vector<std::string> obstacles(bolt::Driver& source, milvus::Client* target, const std::string& database,
                                   const sync::MediaMapping& mapping);

// ---- capacity (preflight_capacity.cpp) ----

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

}  // namespace crossover::migrate
