#include "redis/key_scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace crossover::redis {

namespace {

/// Rounds; a single one may take longer than `give_up_after`.
constexpr int kLeastFruitless = 5;

std::bitset<kSlots> quiet_slots(const ClusterNode& node) {
    std::bitset<kSlots> slots;
    if (!node.master) return slots;
    for (const auto& [first, last] : node.slots) {
        for (auto slot = first; slot <= last; ++slot) slots.set(slot);
    }
    for (const auto slot : node.migrating) slots.reset(slot);
    for (const auto slot : node.importing) slots.reset(slot);
    return slots;
}

}  // namespace

std::string glob_of_prefix(std::string_view prefix) {
    std::string glob;
    for (const char c : prefix) {
        if (c == '*' || c == '?' || c == '[' || c == ']' || c == '\\') glob += '\\';
        glob += c;
    }
    return glob + '*';
}

KeyScan::KeyScan(Keyspace& keyspace, std::string pattern, std::size_t page,
                 std::chrono::milliseconds give_up_after)
    : keyspace_(keyspace),
      pattern_(std::move(pattern)),
      page_(std::to_string(page)),
      give_up_after_(give_up_after) {}

bool KeyScan::next(std::vector<std::string>& keys, Deadline deadline) {
    keys.clear();
    if (finished_) return false;
    try {
        if (!walking_ && !begin_walk(deadline)) return !finished_;
        read_page(keys, deadline);
        if (walking_ && cursor_ == "0") end_walk(deadline);
        return true;
    } catch (...) {
        // Whoever is asked next may be another server: its cursor would mean nothing.
        walking_ = false;
        round_.clear();
        round_begun_ = false;
        throw;
    }
}

/// False where there is nothing to walk over, for ever (finished_) or for now.
bool KeyScan::begin_walk(Deadline deadline) {
    finished_ = seen_.all();
    if (finished_ || (round_.empty() && !begin_round(deadline))) return false;
    node_ = round_.back();
    if (keyspace_.is_cluster()) before_ = look(deadline);
    keyspace_.connection(node_, deadline);
    serial_ = keyspace_.nodes_[node_].serial;
    cursor_.assign(1, '0');
    round_.pop_back();
    walking_ = true;
    return true;
}

bool KeyScan::begin_round(Deadline deadline) {
    if (!keyspace_.is_cluster()) {
        round_ = {0};
        return true;
    }
    const auto now = std::chrono::steady_clock::now();
    if (!round_begun_ && fruitless_ == 0) last_fruit_ = now;
    if (round_begun_) {
        if (seen_.count() > seen_before_) {
            fruitless_ = 0;
            last_fruit_ = now;
            backoff_.reset();
        } else if (++fruitless_ >= kLeastFruitless && now - last_fruit_ >= give_up_after_) {
            fruitless_ = 0;
            throw on_the_move();
        }
        sleep_for(std::min(backoff_.next(), deadline.remaining()), {});
    }
    keyspace_.refresh(deadline);
    for (std::size_t slot = 0; slot < kSlots; ++slot) {
        const auto owner = keyspace_.owners_[slot];
        if (!seen_[slot] && owner >= 0) round_.push_back(static_cast<std::size_t>(owner));
    }
    std::sort(round_.begin(), round_.end());
    round_.erase(std::unique(round_.begin(), round_.end()), round_.end());
    seen_before_ = seen_.count();
    round_begun_ = true;
    return !round_.empty();
}

void KeyScan::read_page(std::vector<std::string>& keys, Deadline deadline) {
    auto& server = keyspace_.connection(node_, deadline);
    if (keyspace_.nodes_[node_].serial != serial_) {
        walking_ = false;
        return;
    }
    auto reply = server.call({"SCAN", cursor_, "MATCH", pattern_, "COUNT", page_}, deadline);
    if (reply.elements.size() != 2 || !reply.elements[0].text) {
        throw Error(System::redis, ErrorKind::protocol,
                    fmt::format("{} answered SCAN with something else.", server.name()));
    }
    cursor_ = *reply.elements[0].text;
    for (auto& key : reply.elements[1].elements) {
        if (!key.text || seen_[key_slot(*key.text)]) continue;
        keys.push_back(std::move(*key.text));
    }
}

void KeyScan::end_walk(Deadline deadline) {
    walking_ = false;
    if (!keyspace_.is_cluster()) {
        seen_.set();
        return;
    }
    const auto after = look(deadline);
    // On another connection there may be another server.
    if (keyspace_.nodes_[node_].serial == serial_) count_slots(before_, after);
}

void KeyScan::count_slots(const ClusterNode& before, const ClusterNode& after) {
    if (before.id != after.id || before.config_epoch != after.config_epoch) return;
    seen_ |= quiet_slots(before) & quiet_slots(after);
}

/// What the node says of itself.
ClusterNode KeyScan::look(Deadline deadline) {
    const auto nodes = keyspace_.ask_nodes(node_, deadline);
    const auto self = std::find_if(nodes.begin(), nodes.end(), [](const auto& node) { return node.myself; });
    if (self == nodes.end()) {
        throw Error(System::redis, ErrorKind::protocol,
                    fmt::format("{} does not find itself in its cluster.",
                                to_string(keyspace_.nodes_[node_].address)));
    }
    return *self;
}

Error KeyScan::on_the_move() const {
    std::size_t first = 0;
    while (seen_[first]) ++first;
    const auto missing = kSlots - seen_.count();
    const auto what =
        missing == 1 ? fmt::format("Slot {} of the cluster of {} is on the move, or has no master, and its",
                                   first, keyspace_.name())
                     : fmt::format(
                           "{} slots of the cluster of {} are on the move, or have no master (the "
                           "first is {}), and their",
                           missing, keyspace_.name(), first);
    return Error(System::redis, ErrorKind::not_ready,
                 what +
                     " keys might be missed. Wait for resharding to end; if none is under way, run: "
                     "redis-cli --cluster fix.");
}

}  // namespace crossover::redis
