#include "migration/validate/feeders.h"

#include <algorithm>
#include <exception>
#include <mutex>
#include <random>
#include <thread>
#include <unordered_map>
#include <unordered_set>

#include "base/bounded_queue.h"
#include "base/retry.h"

namespace crossover::migration {

namespace {

constexpr std::chrono::seconds kLookUpDeadline{120};
/// Ids of Milvus read at once where nothing else is read.
constexpr std::size_t kIdPage = 8192;
/// Bytes of ids that stand in one Milvus expression.
constexpr std::size_t kExpressionBytes = 1 << 20;

std::optional<ItemId> id_of(const sync::Rejected& rejected, sync::IdKind kind) {
    if (const auto* text = std::get_if<std::string>(&rejected.id); text && kind == sync::IdKind::string) {
        return *text;
    }
    if (const auto* number = std::get_if<std::int64_t>(&rejected.id);
        number && kind == sync::IdKind::integer) {
        return *number;
    }
    return std::nullopt;
}

/// One batch of Neo4j against the rows that Milvus has for it, which may come in several pages.
class BatchComparison {
  public:
    BatchComparison(sync::ScannedBatch batch, Validation& validation)
        : batch_(std::move(batch)), validation_(validation), item_seen_(batch_.items.rows()) {
        entries_.reserve(batch_.read());
        for (std::size_t row = 0; row < batch_.items.rows(); ++row) {
            entries_.emplace(batch_.items.ids[row], Entry{State::valid, row});
        }
        for (const auto& rejected : batch_.rejected) {
            std::visit(
                [&](const auto& id) {
                    if constexpr (std::is_same_v<std::decay_t<decltype(id)>, std::monostate>) {
                        ++quarantined_;
                    } else {
                        entries_.emplace(id, Entry{State::invalid, 0});
                    }
                },
                rejected.id);
        }
        for (const auto& id : batch_.to_resync) entries_.insert_or_assign(id, Entry{State::unknown, 0});
    }

    void rows(const milvus::ColumnBatch& page) {
        for (std::size_t row = 0; row < page.size(); ++row) {
            const auto found = entries_.find(page.ids[row]);
            if (found == entries_.end()) {
                validation_.suspect(page.ids[row], sync::Presence{});
                continue;
            }
            auto& entry = found->second;
            if (entry.state == State::valid) {
                item_seen_[entry.row] = true;
                const auto comparison = compare_rows(batch_.items, entry.row, page, row);
                if (!comparison.difference && comparison.same_bits) {
                    ++consistent_;
                } else {
                    validation_.suspect(page.ids[row], present(entry.row));
                }
            } else if (entry.state == State::invalid) {
                entry.state = State::unknown;  // neither rightly absent nor known as valid
            }
        }
    }

    void finish() {
        for (std::size_t row = 0; row < item_seen_.size(); ++row) {
            const bool valid = entries_.at(batch_.items.ids[row]).state == State::valid;
            if (valid && !item_seen_[row]) validation_.suspect(batch_.items.ids[row], present(row));
        }
        for (const auto& [id, entry] : entries_) {
            if (entry.state == State::invalid) ++quarantined_;
            if (entry.state == State::unknown) validation_.suspect(id, std::nullopt);
        }
        validation_.count_consistent(consistent_);
        validation_.count_quarantined(quarantined_);
    }

  private:
    enum class State : std::uint8_t { valid, invalid, unknown };
    struct Entry {
        State state;
        std::size_t row;
    };

    sync::Presence present(std::size_t row) const {
        return {sync::Presence::State::present, batch_.items.versions[row]};
    }

    sync::ScannedBatch batch_;
    Validation& validation_;
    std::vector<bool> item_seen_;
    std::unordered_map<ItemId, Entry> entries_;
    std::int64_t consistent_ = 0;
    std::int64_t quarantined_ = 0;
};

/// Scans everything in order, going on behind the last batch when a connection is lost. The batches cover
/// the whole id space without a gap.
void scan_in_order(sync::SourceScanner& source, std::size_t rows, const std::stop_token& stop,
                   const std::function<bool(sync::ScannedBatch&&)>& sink) {
    std::optional<ItemId> done;
    bool at_end = false;
    bool wanted = true;
    Retries retries(kTenTimes);
    while (!at_end && wanted && !stop.stop_requested()) {
        try {
            source.scan({done, std::nullopt}, rows, [&](sync::ScannedBatch&& batch) {
                batch.keys.after = done;
                const auto through = batch.keys.through;
                wanted = sink(std::move(batch));
                done = through;
                at_end = !through;
                retries.succeeded();
                return wanted;
            });
            if (at_end || !wanted) return;
            sync::ScannedBatch rest;  // what Milvus has behind Neo4j's last id
            rest.keys.after = done;
            sink(std::move(rest));
            return;
        } catch (const Error& error) {
            if (!retries.admits(error)) throw;
            if (!sleep_for(retries.pause(), stop)) return;
        }
    }
}

/// Compares one range; stops between pages.
void compare_range(TargetReader& target, sync::ScannedBatch batch, std::size_t rows, Validation& validation,
                   const std::stop_token& stop) {
    milvus::IdRange range{batch.keys.after, batch.keys.through};
    BatchComparison comparison(std::move(batch), validation);
    while (!stop.stop_requested()) {
        const auto page = target.page(range, rows, Content::rows);
        validation.count_target_ids(static_cast<std::int64_t>(page.size()));
        comparison.rows(page);
        // The range ends with an id of Neo4j, so that a consistent one takes a single page.
        if (page.empty() || (range.up_to && page.ids.back() == *range.up_to)) {
            comparison.finish();
            return;
        }
        range.after = page.ids.back();
    }
}

/// Calls `sink` with the ids of Milvus page by page, in order.
void scan_target_ids(TargetReader& target, const std::stop_token& stop,
                     const std::function<void(std::vector<ItemId>&)>& sink) {
    milvus::IdRange range;
    while (!stop.stop_requested()) {
        auto page = target.page(range, kIdPage, Content::ids);
        if (page.empty()) return;
        range.after = page.ids.back();
        sink(page.ids);
    }
}

/// Suspects the ids of Milvus that Neo4j does not have exactly once.
void look_up(sync::SourceStore& store, std::span<const ItemId> ids, Validation& validation,
             const std::stop_token& stop) {
    if (ids.empty()) return;
    const auto presences = Retry{kTenTimes, stop}(
        [&] { return store.read_versions(ids, Deadline::after(kLookUpDeadline)).presences; });
    for (std::size_t i = 0; i < ids.size(); ++i) {
        if (presences[i].state != sync::Presence::State::present) validation.suspect(ids[i], presences[i]);
    }
}

/// A checksum of a multiset of ids, whatever their order: two sums of keyed 64-bit hashes.
class IdChecksum {
  public:
    explicit IdChecksum(std::uint64_t seed) : seed_(seed) {}
    void add(const ItemId& id) {
        ++count_;
        const std::uint64_t hash = std::hash<ItemId>{}(id);
        first_ += mix(hash ^ seed_);
        second_ += mix(hash + mix(~seed_));
    }
    friend bool operator==(const IdChecksum&, const IdChecksum&) = default;

  private:
    /// The finalizer of SplitMix64 (Steele, Lea, Flood 2014).
    static std::uint64_t mix(std::uint64_t value) {
        value += 0x9e3779b97f4a7c15;
        value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
        value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
        return value ^ (value >> 31);
    }
    std::uint64_t seed_;
    std::uint64_t count_ = 0, first_ = 0, second_ = 0;
};

/// Every id offered has the same chance to be among the `size` kept (Vitter's algorithm R).
class Reservoir {
  public:
    Reservoir(std::size_t size, std::uint64_t seed) : size_(size), random_(seed) {}
    void offer(const ItemId& id) {
        ++offered_;
        if (ids_.size() < size_) {
            ids_.push_back(id);
            return;
        }
        const auto place = std::uniform_int_distribution<std::uint64_t>(0, offered_ - 1)(random_);
        if (place < size_) ids_[place] = id;
    }
    const std::vector<ItemId>& ids() const { return ids_; }

  private:
    std::size_t size_;
    std::uint64_t offered_ = 0;
    std::mt19937_64 random_;
    std::vector<ItemId> ids_;
};

}  // namespace

void feed_in_order(sync::SourceScanner& source, TargetReader& target, const FeedLimits& limits,
                   Validation& validation, const std::stop_token& stop) {
    BoundedQueue<sync::ScannedBatch> queue(1);
    std::stop_source stopping;
    const std::stop_callback forward(stop, [&] { stopping.request_stop(); });
    std::mutex mutex;
    std::exception_ptr failure;
    const auto guarded = [&](const auto& work) {
        try {
            work();
        } catch (...) {
            const std::lock_guard lock(mutex);
            if (!failure) failure = std::current_exception();
            stopping.request_stop();
        }
    };
    {
        std::vector<std::jthread> comparers;
        for (int i = 0; i < limits.comparers; ++i) {
            comparers.emplace_back([&] {
                guarded([&] {
                    while (auto batch = queue.pop(stopping.get_token())) {
                        compare_range(target, std::move(*batch), limits.rows, validation,
                                      stopping.get_token());
                    }
                });
            });
        }
        guarded([&] {
            scan_in_order(source, limits.rows, stopping.get_token(), [&](sync::ScannedBatch&& batch) {
                return queue.push(std::move(batch), stopping.get_token());
            });
        });
        queue.close();
    }
    if (failure) std::rethrow_exception(failure);
    if (stop.stop_requested()) return;
    Retry{kTenTimes, stop}([&] {
        std::int64_t items = 0;
        source.scan_foreign_ids([&](const sync::Rejected&) { ++items; });
        validation.count_quarantined(items);
    });
}

void feed_by_ids(sync::SourceStore& store, sync::SourceScanner& source, TargetReader& target,
                 const sync::MediaMapping& mapping, const FeedLimits& limits, std::uint64_t seed,
                 Validation& validation, const std::stop_token& stop) {
    IdChecksum seen(seed);
    source.scan({}, limits.rows, [&](sync::ScannedBatch&& batch) {
        std::vector<ItemId> ids = batch.items.ids;
        std::unordered_set<ItemId> invalid;
        for (const auto& rejected : batch.rejected) {
            if (auto id = id_of(rejected, mapping.id_kind)) invalid.insert(std::move(*id));
        }
        ids.insert(ids.end(), invalid.begin(), invalid.end());
        ids.insert(ids.end(), batch.to_resync.begin(), batch.to_resync.end());
        BatchComparison comparison(std::move(batch), validation);
        for (std::size_t begin = 0; begin < ids.size();) {
            std::size_t end = begin;
            for (std::size_t bytes = 0; end < ids.size() && bytes < kExpressionBytes; ++end) {
                bytes += crossover::to_string(ids[end]).size();
            }
            const auto page = target.by_ids(std::span(ids).subspan(begin, end - begin), Content::rows);
            for (const auto& id : page.ids) seen.add(id);
            comparison.rows(page);
            begin = end;
        }
        comparison.finish();
        return !stop.stop_requested();
    });

    // Equal checksums: every id of Milvus was met, none twice. A count alone would let a doubly read node
    // hide an orphan; looking up every page instead costs a label scan each.
    IdChecksum all(seed);
    scan_target_ids(target, stop, [&](std::vector<ItemId>& ids) {
        for (const auto& id : ids) all.add(id);
        validation.count_target_ids(static_cast<std::int64_t>(ids.size()));
    });
    if (stop.stop_requested() || seen == all) return;
    scan_target_ids(target, stop, [&](std::vector<ItemId>& ids) { look_up(store, ids, validation, stop); });
}

void feed_sample(sync::SourceStore& store, sync::SourceScanner& source, TargetReader& target,
                 const FeedLimits& limits, std::size_t size, std::uint64_t seed, Validation& validation,
                 const std::stop_token& stop) {
    Reservoir from_source(size, seed);
    if (source.ordered()) {
        source.scan_versions({}, [&](const ItemId& id, sync::Presence) {
            from_source.offer(id);
            return !stop.stop_requested();
        });
    } else {
        source.scan({}, limits.rows, [&](sync::ScannedBatch&& batch) {
            for (const auto& id : batch.items.ids) from_source.offer(id);
            for (const auto& id : batch.to_resync) from_source.offer(id);
            for (const auto& rejected : batch.rejected) {
                std::visit(
                    [&](const auto& id) {
                        if constexpr (!std::is_same_v<std::decay_t<decltype(id)>, std::monostate>) {
                            from_source.offer(ItemId(id));
                        }
                    },
                    rejected.id);
            }
            return !stop.stop_requested();
        });
    }
    std::unordered_set<ItemId> drawn;
    for (const auto& id : from_source.ids()) {
        if (drawn.insert(id).second) validation.suspect(id, std::nullopt);
        if (stop.stop_requested()) return;
    }

    Reservoir from_target(size, seed + 1);
    scan_target_ids(target, stop, [&](std::vector<ItemId>& ids) {
        for (const auto& id : ids) from_target.offer(id);
    });
    validation.count_target_ids(static_cast<std::int64_t>(from_target.ids().size()));
    std::vector<ItemId> others;
    const auto flush = [&] {
        look_up(store, others, validation, stop);
        others.clear();
    };
    for (const auto& id : from_target.ids()) {
        if (!drawn.contains(id)) others.push_back(id);
        if (others.size() == limits.rows) flush();
        if (stop.stop_requested()) return;
    }
    flush();
}

}  // namespace crossover::migration
