#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/retry.h"
#include "learning/copy/copy.h"
#include "learning/copy/quarantine.h"
#include "learning/store/tables.h"

namespace crossover::learning {

/// What the threads of a copy count and tell each other.
struct CopyTally {
    std::array<std::atomic<std::int64_t>, 4> seen{};  ///< keys of each kind, in this look
    std::atomic<std::int64_t> handled{0};             ///< keys of all kinds, in this look
    std::atomic<std::int64_t> written{0}, unchanged{0};
    std::array<std::atomic<bool>, 4> empty{};  ///< the table was, and all its rows came from this look
    std::atomic<bool> session_lost{false};     ///< commits that were not yet on disk may be undone
    std::atomic<bool> wrote{false};            ///< in this look

    void begin_look();
    /// A key that was added before is not added again: a batch is tried again, and SCAN shows keys twice.
    void add_stale(const std::string& key);
    /// Keys that have a row, though their value is quarantined now. Forgets them.
    std::vector<std::string> take_stale();
    bool has_stale() const;

  private:
    mutable std::mutex mutex_;
    std::unordered_set<std::string> stale_;
};

/// Brings values to PostgreSQL, over a session of its own; those that can't be rows to the quarantine. One
/// thread at a time; several writers share a tally and a quarantine.
class TableWriter {
  public:
    /// `holder` of the lease `copy`.
    TableWriter(const CopyOptions& options, const std::string& holder, const Retry& retry, CopyTally& tally,
                Quarantine& quarantine)
        : options_(options), holder_(holder), retry_(retry), tally_(tally), quarantine_(quarantine) {}

    /// Each of another key. Failures are ridden out; throws crossover::Error of System::postgres, and what
    /// the quarantine throws.
    void write(const std::vector<Source>& sources);

  private:
    struct Refused {
        const Source* source;
        std::string reason;
    };
    struct Outcome {
        std::vector<Refused> refusals;
        std::int64_t written = 0, unchanged = 0;
    };

    void write(Kind kind, const std::vector<const Source*>& sources);
    Outcome attempt(Kind kind, const std::vector<const Source*>& sources);
    Digests digests_of(Kind kind, const std::vector<const Source*>& sources);
    void write_encoded(const EncodedRows& rows, const std::vector<const Source*>& sources, bool upsert,
                       Outcome& outcome);

    const CopyOptions& options_;
    const std::string& holder_;
    const Retry& retry_;
    CopyTally& tally_;
    Quarantine& quarantine_;
    std::unique_ptr<postgres::Connection> connection_;
    EncodedRows fresh_, changed_;
    Row row_;
};

}  // namespace crossover::learning
