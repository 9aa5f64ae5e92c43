#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "milvus/client.h"
#include "search/searcher.h"
#include "sync/mapping.h"
#include "sync/vector_store.h"
#include "vectors/collection.h"
#include "vectors/milvus_searcher.h"

namespace crossover::engine {

/// Milvus as the engine sees it: a collection that may not be there yet, be dropped and made anew by an
/// operator, or be out of reach for a while. It is looked for when it is needed, and again after Milvus said
/// that it is gone. Thread-safe. The client must outlive it. Throws crossover::Error.
class LazyCollection : public sync::VectorStore, public search::Searcher {
  public:
    LazyCollection(milvus::Client& client, const sync::MediaMapping& mapping, sync::SourceMark mark);

    /// Creates the collection where it is missing.
    void upsert(sync::ItemBatch& batch, Deadline deadline) override;
    void erase(std::span<const ItemId> ids, Deadline deadline) override;
    /// Where it throws, the collection is looked for anew by the next call.
    void require_same_shape(Deadline deadline) override;
    std::vector<search::Neighbour> nearest(const search::Query& query, Deadline deadline) override;
    /// The stored vector of one id; empty where there is none.
    std::optional<std::vector<float>> vector_of(const ItemId& id, Deadline deadline);

    /// A call that a serving Milvus answers. Throws `conflict` where the collection has become another's.
    void probe(Deadline deadline);
    /// Builds the index and loads the collection where that has not been done: searches need both.
    void prepare_for_search(const milvus::IndexSpec& spec, const std::stop_token& stop);
    bool ready_for_search(Deadline deadline);
    /// For a scan from one end to the other; valid until the handle is let go.
    std::shared_ptr<vectors::Collection> collection(Deadline deadline);

  private:
    struct Opened;
    std::shared_ptr<Opened> opened(Deadline deadline);
    /// Calls `action` with the collection; looks for it anew, once, where it is gone.
    template <class Action>
    auto with_collection(Deadline deadline, Action&& action);
    void forget(const std::shared_ptr<Opened>& stale);

    milvus::Client& client_;
    const sync::MediaMapping mapping_;
    const sync::SourceMark mark_;
    std::mutex mutex_;
    std::condition_variable opening_ended_;
    bool opening_ = false;  ///< one thread at a time opens it; the others wait for that
    std::shared_ptr<Opened> opened_;
};

}  // namespace crossover::engine
