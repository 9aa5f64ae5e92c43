#include "migration/job/range_ledger.h"

#include <algorithm>

namespace crossover::migration {

Counts operator+(const Counts& left, const Counts& right) {
    return {left.read + right.read, left.copied + right.copied, left.quarantined + right.quarantined,
            left.skipped + right.skipped};
}

Counts operator-(const Counts& left, const Counts& right) {
    return {left.read - right.read, left.copied - right.copied, left.quarantined - right.quarantined,
            left.skipped - right.skipped};
}

RangeLedger::RangeLedger(std::vector<OpenRange> ranges, Counts counts, bool ordered, AppendFile* quarantine)
    : ordered_(ordered), quarantine_(quarantine), counts_(counts) {
    if (quarantine_ != nullptr) quarantine_base_ = quarantine_->length();
    for (auto& open : ranges) {
        Range& range = ranges_.emplace_back();
        range.number = next_number_++;
        range.open.keys = std::move(open.keys);
        if (open.done_through) range.open.keys.after = std::move(open.done_through);
    }
}

std::optional<RangeLedger::Task> RangeLedger::take_range() {
    std::lock_guard lock(mutex_);
    const auto range =
        std::find_if(ranges_.begin(), ranges_.end(), [](const Range& other) { return !other.taken; });
    if (range == ranges_.end()) return std::nullopt;
    range->taken = true;
    return Task{range->number, range->open.keys};
}

RangeLedger::Ticket RangeLedger::begin(std::uint64_t number, const sync::KeyRange& keys, bool last) {
    std::lock_guard lock(mutex_);
    Range& range = find(number);
    Batch& batch = range.batches.emplace_back();
    batch.number = next_number_++;
    batch.keys = keys;
    batch.last = last;
    return {number, batch.number};
}

void RangeLedger::complete(const Ticket& ticket, const Counts& counts, std::string quarantine_lines) {
    std::lock_guard lock(mutex_);
    Range& range = find(ticket.range);
    const auto batch = std::find_if(range.batches.begin(), range.batches.end(),
                                    [&](const Batch& other) { return other.number == ticket.batch; });
    batch->complete = true;
    batch->counts = counts;
    batch->quarantine_lines = std::move(quarantine_lines);
    ahead_ = ahead_ + counts;
    complete_prefix(range);
}

void RangeLedger::complete_prefix(Range& range) {
    while (!range.batches.empty() && range.batches.front().complete) {
        Batch& batch = range.batches.front();
        if (quarantine_ != nullptr && !batch.quarantine_lines.empty())
            quarantine_->append(batch.quarantine_lines);
        const bool last = batch.last;
        if (ordered_) {
            counts_ = counts_ + batch.counts;
            ahead_ = ahead_ - batch.counts;
            range.open.done_through = batch.keys.through;
        } else {
            range.scanned = range.scanned + batch.counts;
        }
        range.batches.pop_front();
        if (last && range.batches.empty()) {
            counts_ = counts_ + range.scanned;
            ahead_ = ahead_ - range.scanned;
            if (quarantine_ != nullptr) quarantine_base_ = quarantine_->length();
            ranges_.remove_if([&](const Range& other) { return &other == &range; });
            return;
        }
        if (ordered_ && quarantine_ != nullptr) quarantine_base_ = quarantine_->length();
    }
}

void RangeLedger::restart(std::uint64_t number) {
    std::lock_guard lock(mutex_);
    Range& range = find(number);
    ahead_ = ahead_ - range.scanned;
    range.scanned = {};
    if (quarantine_ != nullptr) quarantine_->cut(quarantine_base_);
}

std::size_t RangeLedger::under_way(std::uint64_t number) const {
    std::lock_guard lock(mutex_);
    return find(number).batches.size();
}

bool RangeLedger::all_done() const {
    std::lock_guard lock(mutex_);
    return ranges_.empty();
}

RangeLedger::Snapshot RangeLedger::snapshot() const {
    std::lock_guard lock(mutex_);
    Snapshot snapshot;
    snapshot.counts = counts_;
    snapshot.quarantine_bytes = quarantine_base_;
    for (const auto& range : ranges_) snapshot.open_ranges.push_back(range.open);
    return snapshot;
}

Counts RangeLedger::live_counts() const {
    std::lock_guard lock(mutex_);
    return counts_ + ahead_;
}

RangeLedger::Range& RangeLedger::find(std::uint64_t number) {
    return *std::find_if(ranges_.begin(), ranges_.end(),
                         [&](const Range& range) { return range.number == number; });
}

const RangeLedger::Range& RangeLedger::find(std::uint64_t number) const {
    return *std::find_if(ranges_.begin(), ranges_.end(),
                         [&](const Range& range) { return range.number == number; });
}

}  // namespace crossover::migration
