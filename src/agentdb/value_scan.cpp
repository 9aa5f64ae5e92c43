#include "agentdb/value_scan.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "redis/key_scan.h"

namespace crossover::agentdb {
namespace {

constexpr std::size_t kMostBatchBytes = 4 << 20;
/// Redis does nothing else while it looks at a page of its keys: about a microsecond for each.
constexpr std::size_t kLargestPage = 1'000;

}  // namespace

void read_values(Stores& stores, std::vector<std::string> keys,
                 const std::function<void(std::vector<Source>&&)>& take) {
    std::sort(keys.begin(), keys.end());
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
    std::vector<Source> batch;
    std::size_t bytes = 0;
    const auto hand_over = [&] {
        take(std::exchange(batch, {}));
        bytes = 0;
    };
    stores.read(keys, [&](Source&& source) {
        bytes += source.bytes();
        batch.push_back(std::move(source));
        if (bytes >= kMostBatchBytes) hand_over();
    });
    if (!batch.empty()) hand_over();
}

void scan_values(Stores& stores, const CopyOptions& options,
                 const std::function<void(std::vector<Source>&&)>& take) {
    auto scan = stores.redis([&](redis::Keyspace& keyspace) {
        return redis::KeyScan(keyspace, "rl:", std::min(options.batch_size, kLargestPage),
                              stores.patience().limit);
    });
    std::vector<std::string> page, wanted;
    while (stores.redis([&](redis::Keyspace&) { return scan.next(page, call_deadline()); })) {
        stores.check_stop();
        for (auto& key : page) {
            const auto kind = kind_of_key(key);
            if (kind && options.includes(*kind)) wanted.push_back(std::move(key));
            if (wanted.size() >= options.batch_size) read_values(stores, std::exchange(wanted, {}), take);
        }
        if (const auto slots = scan.slots_on_the_move(); slots > 0) {
            read_values(stores, std::exchange(wanted, {}), take);
            stores.progress().waiting(fmt::format(
                "waiting for {} of the Redis cluster, which {} on the move or without a master",
                slots == 1 ? "one slot" : with_separators(static_cast<std::int64_t>(slots)) + " slots",
                slots == 1 ? "is" : "are"));
        }
    }
    read_values(stores, std::exchange(wanted, {}), take);
}

}  // namespace crossover::agentdb
