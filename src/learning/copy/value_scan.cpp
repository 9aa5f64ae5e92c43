#include "learning/copy/value_scan.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "learning/copy/stores.h"
#include "redis/key_scan.h"

namespace crossover::learning {
namespace {

constexpr std::size_t kMostBatchBytes = 4 << 20;
/// Redis does nothing else while it looks at a page of its keys: about a microsecond for each.
constexpr std::size_t kLargestPage = 1'000;
/// Keys of ours, and those that would be under another prefix.
constexpr const char* kPattern = "*rl:*";
constexpr std::size_t kMostPrefixes = 5;

}  // namespace

void Lookalikes::add(std::string_view key, std::size_t prefix_length) {
    if (keys++ == 0) example = key_text(key);
    const auto prefix = key_text(key.substr(0, prefix_length));
    if (by_prefix.size() < kMostPrefixes || by_prefix.contains(prefix)) ++by_prefix[prefix];
}

std::string Lookalikes::text() const {
    if (keys == 0) return {};
    std::string prefixes;
    for (const auto& [prefix, count] : by_prefix) {
        prefixes +=
            fmt::format("{}{} with '{}'", prefixes.empty() ? "" : ", ", with_separators(count), prefix);
    }
    return fmt::format(
        "{} like the learning state's, but under another prefix, such as {} ({}): --key-prefix names one to "
        "copy.",
        keys == 1 ? "1 key looks" : with_separators(keys) + " keys look", example, prefixes);
}

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
                 const std::function<void(std::vector<Source>&&)>& take, Lookalikes& lookalikes) {
    lookalikes = {};
    auto scan = stores.redis([&](redis::Keyspace& keyspace) {
        return redis::KeyScan(keyspace, kPattern, std::min(options.batch_size, kLargestPage),
                              stores.retry().policy.time);
    });
    std::vector<std::string> page, wanted;
    while (stores.redis([&](redis::Keyspace&) { return scan.next(page, call_deadline()); })) {
        stores.check_stop();
        for (auto& key : page) {
            const auto kind = kind_of_key(key, options.key_prefix);
            if (!kind) {
                if (const auto found = find_kind(key)) lookalikes.add(key, found->at);
            } else if (options.includes(*kind)) {
                wanted.push_back(std::move(key));
            }
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

}  // namespace crossover::learning
