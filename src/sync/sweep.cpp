#include "sync/sweep.h"

#include <optional>

#include "core/error.h"
#include "core/retry.h"
#include "sync/sync.h"

namespace crossover::sync {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t kSyncRows = 1000;

class Sweep {
  public:
    Sweep(const SweepPorts& ports, const MediaMapping& mapping, const std::stop_token& stop)
        : ports_(ports), mapping_(mapping), stop_(stop) {}

    SweepResult run() {
        ride_out(stop_, ports_.on_wait, [&] { ports_.rows.begin_scan(Deadline::after(60s)); });
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
        repair();
        return result_;
    }

  private:
    VersionPage next_page() {
        auto page = ride_out(stop_, ports_.on_wait,
                             [&] { return ports_.rows.versions_after(page_after_, Deadline::after(60s)); });
        keys_ = {page_after_, page.empty() ? std::nullopt : std::optional(page.ids.back())};
        page_after_ = keys_.through;
        return page;
    }

    /// Both sides within `keys_`, which after a lost connection begins behind the last id that was compared.
    void compare_in_order(const VersionPage& page) {
        std::size_t row = 0;
        const auto take_orphans_before = [&](const ItemId* id) {
            for (; row < page.size() && (id == nullptr || page.ids[row] < *id); ++row) {
                ++result_.orphans;
                differs(page.ids[row]);
            }
        };
        ride_out(stop_, ports_.on_wait, [&] {
            ports_.scanner.scan_versions(keys_, [&](const ItemId& id, Presence presence) {
                take_orphans_before(&id);
                const bool has_row = row < page.size() && page.ids[row] == id;
                const bool equal = has_row && presence.state == Presence::State::present &&
                                   presence.version == page.versions[row];
                row += has_row ? 1 : 0;
                if (equal) {
                    ++result_.matched;
                } else {
                    differs(id);
                }
                keys_.after = id;
                return !stop_.stop_requested();
            });
        });
        if (!stop_.stop_requested()) take_orphans_before(nullptr);
    }

    void look_up(const VersionPage& page) {
        const auto presences = ride_out(stop_, ports_.on_wait, [&] {
            return ports_.source.read_versions(page.ids, Deadline::after(300s));
        });
        for (std::size_t i = 0; i < page.size(); ++i) {
            if (presences[i].state == Presence::State::present) {
                ++result_.matched;
                continue;
            }
            ++result_.orphans;
            differs(page.ids[i]);
        }
    }

    void differs(const ItemId& id) {
        different_.push_back(id);
        if (different_.size() == kSyncRows) repair();
    }

    void repair() {
        std::vector<ItemId> ids = std::move(different_);
        different_.clear();
        while (!ids.empty() && !stop_.stop_requested()) {
            const Deadline deadline =
                Deadline::after(WriteTiming{}.timeout).earlier(ports_.write_limit());
            try {
                auto outcome =
                    sync::sync(ports_.source, ports_.target, mapping_, ids, {.write_deadline = deadline});
                result_.upserted += static_cast<std::int64_t>(outcome.upserted);
                result_.rejected += static_cast<std::int64_t>(outcome.rejected.size());
                for (const auto& rejected : outcome.rejected) ports_.on_rejected(rejected);
                ids = std::move(outcome.still_moving);
            } catch (const Error& error) {
                if (!error.retryable()) throw;
                ports_.on_wait(error);
                ports_.outage.wait_out(deadline, stop_);  // then the same ids again
            }
        }
    }

    const SweepPorts& ports_;
    const MediaMapping& mapping_;
    const std::stop_token& stop_;
    std::optional<ItemId> page_after_;
    KeyRange keys_;
    std::vector<ItemId> different_;
    SweepResult result_;
};

}  // namespace

SweepResult sweep(const SweepPorts& ports, const MediaMapping& mapping,
                           const std::stop_token& stop) {
    return Sweep(ports, mapping, stop).run();
}

}  // namespace crossover::sync
