#include "agentdb/sweep.h"

namespace crossover::agentdb {
namespace {

constexpr std::size_t kPage = 5'000;

}  // namespace

std::int64_t sweep_rows_without_key(Stores& stores, Kind kind) {
    std::int64_t deleted = 0;
    std::optional<std::string> after;
    for (;;) {
        stores.check_stop();
        auto rows =
            stores.postgres([&](Connection& session) { return page_of_keys(session, kind, after, kPage); });
        if (rows.empty()) return deleted;
        after = rows.back().key;
        std::vector<std::string> keys;
        for (const auto& row : rows) keys.push_back(row.key);
        const auto there = stores.exist(keys);
        std::vector<KeyedDigest> gone;
        for (std::size_t i = 0; i < rows.size(); ++i) {
            if (!there[i]) gone.push_back(std::move(rows[i]));
        }
        deleted +=
            stores.postgres([&](Connection& session) { return delete_unchanged(session, kind, gone); });
    }
}

std::int64_t sweep_rows_of_bad_values(Stores& stores, std::span<const std::string> keys) {
    std::int64_t deleted = 0;
    for (const auto& key : keys) {
        const auto kind = *kind_of_key(key);
        const std::string_view view = key;
        const auto digests = stores.postgres(
            [&](Connection& session) { return read_digests(session, kind, std::span(&view, 1)); });
        if (digests.empty()) continue;
        const auto source = std::move(stores.read(std::span(&key, 1)).front());
        Row row;
        if (source.type == Source::Type::missing || !parse(source, row)) continue;
        const KeyedDigest seen{key, digests.begin()->second};
        deleted += stores.postgres(
            [&](Connection& session) { return delete_unchanged(session, kind, std::span(&seen, 1)); });
    }
    return deleted;
}

std::int64_t sweep_expired_rows(Stores& stores, const CopyOptions& options) {
    const auto now =
        stores.redis([](redis::Keyspace& keyspace) { return redis_time_ms(keyspace, call_deadline()); });
    if (!now) return 0;
    std::int64_t deleted = 0;
    for (const auto kind : kKinds) {
        if (!options.includes(kind)) continue;
        deleted += stores.postgres([&](Connection& session) { return delete_expired(session, kind, *now); });
    }
    return deleted;
}

}  // namespace crossover::agentdb
