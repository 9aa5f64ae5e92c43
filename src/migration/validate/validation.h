#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <unordered_set>
#include <vector>

#include "migration/validate/row_comparison.h"
#include "migration/validate/target_reader.h"
#include "migration/validate/validate.h"
#include "sync/source_store.h"

namespace crossover::migration {

/// The bookkeeping of one validation: what was counted, and the ids that are to be looked at (again).
///
/// A feeder (feeders.h) reads both stores and counts what is equal; whatever is not equal, or is not known,
/// it hands over as a suspect. Each suspect is looked at by itself: the version in Neo4j, its row, Milvus's
/// row, and the version again. A difference counts when Neo4j says the same as at the look before,
/// `look_again_after` earlier; an item that changed meanwhile gets another look.
class Validation {
  public:
    using Clock = std::chrono::steady_clock;
    /// Makes ids equal that were confirmed as different: `orphans` are those whose row would be deleted.
    using Fix = std::function<void(std::span<const ItemId> ids, std::span<const ItemId> orphans)>;

    struct Limits {
        std::chrono::milliseconds look_again_after{2000};
        int looks = 6;                         ///< then the id is unsettled
        std::size_t look_rows = 500;           ///< items in memory in one look
        std::size_t look_bytes = 1 << 20;      ///< of ids in one look: they stand in one expression
        std::size_t suspect_bytes = 16 << 20;  ///< of ids waiting; then feeders wait too
    };

    /// All that is referred to must outlive the validation. `fix` may be empty.
    Validation(sync::SourceStore& source, TargetReader& target, const sync::MediaMapping& mapping,
               Limits limits, Fix fix, std::stop_token stop);

    /// Runs `feed` in a thread of its own and looks at suspects until none is left. Throws what any of it
    /// throws. A request to stop gives an `interrupted` report.
    ValidateReport run(const std::function<void(const std::stop_token&)>& feed, std::int64_t expected,
                       const std::function<void(const ValidateProgress&)>& on_progress);

    // -- for feeders, of any thread --

    /// Rows equal bit for bit.
    void count_consistent(std::int64_t rows);
    void count_quarantined(std::int64_t items);
    void count_target_ids(std::int64_t ids);
    /// `seen` is what Neo4j said when the difference was noticed: the next look is after `look_again_after`.
    /// Without it nothing is known yet, and the first look is at once. Waits while too many are waiting.
    void suspect(ItemId id, std::optional<sync::Presence> seen);

  private:
    struct Suspect {
        ItemId id;
        std::optional<sync::Presence> seen;
        Clock::time_point due;
        int looks = 0;
    };

    void end_feeding(std::stop_source& stopping);
    void enqueue(Suspect suspect);
    std::vector<Suspect> take_due();
    void look(std::vector<Suspect> suspects);
    /// Which of the ids that look missing are quarantined: Milvus refuses what Neo4j has.
    std::unordered_set<ItemId> quarantined(const std::vector<ItemId>& ids,
                                           const std::vector<sync::Presence>& presences);
    void look_again(Suspect suspect, const sync::Presence& seen);
    void confirm(Difference kind, const ItemId& id, std::string detail);
    void count_compared(const RowComparison& comparison);
    ValidateProgress progress(std::int64_t expected, Clock::time_point started) const;

    sync::SourceStore* source_;
    TargetReader* target_;
    const sync::MediaMapping* mapping_;
    Limits limits_;
    Fix fix_;
    std::stop_token stop_;

    mutable std::mutex mutex_;
    std::condition_variable_any changed_;  ///< suspects came or went, or the feeder ended
    std::deque<Suspect> unseen_;           ///< due at once
    std::deque<Suspect> waiting_;          ///< by time: each waits equally long
    std::size_t suspect_bytes_ = 0;
    bool fed_ = false;
    bool closed_ = false;  ///< nobody takes suspects any more
    ValidateReport report_;
    std::unordered_set<std::size_t> ambiguous_;  ///< hashes of ids already counted
    double l2_sum_ = 0;
    std::int64_t pairs_ = 0;
};

}  // namespace crossover::migration
