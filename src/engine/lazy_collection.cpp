#include "engine/lazy_collection.h"

#include <fmt/format.h>

#include <utility>

#include "base/error.h"
#include "log/log.h"

namespace crossover::engine {

struct LazyCollection::Opened {
    Opened(milvus::Client& client, vectors::Collection found, const sync::MediaMapping& mapping)
        : collection(std::move(found)), searcher(client, collection, mapping) {}
    vectors::Collection collection;
    vectors::MilvusSearcher searcher;
};

namespace {

/// Of what does not keep the engine from working, but that an operator should know before it matters.
void warn_of(const vectors::Collection& collection) {
    const auto warn = [&](const char* note) {
        log_event(LogLevel::warning, "collection_warning", {{"name", collection.name()}, {"note", note}});
    };
    if (!collection.marked()) {
        warn(
            "Milvus's user may not alter it, so that it bears no mark of whose it is: nothing would refuse "
            "another label or database that writes to it");
    }
    if (collection.has_former_texts()) {
        warn(
            "it was filled by an earlier version of Crossover, which wrote times, points, lists and "
            "floats as other texts; 'migrate preflight' says whether that concerns you");
    }
}

}  // namespace

LazyCollection::LazyCollection(milvus::Client& client, const sync::MediaMapping& mapping,
                               sync::SourceMark mark)
    : client_(client), mapping_(mapping), mark_(std::move(mark)) {}

std::shared_ptr<LazyCollection::Opened> LazyCollection::opened(Deadline deadline) {
    {
        std::unique_lock lock(mutex_);
        // Who opens it may have more time than this caller.
        if (!opening_ended_.wait_until(lock, deadline.point(), [&] { return opened_ || !opening_; })) {
            throw Error(
                System::milvus, ErrorKind::unavailable,
                fmt::format("{}: collection {} is still being opened, for which this call has no more "
                            "time. Try again; where it stays so, look into Milvus's log.",
                            client_.address(), mapping_.collection));
        }
        if (opened_) return opened_;
        opening_ = true;
    }
    const auto end = [this](std::shared_ptr<Opened> found) {
        {
            const std::lock_guard lock(mutex_);
            if (found) opened_ = std::move(found);
            opening_ = false;
        }
        opening_ended_.notify_all();
    };
    try {
        auto found = std::make_shared<Opened>(
            client_,
            vectors::Collection::open_or_create(client_, mapping_.collection, mapping_, {mark_}, deadline),
            mapping_);
        warn_of(found->collection);
        end(found);
        return found;
    } catch (...) {
        end(nullptr);
        throw;
    }
}

void LazyCollection::forget(const std::shared_ptr<Opened>& stale) {
    std::lock_guard lock(mutex_);
    if (opened_ == stale) opened_.reset();
}

template <class Action>
auto LazyCollection::with_collection(Deadline deadline, Action&& action) {
    const auto first = opened(deadline);
    try {
        return action(*first);
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::not_found) throw;
        forget(first);
    }
    return action(*opened(deadline));
}

void LazyCollection::upsert(sync::ItemBatch& batch, Deadline deadline) {
    with_collection(deadline, [&](Opened& target) { target.collection.upsert(batch, deadline); });
}

void LazyCollection::erase(std::span<const ItemId> ids, Deadline deadline) {
    with_collection(deadline, [&](Opened& target) { target.collection.erase(ids, deadline); });
}

void LazyCollection::require_same_shape(Deadline deadline) {
    const auto target = opened(deadline);
    try {
        target->collection.require_same_shape(deadline);
    } catch (const Error&) {
        forget(target);
        throw;
    }
}

std::vector<search::Neighbour> LazyCollection::nearest(const search::Query& query, Deadline deadline) {
    return with_collection(deadline,
                           [&](Opened& target) { return target.searcher.nearest(query, deadline); });
}

std::optional<std::vector<float>> LazyCollection::vector_of(const ItemId& id, Deadline deadline) {
    return with_collection(deadline, [&](Opened& target) -> std::optional<std::vector<float>> {
        auto rows = client_.query_by_ids(target.collection.ref(), std::span(&id, 1), {.vector = true},
                                         milvus::Consistency::bounded, deadline);
        if (rows.empty()) return std::nullopt;
        return std::move(rows.vectors);
    });
}

void LazyCollection::probe(Deadline deadline) {
    const auto found = client_.describe_collection(mapping_.collection, deadline);
    if (!found) return;
    try {
        vectors::require_ours(client_.address(), *found, mark_);
    } catch (const Error&) {
        // What was opened before is not to be written any more.
        std::lock_guard lock(mutex_);
        opened_.reset();
        throw;
    }
}

bool LazyCollection::ready_for_search(Deadline deadline) {
    return with_collection(deadline, [&](Opened& target) {
        return client_.load_progress(target.collection.name(), deadline).state == milvus::LoadState::loaded;
    });
}

void LazyCollection::prepare_for_search(const milvus::IndexSpec& spec, const std::stop_token& stop) {
    std::string last;
    const auto tell = [&](const std::string& what, int) {
        if (what == std::exchange(last, what)) return;
        const bool waiting = what.starts_with("waiting");
        log_event(waiting ? LogLevel::warning : LogLevel::info, "milvus_index", {{"state", what}});
    };
    collection(Deadline::after(std::chrono::seconds(30)))->build_index_and_load(spec, tell, stop);
}

std::shared_ptr<vectors::Collection> LazyCollection::collection(Deadline deadline) {
    auto found = opened(deadline);
    return {found, &found->collection};
}

}  // namespace crossover::engine
