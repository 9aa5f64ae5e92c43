#include "agentdb/sweep.h"

#include <algorithm>

namespace crossover::agentdb {
namespace {

constexpr std::size_t kPage = 5'000;

/// Rows of a page that have no key and have not expired.
std::int64_t count_gone(Stores& stores, const std::vector<KeyedDigest>& rows,
                        const std::vector<bool>& there) {
    std::int64_t gone = 0;
    std::optional<std::int64_t> now_us;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        if (there[i]) continue;
        if (const auto& expiry = rows[i].digest.expires_at_us) {
            if (!now_us) now_us = stores.now_ms() * 1000;
            if (*expiry <= *now_us) continue;
        }
        ++gone;
    }
    return gone;
}

/// Calls `take` with each page of rows, and which of their keys exist.
template <class Take>
void each_page(Stores& stores, Kind kind, Take&& take) {
    std::optional<std::string> after;
    for (;;) {
        stores.check_stop();
        auto rows =
            stores.postgres([&](Connection& session) { return page_of_keys(session, kind, after, kPage); });
        if (rows.empty()) return;
        after = rows.back().key;
        std::vector<std::string> keys;
        for (const auto& row : rows) keys.push_back(row.key);
        const auto there = stores.exist(keys);
        take(rows, there);
    }
}

}  // namespace

RowCount count_rows_without_key(Stores& stores, Kind kind) {
    RowCount count;
    each_page(stores, kind, [&](const std::vector<KeyedDigest>& rows, const std::vector<bool>& there) {
        count.rows += static_cast<std::int64_t>(rows.size());
        const auto gone = count_gone(stores, rows, there);
        count.gone += gone;
        count.expired += std::count(there.begin(), there.end(), false) - gone;
    });
    return count;
}

std::int64_t sweep_rows_without_key(Stores& stores, const std::string& holder, Kind kind, std::int64_t most) {
    std::int64_t deleted = 0, counted = 0;
    each_page(stores, kind, [&](std::vector<KeyedDigest>& rows, const std::vector<bool>& there) {
        counted += count_gone(stores, rows, there);
        if (counted > most) {
            throw Error(System::redis, ErrorKind::conflict,
                        "Redis lost many keys of the learning state while rows without one were deleted, so "
                        "no more of them are. See what empties it, and run this again.");
        }
        std::vector<KeyedDigest> gone;
        for (std::size_t i = 0; i < rows.size(); ++i) {
            if (!there[i]) gone.push_back(std::move(rows[i]));
        }
        deleted += stores.postgres(
            [&](Connection& session) { return delete_unchanged(session, holder, kind, gone); });
    });
    return deleted;
}

std::int64_t sweep_rows_of_bad_values(Stores& stores, const std::string& holder,
                                      std::span<const std::string> keys) {
    std::int64_t deleted = 0;
    for (const auto& key : keys) {
        const auto kind = find_kind(key).value_or(KindAt{}).kind;
        const std::string_view view = key;
        const auto digests = stores.postgres(
            [&](Connection& session) { return read_digests(session, kind, std::span(&view, 1)); });
        if (digests.empty()) continue;
        const auto source = std::move(stores.read(std::span(&key, 1)).front());
        Row row;
        if (source.type == Source::Type::missing || !parse(source, row, stores.names())) continue;
        const KeyedDigest seen{key, digests.begin()->second};
        deleted += stores.postgres([&](Connection& session) {
            return delete_unchanged(session, holder, kind, std::span(&seen, 1));
        });
    }
    return deleted;
}

std::int64_t sweep_expired_rows(Stores& stores, const std::string& holder, const CopyOptions& options) {
    const auto now =
        stores.redis([](redis::Keyspace& keyspace) { return redis_time_ms(keyspace, call_deadline()); });
    if (!now) return 0;
    std::int64_t deleted = 0;
    for (const auto kind : kKinds) {
        if (!options.includes(kind)) continue;
        deleted +=
            stores.postgres([&](Connection& session) { return delete_expired(session, holder, kind, *now); });
    }
    return deleted;
}

}  // namespace crossover::agentdb
