#include "migration/copy/erasure_guard.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/deletions.h"
#include "base/error.h"
#include "base/text.h"

namespace crossover::migration {

using namespace std::chrono_literals;

void ErasureGuard::admit(std::span<const ItemId> ids) {
    const auto soon = [] { return Deadline::after(30s); };
    const std::lock_guard lock(mutex_);
    if (!found_) {
        if (client_.load_progress(collection_.name(), soon()).state != milvus::LoadState::loaded) return;
        found_ = client_.count(collection_.ref(), milvus::Consistency::session, soon());
    }
    for (std::size_t first = 0; first < ids.size(); first += milvus::kMaxQueryRows) {
        const auto some =
            ids.subspan(first, std::min<std::size_t>(milvus::kMaxQueryRows, ids.size() - first));
        const auto rows =
            client_.query_by_ids(collection_.ref(), some, {}, milvus::Consistency::session, soon());
        for (const auto& id : rows.ids) erased_.insert(std::hash<ItemId>()(id));
    }
    const auto rows = static_cast<std::int64_t>(erased_.size());
    if (!needs_permission_to_delete(rows, *found_)) return;
    throw Error(
        System::neo4j, ErrorKind::not_ready,
        fmt::format("More than a tenth of the {} rows of {} have an item that can't be a row any more: {} so "
                    "far. The quarantine file names those that were removed, before it was seen that they "
                    "are so many, with the reason. Mend what changed them in Neo4j; or, if the rows are to "
                    "go, run again with --allow-deletes.",
                    with_separators(*found_), collection_.name(), with_separators(rows)));
}

}  // namespace crossover::migration
