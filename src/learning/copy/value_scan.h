#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "learning/store/record.h"

namespace crossover::learning {

class Stores;
struct CopyOptions;

/// Keys that would be ours under another prefix.
struct Lookalikes {
    std::int64_t keys = 0;
    std::map<std::string, std::int64_t> by_prefix;  ///< a few of the prefixes
    std::string example;

    void add(std::string_view key, std::size_t prefix_length);
    /// "1,200 keys look like …, such as …: --key-prefix app:"; empty where there are none.
    std::string text() const;
};

/// Reads the values of the keys, each once, and calls `take` with batches of them: each holds a few MiB or
/// one value. A key that is gone comes as `missing`. Failures are ridden out; what `take` throws ends it.
void read_values(Stores& stores, std::vector<std::string> keys,
                 const std::function<void(std::vector<Source>&&)>& take);

/// The same for all keys of the kinds that `options` include. Every key that is there from the beginning to
/// the end comes at least once; none comes twice in a batch.
void scan_values(Stores& stores, const CopyOptions& options,
                 const std::function<void(std::vector<Source>&&)>& take, Lookalikes& lookalikes);

}  // namespace crossover::learning
