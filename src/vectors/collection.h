#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "milvus/client.h"
#include "sync/source_mark.h"
#include "sync/target_scanner.h"
#include "sync/vector_store.h"

namespace crossover::vectors {

/// For whom a collection is opened to be written.
struct Claimant {
    sync::SourceMark mark;
    bool adopt = false;  ///< take the collection over from whomever it belongs to
};

/// The collection that holds the embeddings: `media_embeddings_v1`, `_v2`, … behind the alias
/// `media_embeddings`, so that an index can be rebuilt beside it. The one piece of code that creates it, for
/// whichever program needs it first.
///
/// Thread-safe after construction; the client must outlive it.
class Collection : public sync::VectorStore, public sync::TargetScanner {
  public:
    /// Finds the collection behind `alias`, or creates `<alias>_v1` and the alias.
    /// Throws `conflict` where one exists with another dimension, id kind, metric or property types, naming
    /// both and what to do; or where a real collection has the alias's name.
    /// What it returns is the claimant's: see claim().
    static Collection open_or_create(milvus::Client& client, const std::string& alias,
                                     const sync::MediaMapping& mapping, const Claimant& claimant,
                                     Deadline deadline);
    /// Finds the collection, to be read; empty where there is none. Throws `conflict` as above.
    static std::optional<Collection> open(milvus::Client& client, const std::string& alias,
                                          const sync::MediaMapping& mapping, Deadline deadline);

    /// To be called before the first write: the collection is the claimant's from now on. One that bears no
    /// mark is marked, unless its description names another label. Throws `conflict` where it is another's
    /// and is not to be adopted, naming both. Returns whether it was taken from another.
    bool claim(const Claimant& claimant, Deadline deadline);
    /// Throws `conflict` where open_or_create() would; creates nothing, and returns what open() does.
    static std::optional<Collection> require_possible(milvus::Client& client, const std::string& alias,
                                                      const sync::MediaMapping& mapping, Deadline deadline);

    const std::string& name() const { return ref_.name; }  ///< physical
    const milvus::CollectionRef& ref() const { return ref_; }
    std::int64_t id() const { return id_; }    ///< the server's; another after drop and re-create
    bool created() const { return created_; }  ///< by this call, so it was empty
    /// False where Milvus would not keep the mark of whose it is: its user may not alter collections.
    bool marked() const { return marked_; }
    bool adopted() const { return adopted_; }  ///< by this call, from another source
    /// Names the last adoption from another source, kept in Milvus; empty where there was none. What was
    /// known of the collection before it, a checkpoint's progress, is void.
    const std::string& takeover() const { return takeover_; }
    /// Made by an earlier version: texts that were no strings, integers or booleans have other forms there.
    bool has_former_texts() const { return former_texts_; }
    bool nullable() const { return nullable_; }  ///< missing properties are null rather than the type's zero
    /// Gives a mapping the lengths that texts and ids may have here: somebody else may have made the
    /// collection.
    void adopt_limits(sync::MediaMapping& mapping) const;

    void upsert(sync::ItemBatch& batch, Deadline deadline) override;
    void erase(std::span<const ItemId> ids, Deadline deadline) override;
    void require_same_shape(Deadline deadline) override;
    /// Needs a loaded collection, as versions_after() does.
    void begin_scan(Deadline deadline) override;
    sync::VersionPage versions_after(const std::optional<ItemId>& after, Deadline deadline) override;

    /// Flushes, builds the HNSW index where there is none, loads, and waits for it all. `on_progress(what,
    /// percent)`. Rides out Milvus being away. Throws `conflict` where an index with another metric exists,
    /// `cancelled` on stop.
    void build_index_and_load(const milvus::IndexSpec& spec,
                              const std::function<void(const std::string&, int)>& on_progress,
                              const std::stop_token& stop);

  private:
    Collection(milvus::Client& client, const sync::MediaMapping& mapping, milvus::CollectionRef ref)
        : client_(&client), mapping_(mapping), ref_(std::move(ref)) {}

    std::int64_t upsert_in_parts(const milvus::ColumnBatch& rows, Deadline deadline);

    milvus::Client* client_;
    sync::MediaMapping mapping_;
    milvus::CollectionRef ref_;
    std::int64_t id_ = 0;
    bool marked_ = true;
    bool created_ = false;
    bool adopted_ = false;
    bool nullable_ = false;
    bool former_texts_ = false;
    std::string takeover_;
    milvus::CollectionSpec spec_;
};

/// The collection that open_or_create() would open: behind the alias, or made by a run that ended before it
/// could make the alias.
std::optional<milvus::CollectionInfo> find_collection(milvus::Client& client, const std::string& alias,
                                                      Deadline deadline);

/// Goes by the collection behind `alias`, where there is one: the types of the carried properties, unless a
/// setting gives them, and how long their texts and the ids may be.
void adopt_fields(milvus::Client& client, const std::string& alias, sync::MediaMapping& mapping,
                  Deadline deadline);

/// Completes a mapping with what the collection behind `alias` was created with: id kind, types of the
/// carried properties, and the dimension where it is 0. False where there is none, or it lacks a property
/// (whose type stays as it was).
bool adopt_mapping(milvus::Client& client, const std::string& alias, sync::MediaMapping& mapping,
                   Deadline deadline);

/// Throws `conflict`, naming both, where a collection says that it belongs to another than `mine`.
void require_ours(const std::string& address, const milvus::CollectionInfo& collection,
                  const sync::SourceMark& mine);

milvus::Metric to_milvus(sync::Metric metric);

}  // namespace crossover::vectors
