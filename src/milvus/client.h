#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"
#include "milvus/types.h"

namespace crossover::milvus {

/// Requests over this are refused by the server's default settings (64 MiB).
inline constexpr std::size_t kMaxRequestBytes = 67'108'864;
/// Most rows of one query or hits of one search.
inline constexpr std::size_t kMaxQueryRows = 16'384;

struct ClientConfig {
    std::string uri = "http://127.0.0.1:19530";  ///< http(s)://host[:port], or host[:port]; https means TLS
    std::string token = {};                      ///< "user:password" or an API key; empty = no authentication
    std::string database = {};                   ///< empty = "default"
    std::string ca_file = {};                    ///< PEM roots for https; empty = the system's
    /// HTTP/2 connections, used in turn. One is served by one goroutine reader in Milvus; see
    /// docs/performance.md.
    int connections = 4;
};

/// An upsert request as bytes that own themselves: made once, sent any number of times.
class SerializedUpsert {
  public:
    SerializedUpsert(SerializedUpsert&&) noexcept;
    SerializedUpsert& operator=(SerializedUpsert&&) noexcept;
    ~SerializedUpsert();
    std::size_t bytes() const;
    std::size_t rows() const;

  private:
    friend class Client;
    struct State;
    explicit SerializedUpsert(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

/// A client of one Milvus database, 2.3 to 2.6.
///
/// Thread-safe: any number of threads call any method at once; each call blocks its thread until the server
/// answered or the deadline passed. The constructor does not connect; a lost connection is made again by the
/// next call, at most every 0.2 to 2 s. Nothing is retried here: that is the caller's policy.
///
/// Every method throws crossover::Error(System::milvus): `unreachable`, `timeout`, `authentication`,
/// `not_found` (no such collection, database, alias or index), `unavailable` (not loaded, starting),
/// `overloaded` (rate limit, memory), `too_large`, `conflict` (exists already), `rejected`, `protocol` (not a
/// Milvus; or, with a number as its native code, a code that nobody knows). Its native code is the server's
/// numeric code, or gRPC's name of the status. A write that ended in `timeout`, `unreachable` or `protocol`
/// may still be applied later.
class Client {
  public:
    /// Throws `usage` where the configuration cannot be meant: a malformed URI, an unreadable CA file.
    explicit Client(ClientConfig config);
    ~Client();
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    /// "Milvus at host:port", for messages.
    const std::string& address() const;

    // -- server --

    /// Proves host, TLS, token and database by cheap calls, and tells which of them is wrong:
    /// `unreachable`, `protocol`, `authentication` or `not_found` (the database). Returns the server's
    /// version.
    ServerVersion check_connection(Deadline deadline);
    ServerVersion version(Deadline deadline);
    Health health(Deadline deadline);
    std::vector<NodeMetrics> node_metrics(Deadline deadline);
    /// From now on reads of this client with Consistency::session see all that the server acknowledged, to
    /// whomever, before this call. They wait for the server's clock to tick once at most, where each strong
    /// read does (up to 0.2 s).
    void see_all_until_now(Deadline deadline);

    // -- collections --

    bool has_collection(const std::string& name, Deadline deadline);
    std::vector<std::string> list_collections(Deadline deadline);
    void create_collection(const CollectionSpec& spec, Deadline deadline);
    /// By name or alias; empty where there is none. `version_field` says which INT64 field is the version.
    std::optional<CollectionInfo> describe_collection(
        const std::string& name, Deadline deadline, const std::string& version_field = FieldNames{}.version);
    /// Sets properties of the collection, which the server keeps for us with its own
    /// (CollectionInfo::server_properties); others stay.
    void set_properties(const std::string& name, const std::map<std::string, std::string>& properties,
                        Deadline deadline);
    /// No error where there is none. Drop its aliases first: newer servers refuse otherwise, and 2.3.5 does
    /// not.
    void drop_collection(const std::string& name, Deadline deadline);

    // -- aliases; an alias can't have a collection's name --

    void create_alias(const std::string& alias, const std::string& collection, Deadline deadline);
    /// Points an existing alias to another collection, atomically.
    void alter_alias(const std::string& alias, const std::string& collection, Deadline deadline);
    void drop_alias(const std::string& alias, Deadline deadline);
    /// The collection behind an alias; empty where there is no such alias (a collection's own name is none).
    std::optional<std::string> describe_alias(const std::string& alias, Deadline deadline);
    std::vector<std::string> list_aliases(const std::string& collection, Deadline deadline);

    // -- index and load; each returns at once, and the progress is asked for --

    void create_index(const CollectionRef& collection, const IndexSpec& spec, Deadline deadline);
    /// The index of the vector field and how far it is; empty where there is none.
    std::optional<IndexInfo> describe_index(const CollectionRef& collection, Deadline deadline);
    /// The collection must be released.
    void drop_index(const CollectionRef& collection, Deadline deadline);
    /// Needs an index. Loading a loaded collection is no error.
    void load(const std::string& collection, Deadline deadline);
    void release(const std::string& collection, Deadline deadline);
    LoadProgress load_progress(const std::string& collection, Deadline deadline);

    /// Seals and persists what was written before, and waits for it. From 2.4 limited to one per 10 s for
    /// each collection: `overloaded` when earlier.
    void flush(const std::string& collection, Deadline deadline);
    /// Starts a compaction; returns its id, or a negative one where there was nothing to do.
    std::int64_t compact(const std::string& collection, Deadline deadline);
    CompactionState compaction_state(std::int64_t compaction_id, Deadline deadline);

    // -- rows --

    /// Inserts or replaces whole rows; `too_large` over kMaxRequestBytes: see max_rows_per_request.
    ///
    /// Sends `batch->vectors` from where they lie, without a copy. After a timeout the connection may still
    /// hold the bytes, which is why the batch is shared: it must not change any more, and is let go when the
    /// last byte is.
    UpsertResult upsert(const CollectionRef& collection, std::shared_ptr<const ColumnBatch> batch,
                        Deadline deadline);
    /// The same for a batch that cannot be shared: copies the vectors once.
    UpsertResult upsert(const CollectionRef& collection, const ColumnBatch& batch, Deadline deadline);
    SerializedUpsert serialize_upsert(const CollectionRef& collection, const ColumnBatch& batch);
    UpsertResult send(const SerializedUpsert& request, Deadline deadline);

    /// Deletes by primary key; ids that do not exist are no error (the server does not say which existed).
    void erase(const CollectionRef& collection, std::span<const ItemId> ids, Deadline deadline);

    /// The rows of these ids that exist, in no particular order. At most kMaxQueryRows ids.
    ColumnBatch query_by_ids(const CollectionRef& collection, std::span<const ItemId> ids,
                             const ReadFields& fields, Consistency consistency, Deadline deadline);

    /// Up to `limit` rows of the range with the lowest ids, in ascending order of ids: the next page starts
    /// after the last id. A page may be shorter than `limit` with more to come: only an empty page is the
    /// end.
    ColumnBatch query_page(const CollectionRef& collection, const IdRange& range, std::size_t limit,
                           const ReadFields& fields, Consistency consistency, Deadline deadline);

    /// Rows as a query sees them: deletes and replaced rows do not count.
    std::int64_t count(const CollectionRef& collection, Consistency consistency, Deadline deadline);

    /// Nearest rows to `vector`, nearest first.
    std::vector<Hit> search(const CollectionRef& collection, std::span<const float> vector,
                            const SearchOptions& options, Deadline deadline);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

/// Bytes of the upsert request for `batch`, exactly. No I/O.
std::size_t request_bytes(const CollectionRef& collection, const ColumnBatch& batch);

/// Rows that surely fit one request, each with up to `other_bytes` of id and properties. At least 1.
std::size_t max_rows_per_request(std::size_t dimension, std::size_t other_bytes);

}  // namespace crossover::milvus
