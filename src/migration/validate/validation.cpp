#include "migration/validate/validation.h"

#include <fmt/format.h>

#include <exception>
#include <thread>
#include <unordered_map>

#include "base/clock.h"
#include "base/retry.h"
#include "base/text.h"

namespace crossover::migration {

namespace {

constexpr std::chrono::milliseconds kTick{250};
constexpr std::chrono::seconds kSourceDeadline{60};
constexpr std::size_t kExamples = 20;

std::size_t bytes_of(const ItemId& id) {
    const auto* text = std::get_if<std::string>(&id);
    return sizeof(ItemId) + (text != nullptr ? text->size() : 0);
}

std::string why_orphaned(const sync::Presence& presence, const sync::Rejected* rejected) {
    if (presence.state == sync::Presence::State::ambiguous) {
        return "a row in Milvus, but several nodes in Neo4j have this id";
    }
    if (rejected == nullptr) return "a row in Milvus, but no node with an embedding in Neo4j";
    return fmt::format("a row in Milvus, but invalid in Neo4j: {}{}{}", sync::to_string(rejected->reason),
                       rejected->detail.empty() ? "" : ", ", rejected->detail);
}

/// The two reads of one look, by id.
struct Rows {
    sync::ItemBatch source;
    std::vector<sync::Rejected> rejected;
    milvus::ColumnBatch target;
    std::unordered_map<ItemId, std::size_t> source_row, target_row, rejected_row;

    void index() {
        for (std::size_t i = 0; i < source.rows(); ++i) source_row.emplace(source.ids[i], i);
        for (std::size_t i = 0; i < target.size(); ++i) target_row.emplace(target.ids[i], i);
        for (std::size_t i = 0; i < rejected.size(); ++i) {
            if (const auto* number = std::get_if<std::int64_t>(&rejected[i].id)) {
                rejected_row.emplace(*number, i);
            } else if (const auto* text = std::get_if<std::string>(&rejected[i].id)) {
                rejected_row.emplace(*text, i);
            }
        }
    }
    static std::optional<std::size_t> find(const std::unordered_map<ItemId, std::size_t>& rows,
                                           const ItemId& id) {
        const auto found = rows.find(id);
        if (found == rows.end()) return std::nullopt;
        return found->second;
    }
};

}  // namespace

Validation::Validation(sync::SourceStore& source, TargetReader& target, const sync::MediaMapping& mapping,
                       Limits limits, Fix fix, std::stop_token stop)
    : source_(&source),
      target_(&target),
      mapping_(&mapping),
      limits_(limits),
      fix_(std::move(fix)),
      stop_(std::move(stop)) {}

ValidateReport Validation::run(const std::function<void(const std::stop_token&)>& feed, std::int64_t expected,
                               const std::function<void(const ValidateProgress&)>& on_progress) {
    const auto started = Clock::now();
    std::stop_source stopping;
    const std::stop_callback forward(stop_, [&] { stopping.request_stop(); });
    std::exception_ptr failure;  // the feeder's
    std::jthread feeder([&] {
        try {
            feed(stopping.get_token());
        } catch (...) {
            const std::lock_guard lock(mutex_);
            failure = std::current_exception();
        }
        const std::lock_guard lock(mutex_);
        fed_ = true;
        changed_.notify_all();
    });
    try {
        auto next_tick = started;
        for (;;) {
            auto due = take_due();
            if (!due.empty()) look(std::move(due));
            std::unique_lock lock(mutex_);
            if (failure || stop_.stop_requested()) break;
            const bool suspects = !unseen_.empty() || !waiting_.empty();
            if (fed_ && !suspects) break;
            if (Clock::now() >= next_tick) {
                next_tick = Clock::now() + kTick;
                const auto now = progress(expected, started);
                lock.unlock();
                if (on_progress) on_progress(now);
                continue;
            }
            auto until = next_tick;
            if (!waiting_.empty()) until = std::min(until, waiting_.front().due);
            changed_.wait_until(lock, stop_, until, [&] {
                return !unseen_.empty() || (fed_ && waiting_.empty()) ||
                       (!waiting_.empty() && waiting_.front().due < until);
            });
        }
    } catch (...) {
        end_feeding(stopping);
        throw;  // the jthread joins
    }
    end_feeding(stopping);
    feeder.join();

    const std::lock_guard lock(mutex_);
    if (failure && !stop_.stop_requested()) std::rethrow_exception(failure);
    report_.interrupted = stop_.stop_requested();
    report_.checked = report_.consistent;
    for (const auto count : report_.different) report_.checked += count;
    report_.mean_l2 = pairs_ > 0 ? l2_sum_ / static_cast<double>(pairs_) : 0;
    report_.seconds = seconds_since(started);
    report_.items_per_second =
        report_.seconds > 0 ? static_cast<double>(report_.checked) / report_.seconds : 0;
    if (on_progress) on_progress(progress(expected, started));
    return std::move(report_);
}

void Validation::end_feeding(std::stop_source& stopping) {
    stopping.request_stop();
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
}

void Validation::count_consistent(std::int64_t rows) {
    const std::lock_guard lock(mutex_);
    report_.consistent += rows;
    pairs_ += rows;
}

void Validation::count_quarantined(std::int64_t items) {
    const std::lock_guard lock(mutex_);
    report_.quarantined += items;
}

void Validation::count_target_ids(std::int64_t ids) {
    const std::lock_guard lock(mutex_);
    report_.target_ids += ids;
}

void Validation::suspect(ItemId id, std::optional<sync::Presence> seen) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return closed_ || suspect_bytes_ < limits_.suspect_bytes; });
    const auto due = seen ? Clock::now() + limits_.look_again_after : Clock::now();
    enqueue({std::move(id), seen, due, 0});
    changed_.notify_all();
}

void Validation::enqueue(Suspect suspect) {
    suspect_bytes_ += bytes_of(suspect.id);
    (suspect.seen ? waiting_ : unseen_).push_back(std::move(suspect));
}

std::vector<Validation::Suspect> Validation::take_due() {
    const std::lock_guard lock(mutex_);
    std::vector<Suspect> due;
    std::size_t bytes = 0;
    const auto now = Clock::now();
    const auto take_from = [&](std::deque<Suspect>& queue) {
        while (!queue.empty() && queue.front().due <= now && due.size() < limits_.look_rows &&
               bytes < limits_.look_bytes) {
            bytes += bytes_of(queue.front().id);
            due.push_back(std::move(queue.front()));
            queue.pop_front();
        }
    };
    take_from(waiting_);
    take_from(unseen_);
    suspect_bytes_ -= bytes;
    if (!due.empty()) changed_.notify_all();
    return due;
}

void Validation::look(std::vector<Suspect> suspects) {
    // An id can be suspected twice (a node read twice by a scan beside writers): it counts once per look.
    std::unordered_map<ItemId, bool> known;
    std::erase_if(suspects, [&](const Suspect& suspect) { return !known.emplace(suspect.id, true).second; });
    std::vector<ItemId> ids;
    ids.reserve(suspects.size());
    for (const auto& suspect : suspects) ids.push_back(suspect.id);

    const auto read_versions = [&] {
        return Retry{kTenTimes,
                     stop_}([&] { return source_->read_versions(ids, Deadline::after(kSourceDeadline)); });
    };
    Rows rows;
    const auto seen = read_versions();
    const auto& before = seen.presences;
    Retry{kTenTimes, stop_}([&] {
        rows.source = sync::make_batch(*mapping_);
        rows.rejected.clear();
        source_->read_items(ids, seen, rows.source, rows.rejected, Deadline::after(kSourceDeadline));
    });
    rows.target = target_->by_ids(ids, Content::rows);
    const auto after = read_versions().presences;
    rows.index();
    std::vector<ItemId> missing;
    std::vector<sync::Presence> missing_presences;
    for (std::size_t i = 0; i < ids.size(); ++i) {
        if (!rows.source_row.contains(ids[i]) || rows.target_row.contains(ids[i])) continue;
        missing.push_back(ids[i]);
        missing_presences.push_back(before[i]);
    }
    const auto refused = quarantined(missing, missing_presences);

    std::vector<ItemId> to_fix, orphans;
    {
        const std::lock_guard lock(mutex_);
        for (std::size_t i = 0; i < suspects.size(); ++i) {
            auto& suspect = suspects[i];
            if (before[i] != after[i]) {
                look_again(std::move(suspect), after[i]);
                continue;
            }
            const auto source_row = Rows::find(rows.source_row, suspect.id);
            const auto target_row = Rows::find(rows.target_row, suspect.id);
            const auto rejected_row = Rows::find(rows.rejected_row, suspect.id);

            RowComparison comparison;
            if (source_row && target_row) {
                comparison = compare_rows(rows.source, *source_row, rows.target, *target_row);
            } else if (source_row && refused.contains(suspect.id)) {
                ++report_.quarantined;
                continue;
            } else if (source_row) {
                comparison.difference = Difference::missing;
            } else if (target_row) {
                comparison.difference = Difference::orphaned;
            }
            if (comparison.difference && suspect.seen != before[i]) {
                look_again(std::move(suspect), before[i]);
                continue;
            }
            // Several nodes of one id, met in different batches of a scan without order, are one id.
            if (before[i].state == sync::Presence::State::ambiguous &&
                !ambiguous_.insert(std::hash<ItemId>{}(suspect.id)).second) {
                continue;
            }
            if (source_row && target_row) count_compared(comparison);
            if (comparison.difference) {
                std::string detail;
                if (!target_row) {
                    detail = fmt::format("version {} in Neo4j, no row in Milvus", before[i].version);
                } else if (!source_row) {
                    detail = why_orphaned(before[i], rejected_row ? &rows.rejected[*rejected_row] : nullptr);
                } else {
                    detail =
                        describe_difference(*mapping_, rows.source, *source_row, rows.target, *target_row);
                }
                confirm(*comparison.difference, suspect.id, std::move(detail));
                (source_row ? to_fix : orphans).push_back(std::move(suspect.id));
            } else if (source_row) {
                ++report_.consistent;
                if (!comparison.same_bits) {
                    ++report_.within_tolerance;
                    to_fix.push_back(std::move(suspect.id));
                }
            } else if (rejected_row) {
                ++report_.quarantined;
            }
        }
        changed_.notify_all();
    }
    if (fix_ && !(to_fix.empty() && orphans.empty())) fix_(to_fix, orphans);
}

std::unordered_set<ItemId> Validation::quarantined(const std::vector<ItemId>& ids,
                                                   const std::vector<sync::Presence>& presences) {
    std::unordered_set<ItemId> found;
    if (ids.empty()) return found;
    const auto known = Retry{kTenTimes, stop_}(
        [&] { return source_->quarantined(ids, presences, Deadline::after(kSourceDeadline)); });
    for (std::size_t i = 0; i < ids.size(); ++i) {
        if (known[i]) found.insert(ids[i]);
    }
    return found;
}

void Validation::look_again(Suspect suspect, const sync::Presence& seen) {
    if (++suspect.looks >= limits_.looks) {
        ++report_.unsettled;
        return;
    }
    suspect.seen = seen;
    suspect.due = Clock::now() + limits_.look_again_after;
    enqueue(std::move(suspect));
}

void Validation::confirm(Difference kind, const ItemId& id, std::string detail) {
    const auto index = static_cast<std::size_t>(kind);
    ++report_.different[index];
    if (report_.examples[index].size() < kExamples) {
        report_.examples[index].push_back({id, std::move(detail)});
    }
}

void Validation::count_compared(const RowComparison& comparison) {
    ++pairs_;
    l2_sum_ += comparison.l2;
    report_.max_l2 = std::max(report_.max_l2, comparison.l2);
}

ValidateProgress Validation::progress(std::int64_t expected, Clock::time_point started) const {
    ValidateProgress now;
    for (const auto count : report_.different) now.different += count;
    now.checked = report_.consistent + now.different;
    now.expected = expected;
    const double seconds = seconds_since(started);
    if (seconds > 0) now.items_per_second = static_cast<double>(now.checked) / seconds;
    if (now.items_per_second > 0 && expected > now.checked) {
        now.eta_seconds = static_cast<double>(expected - now.checked) / now.items_per_second;
    }
    const auto again = unseen_.size() + waiting_.size();
    now.state =
        fed_ && again > 0 ? "looking again at " + counted(again, "difference", "differences") : "comparing";
    return now;
}

}  // namespace crossover::migration
