#include "migrate/version_sweep.h"

#include <algorithm>
#include <optional>

#include "core/error.h"
#include "core/retry.h"
#include "sync/sync.h"

namespace crossover::migrate {

using namespace std::chrono_literals;

namespace {

class Sweep {
  public:
    Sweep(sync::SourceScanner& scanner, sync::SourceStore& source, embeddings::Collection& collection,
          milvus::Client& client, const sync::MediaMapping& mapping, VersionCheck& fence,
          TargetOutage& outage, const std::stop_token& stop)
        : scanner_(scanner),
          source_(source),
          collection_(collection),
          client_(client),
          mapping_(mapping),
          fence_(fence),
          outage_(outage),
          stop_(stop) {}

  private:
    template <class Read>
    auto riding_out(Read read) {
        Backoff backoff;
        for (;;) {
            try {
                return read();
            } catch (const Error& error) {
                if (!error.retryable()) throw;
                if (!sleep_for(backoff.next(), stop_)) throw;
            }
        }
    }

  public:
    /// The next page of Milvus's ids is compared; false when there was none left.
    bool next_page() {
        const milvus::ColumnBatch page = riding_out([&] {
            return client_.query_page(collection_.ref(), {after_, std::nullopt}, milvus::kMaxQueryRows,
                                      {.version = true}, milvus::Consistency::strong, Deadline::after(60s));
        });
        const bool last = page.empty();
        const std::optional<ItemId> through = last ? std::nullopt : std::optional(page.ids.back());
        const auto different = scanner_.ordered() ? riding_out([&] {
            return compare_in_order(page, {after_, through});
        })
                               : last             ? std::vector<ItemId>()
                                                  : riding_out([&] { return absent_from_source(page); });
        for (std::size_t first = 0; first < different.size(); first += kSyncRows) {
            const std::size_t count = std::min(kSyncRows, different.size() - first);
            const auto begin = different.begin() + static_cast<std::ptrdiff_t>(first);
            repair(std::vector<ItemId>(begin, begin + static_cast<std::ptrdiff_t>(count)));
        }
        result_.looked_at += static_cast<std::int64_t>(page.size());
        after_ = through;
        return !last;
    }

    SweepResult take_result() { return std::move(result_); }

  private:
    static constexpr std::size_t kSyncRows = 1000;

    std::vector<ItemId> compare_in_order(const milvus::ColumnBatch& page, const sync::KeyRange& keys) {
        std::vector<ItemId> different;
        std::size_t row = 0;
        scanner_.scan_versions(keys, [&](const ItemId& id, sync::Presence presence) {
            while (row < page.size() && page.ids[row] < id) different.push_back(page.ids[row++]);
            if (row < page.size() && page.ids[row] == id) {
                const bool equal = presence.state == sync::Presence::State::present &&
                                   presence.version == page.versions[row];
                if (!equal) different.push_back(id);
                ++row;
            } else {
                different.push_back(id);
            }
            return !stop_.stop_requested();
        });
        while (row < page.size()) different.push_back(page.ids[row++]);
        return different;
    }

    std::vector<ItemId> absent_from_source(const milvus::ColumnBatch& page) {
        const auto presence = source_.read_versions(page.ids, Deadline::after(300s));
        std::vector<ItemId> absent;
        for (std::size_t i = 0; i < page.size(); ++i) {
            if (presence[i].state != sync::Presence::State::present) absent.push_back(page.ids[i]);
        }
        return absent;
    }

    void repair(std::vector<ItemId> ids) {
        while (!ids.empty() && !stop_.stop_requested()) {
            const Deadline deadline =
                Deadline::after(CopyPipeline::kWriteTimeout).earlier(fence_.write_limit());
            try {
                auto outcome = sync::sync(source_, collection_, mapping_, ids, {.write_deadline = deadline});
                result_.upserted += static_cast<std::int64_t>(outcome.upserted);
                result_.erased += static_cast<std::int64_t>(outcome.erased);
                std::move(outcome.rejected.begin(), outcome.rejected.end(),
                          std::back_inserter(result_.rejected));
                ids = std::move(outcome.still_moving);
            } catch (const Error& error) {
                if (!error.retryable()) throw;
                // The write may still arrive: wait it out, then the same ids again.
                sleep_for(deadline.remaining(), stop_);
                if (outage_.wait_for_answer(stop_)) sleep_for(CopyPipeline::kSettlingTime, stop_);
            }
        }
    }

    sync::SourceScanner& scanner_;
    sync::SourceStore& source_;
    embeddings::Collection& collection_;
    milvus::Client& client_;
    const sync::MediaMapping& mapping_;
    VersionCheck& fence_;
    TargetOutage& outage_;
    const std::stop_token& stop_;
    std::optional<ItemId> after_;
    SweepResult result_;
};

}  // namespace

SweepResult sweep_versions(sync::SourceScanner& scanner, sync::SourceStore& source,
                           embeddings::Collection& collection, milvus::Client& client,
                           const sync::MediaMapping& mapping, VersionCheck& fence, TargetOutage& outage,
                           const std::function<void(std::int64_t)>& on_progress,
                           const std::stop_token& stop) {
    Sweep sweep(scanner, source, collection, client, mapping, fence, outage, stop);
    std::int64_t looked_at = 0;
    while (!stop.stop_requested() && sweep.next_page()) on_progress(looked_at += milvus::kMaxQueryRows);
    return sweep.take_result();
}

}  // namespace crossover::migrate
