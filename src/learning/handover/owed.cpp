#include "learning/handover/owed.h"

#include <unordered_set>

#include "base/error.h"

namespace crossover::learning {

namespace {

constexpr std::size_t kBatch = 500;
constexpr std::chrono::seconds kBatchTimeout{5};

Deadline batch_deadline(Deadline limit) {
    return Deadline::after(kBatchTimeout).earlier(limit);
}

/// Each key once; a scan may show one twice, in two versions. The first look's version is brought, which is
/// never newer than what is fetched after it.
std::vector<RedisStore::Owed> newest_of_each_key(std::vector<RedisStore::Owed> owed) {
    std::unordered_set<std::string> seen;
    std::erase_if(owed, [&](const auto& one) { return !seen.insert(one.key).second; });
    return owed;
}

void bring_one_by_one(PostgresStore& postgres, const std::vector<RedisStore::Owed>& owed,
                      const std::vector<std::optional<RedisStore::Stored>>& stored, Deadline deadline,
                      std::vector<RedisStore::Owed>& brought, Brought& delivered) {
    for (std::size_t i = 0; i < owed.size(); ++i) {
        try {
            if (stored[i]) postgres.bring({{owed[i].key, *stored[i]}}, deadline);
            brought.push_back(owed[i]);
        } catch (const Error& error) {
            if (error.retryable()) throw;
            ++delivered.stuck;
            delivered.why = error.what();
        }
    }
}

/// The version is read before the value: what was changed in between stays owed.
void bring_batch(RedisStore& redis, PostgresStore& postgres, const std::vector<RedisStore::Owed>& owed,
                 Deadline deadline, Brought& delivered) {
    const auto stored = redis.fetch(owed, deadline);
    std::vector<PostgresStore::Change> changes;
    for (std::size_t i = 0; i < owed.size(); ++i) {
        if (stored[i]) changes.push_back({owed[i].key, *stored[i]});
    }
    std::vector<RedisStore::Owed> brought;
    try {
        if (!changes.empty()) postgres.bring(changes, deadline);
        brought = owed;
    } catch (const Error& error) {
        if (error.retryable()) throw;
        bring_one_by_one(postgres, owed, stored, deadline, brought, delivered);
    }
    delivered.brought += redis.forget_owed(brought, deadline);
}

}  // namespace

Brought bring_owed(RedisStore& redis, PostgresStore& postgres, Deadline limit) {
    Brought delivered;
    std::string cursor = "0";
    do {
        auto [owed, next] = redis.owed(cursor, kBatch, batch_deadline(limit));
        cursor = next;
        owed = newest_of_each_key(std::move(owed));
        for (std::size_t first = 0; first < owed.size(); first += kBatch) {
            const auto last = std::min(owed.size(), first + kBatch);
            bring_batch(redis, postgres,
                        {owed.begin() + static_cast<std::ptrdiff_t>(first),
                         owed.begin() + static_cast<std::ptrdiff_t>(last)},
                        batch_deadline(limit), delivered);
        }
    } while (cursor != "0" && !limit.passed());
    return delivered;
}

}  // namespace crossover::learning
