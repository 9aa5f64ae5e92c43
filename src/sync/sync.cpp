#include "sync/sync.h"

#include <unordered_set>

namespace crossover::sync {

namespace {

/// Some of the ids, each with what was read of it.
struct Selection {
    std::vector<ItemId> ids;
    Versions seen;
};

Selection in_state(std::span<const ItemId> ids, const Versions& seen, Presence::State state) {
    Selection selected{{}, {{}, seen.bookmarks}};
    for (std::size_t i = 0; i < ids.size(); ++i) {
        if (seen.presences[i].state != state) continue;
        selected.ids.push_back(ids[i]);
        selected.seen.presences.push_back(seen.presences[i]);
    }
    return selected;
}

/// Ids without a row in `batch`: deleted, invalid or ambiguous.
std::vector<ItemId> without_row(std::span<const ItemId> ids, const ItemBatch& batch) {
    const std::unordered_set<ItemId> rows(batch.ids.begin(), batch.ids.end());
    std::vector<ItemId> missing;
    for (const auto& id : ids) {
        if (!rows.contains(id)) missing.push_back(id);
    }
    return missing;
}

}  // namespace

SyncOutcome sync(SourceStore& source, VectorStore& target, Settlement& settlement,
                 const MediaMapping& mapping, std::span<const ItemId> ids, const SyncLimits& limits) {
    SyncOutcome outcome;
    std::vector<ItemId> moving(ids.begin(), ids.end());
    const auto source_deadline = [&] { return Deadline::after(limits.source_deadline); };

    for (int round = 0; round < limits.rounds && !moving.empty(); ++round) {
        const auto before = source.read_versions(moving, source_deadline());
        ItemBatch valid = make_batch(mapping);
        std::vector<Rejected> rejected;
        // Only what was present at the first look may be written: absent, present and absent again looks
        // unchanged at the second, and a row written from the middle would stay.
        const auto present = in_state(moving, before, Presence::State::present);
        if (!present.ids.empty()) {
            source.read_items(present.ids, present.seen, valid, rejected, source_deadline());
        }
        const auto ambiguous = in_state(moving, before, Presence::State::ambiguous);
        if (!ambiguous.ids.empty()) {
            ItemBatch ignored = make_batch(mapping);
            source.read_items(ambiguous.ids, ambiguous.seen, ignored, rejected, source_deadline());
        }
        const auto gone = without_row(moving, valid);

        if (!valid.empty()) target.upsert(valid, limits.write_deadline);
        if (!gone.empty()) target.erase(gone, limits.write_deadline);

        std::vector<ItemId> changed;
        std::unordered_set<ItemId> settled(moving.begin(), moving.end());
        for (const std::size_t position : settlement.changed(moving, before.presences, source_deadline())) {
            settled.erase(moving[position]);
            changed.push_back(moving[position]);
        }
        for (const auto& id : valid.ids) outcome.upserted += settled.contains(id);
        for (const auto& id : gone) outcome.erased += settled.contains(id);
        for (auto& item : rejected) {
            const bool is_settled = std::visit(
                [&](const auto& id) {
                    if constexpr (std::is_same_v<std::decay_t<decltype(id)>, std::monostate>) {
                        return false;
                    } else {
                        return settled.contains(ItemId(id));
                    }
                },
                item.id);
            if (is_settled) outcome.rejected.push_back(std::move(item));
        }
        moving = std::move(changed);
    }
    outcome.still_moving = std::move(moving);
    return outcome;
}

}  // namespace crossover::sync
