#include "sync/sync.h"

#include <unordered_set>

#include "sync/refusals.h"

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

/// Those of `ids` that are not among `others`.
std::vector<ItemId> without(std::span<const ItemId> ids, const std::unordered_set<ItemId>& others) {
    std::vector<ItemId> rest;
    for (const auto& id : ids) {
        if (!others.contains(id)) rest.push_back(id);
    }
    return rest;
}

Rejected refused(const ItemId& id, std::string words) {
    Rejected rejected{{}, {}, RejectionReason::refused_by_server, std::move(words)};
    std::visit([&](const auto& value) { rejected.id = value; }, id);
    return rejected;
}

/// What became of the valid items of a round: ids that are rows now, and ids that there was no time for.
struct Written {
    std::unordered_set<ItemId> rows;
    std::vector<ItemId> untried;
};

Written write(VectorStore& target, ItemBatch& valid, std::vector<Rejected>& rejected, Deadline deadline) {
    Written written;
    if (valid.empty()) return written;
    auto accepted = upsert_what_is_taken(target, valid, deadline);
    written.rows.insert(valid.ids.begin(), valid.ids.end());
    for (auto& row : accepted.refused) {
        written.rows.erase(valid.ids[row.row]);
        rejected.push_back(refused(valid.ids[row.row], std::move(row.words)));
    }
    for (const std::size_t row : accepted.untried) {
        written.rows.erase(valid.ids[row]);
        written.untried.push_back(valid.ids[row]);
    }
    return written;
}

/// Takes `untried` out of what is looked at this round.
void leave_out(const std::vector<ItemId>& untried, std::vector<ItemId>& ids,
               std::vector<Presence>& presences) {
    const std::unordered_set<ItemId> left_out(untried.begin(), untried.end());
    std::size_t kept = 0;
    for (std::size_t i = 0; i < ids.size(); ++i) {
        if (left_out.contains(ids[i])) continue;
        if (kept != i) {
            ids[kept] = std::move(ids[i]);
            presences[kept] = presences[i];
        }
        ++kept;
    }
    ids.resize(kept);
    presences.resize(kept);
}

}  // namespace

SyncOutcome sync(SourceStore& source, VectorStore& target, VersionCheck& version_check,
                 const MediaMapping& mapping, std::span<const ItemId> ids, const SyncLimits& limits) {
    SyncOutcome outcome;
    std::vector<ItemId> moving(ids.begin(), ids.end());
    const auto source_deadline = [&] { return Deadline::after(limits.source_deadline); };

    for (int round = 0; round < limits.rounds && !moving.empty(); ++round) {
        auto before = source.read_versions(moving, source_deadline());
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
        const auto written = write(target, valid, rejected, limits.write_deadline);
        std::vector<ItemId> changed = written.untried;
        if (!changed.empty()) leave_out(changed, moving, before.presences);
        const auto gone = without(moving, written.rows);
        if (limits.on_erasing_invalid) {
            std::vector<ItemId> invalid;
            for (const auto& item : rejected) {
                if (auto id = id_of(item)) invalid.push_back(*std::move(id));
            }
            if (!invalid.empty()) limits.on_erasing_invalid(invalid);
        }
        if (!gone.empty()) target.erase(gone, limits.write_deadline);

        std::unordered_set<ItemId> unchanged(moving.begin(), moving.end());
        for (const std::size_t position :
             version_check.changed(moving, before.presences, rejected, source_deadline())) {
            unchanged.erase(moving[position]);
            changed.push_back(moving[position]);
        }
        for (const auto& id : written.rows) outcome.upserted += unchanged.contains(id);
        for (const auto& id : gone) outcome.erased += unchanged.contains(id);
        for (auto& item : rejected) {
            const auto id = id_of(item);
            if (id && unchanged.contains(*id)) outcome.rejected.push_back(std::move(item));
        }
        moving = std::move(changed);
    }
    outcome.still_moving = std::move(moving);
    return outcome;
}

}  // namespace crossover::sync
