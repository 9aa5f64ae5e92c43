#include "migrate/fixer.h"

#include "core/error.h"
#include "core/retry.h"
#include "sync/sync.h"

namespace crossover::migrate {

namespace {

constexpr std::chrono::seconds kWriteDeadline{30};
constexpr int kAttempts = 4;

}  // namespace

Fixer::Fixer(sync::SourceStore& source, sync::VectorStore& target, const sync::MediaMapping& mapping,
             std::chrono::milliseconds settle, std::stop_token stop)
    : source_(&source), target_(&target), mapping_(&mapping), settle_(settle), stop_(std::move(stop)) {}

void Fixer::fix(std::span<const ItemId> ids) {
    Backoff backoff;
    for (int attempt = 1;; ++attempt) {
        const auto write_deadline = Deadline::after(kWriteDeadline);
        try {
            const auto outcome =
                sync::sync(*source_, *target_, *mapping_, ids, {.write_deadline = write_deadline});
            not_fixed_ += static_cast<std::int64_t>(outcome.still_moving.size());
            fixed_ += static_cast<std::int64_t>(ids.size() - outcome.still_moving.size());
            return;
        } catch (const Error& error) {
            if (!error.retryable() || attempt == kAttempts) throw;
            // A write that timed out may still arrive until its deadline, and would undo a newer one: only
            // what is synced after that stands.
            const auto wait = error.outcome_unknown() ? write_deadline.remaining() + settle_ : backoff.next();
            if (!sleep_for(wait, stop_)) throw;
        }
    }
}

}  // namespace crossover::migrate
