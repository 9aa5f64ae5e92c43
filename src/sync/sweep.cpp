#include "sync/sweep.h"

#include <optional>
#include <utility>

#include "base/error.h"
#include "base/retry.h"

namespace crossover::sync {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t kToldAtOnce = 1000;
/// Ids of up to 8,000 bytes.
constexpr std::size_t kHeld = 2000;

class Sweep {
  public:
    Sweep(const SweepPorts& ports, const std::stop_token& stop)
        : ports_(ports), stop_(stop), retry_{kForEver, stop, ports.on_wait} {}

    SweepResult run() {
        compare_both();
        if (stop_.stop_requested() || held_count_ == 0) return result_;
        if (result_.orphans > 0 && !ports_.may_delete(result_.orphans, result_.rows)) {
            result_.refused = held_count_;
            return result_;
        }
        if (held_count_ == static_cast<std::int64_t>(held_.size())) {
            for (auto& id : std::exchange(held_, {})) put(std::move(id));
            tell();
        } else {
            Sweep again(ports_, stop_);
            again.telling_held_ = true;
            again.compare_both();
        }
        return result_;
    }

  private:
    void compare_both() {
        retry_([&] { ports_.rows.begin_scan(Deadline::after(60s)); });
        std::int64_t looked_at = 0;
        bool last = false;
        while (!last && !stop_.stop_requested()) {
            const VersionPage page = next_page();
            last = page.empty();
            if (ports_.scanner.ordered()) {
                compare_in_order(page);
            } else if (!last) {
                look_up(page);
            }
            ports_.on_progress(looked_at += static_cast<std::int64_t>(page.size()));
        }
        if (!stop_.stop_requested()) sort_out_rowless();
        result_.rows = looked_at;
        tell();
    }

    VersionPage next_page() {
        auto page = retry_([&] { return ports_.rows.versions_after(page_after_, Deadline::after(60s)); });
        keys_ = {page_after_, page.empty() ? std::nullopt : std::optional(page.ids.back())};
        page_after_ = keys_.through;
        return page;
    }

    /// Both sides within `keys_`, which after a lost connection begins behind the last id that was compared.
    void compare_in_order(const VersionPage& page) {
        std::size_t row = 0;
        const auto take_orphans_before = [&](const ItemId* id) {
            for (; row < page.size() && (id == nullptr || page.ids[row] < *id); ++row) {
                differs(page.ids[row], true);
            }
        };
        retry_([&] {
            ports_.scanner.scan_versions(keys_, [&](const ItemId& id, Presence presence) {
                take_orphans_before(&id);
                const bool has_row = row < page.size() && page.ids[row] == id;
                const bool equal = has_row && presence.state == Presence::State::present &&
                                   presence.version == page.versions[row];
                row += has_row ? 1 : 0;
                if (equal) {
                    ++result_.matched;
                } else if (has_row) {
                    differs(id, false);
                } else {
                    lacks_row(id, presence);
                }
                keys_.after = id;
                return !stop_.stop_requested();
            });
        });
        if (!stop_.stop_requested()) take_orphans_before(nullptr);
    }

    void look_up(const VersionPage& page) {
        const auto presences =
            retry_([&] { return ports_.source.read_versions(page.ids, Deadline::after(300s)).presences; });
        for (std::size_t i = 0; i < page.size(); ++i) {
            if (presences[i] == Presence{Presence::State::present, page.versions[i]}) {
                ++result_.matched;
                continue;
            }
            differs(page.ids[i], presences[i].state != Presence::State::present);
        }
    }

    void lacks_row(const ItemId& id, const Presence& presence) {
        if (telling_held_ && !ports_.all_or_nothing) return;
        rowless_.push_back(id);
        rowless_presences_.push_back(presence);
        if (rowless_.size() == kToldAtOnce) sort_out_rowless();
    }

    /// Which of the items without a row are quarantined, and which are missing.
    void sort_out_rowless() {
        if (rowless_.empty()) return;
        const auto known = retry_(
            [&] { return ports_.source.quarantined(rowless_, rowless_presences_, Deadline::after(60s)); });
        std::vector<ItemId> quarantined;
        for (std::size_t i = 0; i < rowless_.size(); ++i) {
            if (known[i]) {
                quarantined.push_back(rowless_[i]);
            } else {
                differs(rowless_[i], false);
            }
        }
        result_.quarantined += static_cast<std::int64_t>(quarantined.size());
        if (ports_.on_quarantined && !telling_held_ && !quarantined.empty())
            ports_.on_quarantined(quarantined);
        rowless_.clear();
        rowless_presences_.clear();
    }

    void differs(const ItemId& id, bool orphan) {
        ++result_.different;
        result_.orphans += orphan ? 1 : 0;
        const bool held = orphan || ports_.all_or_nothing;
        if (telling_held_) {
            if (held) put(id);
        } else if (held) {
            ++held_count_;
            if (held_.size() < kHeld) held_.push_back(id);
        } else {
            put(id);
        }
    }

    void put(ItemId id) {
        different_.push_back(std::move(id));
        if (different_.size() == kToldAtOnce) tell();
    }

    void tell() {
        if (!different_.empty() && !stop_.stop_requested()) ports_.on_different(different_);
        different_.clear();
    }

    const SweepPorts& ports_;
    const std::stop_token& stop_;
    const Retry retry_;
    std::optional<ItemId> page_after_;
    KeyRange keys_;
    std::vector<ItemId> rowless_;
    std::vector<Presence> rowless_presences_;
    std::vector<ItemId> different_;  ///< to be told
    std::vector<ItemId> held_;       ///< the first of those kept back
    std::int64_t held_count_ = 0;
    bool telling_held_ = false;  ///< the second time: only what the first kept back is told
    SweepResult result_;
};

}  // namespace

SweepResult sweep(const SweepPorts& ports, const std::stop_token& stop) {
    return Sweep(ports, stop).run();
}

}  // namespace crossover::sync
