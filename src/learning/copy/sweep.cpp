#include "learning/copy/sweep.h"

#include <algorithm>

#include "learning/copy/value_scan.h"

namespace crossover::learning {
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
        auto rows = stores.postgres(
            [&](postgres::Connection& session) { return page_of_keys(session, kind, after, kPage); });
        if (rows.empty()) return;
        after = rows.back().key;
        std::vector<std::string> keys;
        for (const auto& row : rows) keys.push_back(row.key);
        const auto there = stores.exist(keys);
        take(rows, there);
    }
}

/// Those of one kind that are there and can't be rows: by themselves, or because PostgreSQL refuses them.
std::vector<std::string> bad_ones(Stores& stores, Kind kind, const std::vector<Source>& values) {
    std::vector<std::string> bad;
    EncodedRows rows;
    rows.clear(kind);
    Row row;
    for (const auto& value : values) {
        if (value.type == Source::Type::missing) continue;
        if (parse(value, row, stores.names())) {
            bad.push_back(value.key);
        } else {
            rows.add(row);
        }
    }
    for (const auto& refusal :
         stores.postgres([&](postgres::Connection& session) { return refusals_of(session, rows); })) {
        bad.push_back(rows.keys[refusal.row]);
    }
    return bad;
}

/// Calls `take` with rows of a kind, as they were read, whose key is there and holds what can't be a row.
template <class Take>
void each_row_of_bad_value(Stores& stores, std::span<const std::string> keys, Take&& take) {
    for (const auto kind : kKinds) {
        std::vector<std::string_view> of_kind;
        for (const auto& key : keys) {
            if (find_kind(key).value_or(KindAt{}).kind == kind) of_kind.emplace_back(key);
        }
        for (std::size_t first = 0; first < of_kind.size(); first += kPage) {
            stores.check_stop();
            const auto page = std::span(of_kind).subspan(first, std::min(kPage, of_kind.size() - first));
            // The rows before the values: one that is written anew meanwhile is not as it was seen.
            const auto digests = stores.postgres(
                [&](postgres::Connection& session) { return read_digests(session, kind, page); });
            std::vector<std::string> with_row;
            for (const auto& [key, digest] : digests) with_row.push_back(key);
            read_values(stores, std::move(with_row), [&](std::vector<Source>&& values) {
                std::vector<KeyedDigest> bad;
                for (auto& key : bad_ones(stores, kind, values)) {
                    const auto& digest = digests.at(key);
                    bad.push_back({std::move(key), digest});
                }
                take(kind, bad);
            });
        }
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

void DeletionsLeft::take(std::int64_t rows) {
    if (left_ && taken_ + rows > *left_) {
        throw Error(System::redis, ErrorKind::conflict,
                    "Redis lost many keys of the learning state while rows without one were deleted, so "
                    "no more of them are. See what empties it, and run this again.");
    }
    taken_ += rows;
}

std::int64_t sweep_rows_without_key(Stores& stores, const std::string& holder, Kind kind,
                                    DeletionsLeft& left) {
    std::int64_t deleted = 0;
    each_page(stores, kind, [&](std::vector<KeyedDigest>& rows, const std::vector<bool>& there) {
        left.take(count_gone(stores, rows, there));
        std::vector<KeyedDigest> gone;
        for (std::size_t i = 0; i < rows.size(); ++i) {
            if (!there[i]) gone.push_back(std::move(rows[i]));
        }
        deleted += stores.postgres(
            [&](postgres::Connection& session) { return delete_unchanged(session, holder, kind, gone); });
    });
    return deleted;
}

std::int64_t count_rows_of_bad_values(Stores& stores, std::span<const std::string> keys) {
    std::int64_t rows = 0;
    each_row_of_bad_value(stores, keys, [&](Kind, const std::vector<KeyedDigest>& bad) {
        rows += static_cast<std::int64_t>(bad.size());
    });
    return rows;
}

std::int64_t sweep_rows_of_bad_values(Stores& stores, const std::string& holder,
                                      std::span<const std::string> keys, DeletionsLeft& left) {
    std::int64_t deleted = 0;
    each_row_of_bad_value(stores, keys, [&](Kind kind, const std::vector<KeyedDigest>& bad) {
        left.take(static_cast<std::int64_t>(bad.size()));
        deleted += stores.postgres(
            [&](postgres::Connection& session) { return delete_unchanged(session, holder, kind, bad); });
    });
    return deleted;
}

std::int64_t sweep_expired_rows(Stores& stores, const std::string& holder, const CopyOptions& options) {
    const auto now =
        stores.redis([](redis::Keyspace& keyspace) { return redis_time_ms(keyspace, call_deadline()); });
    if (!now) return 0;
    std::int64_t deleted = 0;
    for (const auto kind : kKinds) {
        if (!options.includes(kind)) continue;
        deleted += stores.postgres(
            [&](postgres::Connection& session) { return delete_expired(session, holder, kind, *now); });
    }
    return deleted;
}

}  // namespace crossover::learning
