#include "migration/copy/copy_pipeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "base/retry.h"
#include "sync/refusals.h"

namespace crossover::migration {

using namespace std::chrono_literals;

std::string quarantine_line(const sync::Rejected& rejected, const sync::MediaMapping& mapping) {
    nlohmann::json line;
    std::visit(
        [&](const auto& id) {
            if constexpr (std::is_same_v<std::decay_t<decltype(id)>, std::monostate>) {
                line["id"] = nullptr;
            } else {
                line["id"] = id;
            }
        },
        rejected.id);
    line["reason"] = sync::to_string(rejected.reason);
    if (!rejected.detail.empty()) line["detail"] = rejected.detail;
    if (!rejected.element_id.empty()) line["element_id"] = rejected.element_id;
    line["label"] = mapping.label;
    return line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

namespace {

/// Takes the rows that are not in Milvus out of those that were written: they are to go through sync().
void set_aside(const sync::Accepted& accepted, sync::ScannedBatch& batch) {
    std::vector<bool> outside(batch.items.rows());
    for (const auto& refused : accepted.refused) outside[refused.row] = true;
    for (const std::size_t row : accepted.untried) outside[row] = true;
    std::size_t kept = 0;
    for (std::size_t row = 0; row < outside.size(); ++row) {
        if (outside[row]) {
            batch.to_resync.push_back(std::move(batch.items.ids[row]));
            continue;
        }
        if (kept != row) {
            batch.items.ids[kept] = std::move(batch.items.ids[row]);
            batch.items.versions[kept] = batch.items.versions[row];
            if (!batch.element_ids.empty()) batch.element_ids[kept] = std::move(batch.element_ids[row]);
        }
        ++kept;
    }
    batch.items.ids.resize(kept);
    batch.items.versions.resize(kept);
    if (!batch.element_ids.empty()) batch.element_ids.resize(kept);
}

}  // namespace

CopyPipeline::CopyPipeline(Ports ports, const sync::MediaMapping& mapping, CopySettings settings,
                           RangeLedger& ledger)
    : ports_(ports),
      mapping_(mapping),
      settings_(settings),
      ledger_(ledger),
      to_write_(2),
      to_check_(static_cast<std::size_t>(std::min(settings.writers, ports.throttle.get().concurrency)) + 4) {}

template <class Body>
void CopyPipeline::guarded(Body body) {
    try {
        body();
    } catch (...) {
        {
            std::lock_guard lock(mutex_);
            if (!failure_) failure_ = std::current_exception();
        }
        abandoned_ = true;
        cancel_.request_stop();
    }
}

void CopyPipeline::run(std::stop_token stop) {
    std::stop_callback forward(stop, [this] { cancel_.request_stop(); });
    stop_ = cancel_.get_token();

    std::vector<std::jthread> readers;
    std::vector<std::jthread> writers;
    for (int i = 0; i < settings_.readers; ++i) {
        readers.emplace_back([this] { guarded([this] { read_ranges(); }); });
    }
    for (int i = 0; i < settings_.writers; ++i) {
        writers.emplace_back([this] { guarded([this] { write_batches(); }); });
    }
    std::jthread checker([this] { guarded([this] { check_batches(); }); });
    std::jthread resyncing([this] { guarded([this] { resync_suspects(); }); });

    // Each stage ends when the one before it has ended and its queue is empty.
    readers.clear();
    to_write_.close();
    writers.clear();
    to_check_.close();
    checker.join();
    {
        std::lock_guard lock(suspects_mutex_);
        no_more_suspects_ = true;
    }
    suspects_changed_.notify_all();
    resyncing.join();
    if (failure_) std::rethrow_exception(failure_);
}

void CopyPipeline::count_error(const Error& error) {
    std::lock_guard lock(mutex_);
    errors_.count(error);
}

void CopyPipeline::note_error(const Error& error) {
    count_error(error);
    std::lock_guard lock(mutex_);
    trouble_ = fmt::format("waiting for {}: {}", error.system() == System::milvus ? "Milvus" : "Neo4j",
                           error.what());
}

RiddenOut CopyPipeline::errors() const {
    std::lock_guard lock(mutex_);
    return errors_;
}

// ---- reading ----

void CopyPipeline::read_ranges() {
    while (!stopping()) {
        const auto task = ledger_.take_range();
        if (!task) return;
        ++reading_;
        read_range(*task);
        --reading_;
    }
}

void CopyPipeline::read_range(const RangeLedger::Task& task) {
    sync::KeyRange keys = task.keys;
    bool reached_end = false;
    Retries retries(kForEver);
    while (!reached_end && !stopping()) {
        try {
            ports_.scanner.scan(keys, settings_.batch_rows, [&](sync::ScannedBatch&& batch) {
                retries.succeeded();
                reached_end = batch.last;
                if (batch.keys.through) keys.after = batch.keys.through;
                const auto ticket = ledger_.begin(task.range, batch.keys, batch.last);
                return to_write_.push({ticket, std::move(batch)}, stop_) && !stopping();
            });
            std::lock_guard lock(mutex_);
            trouble_.clear();
        } catch (const Error& error) {
            if (reached_end) return;
            if (!retries.admits(error)) throw;
            note_error(error);
            sleep_for(retries.pause(), stop_);
            if (!ports_.scanner.ordered()) {
                // There is no place to go on from: what is under way ends first, then all is read anew.
                while (ledger_.under_way(task.range) > 0 && !stopping()) sleep_for(50ms, stop_);
                if (!stopping()) ledger_.restart(task.range);
            }
        }
    }
}

// ---- writing ----

void CopyPipeline::write_batches() {
    // A batch is taken only by who may send it: so no more are in memory than are in flight.
    while (ports_.throttle.enter(stop_)) {
        const auto leave = std::unique_ptr<Throttle, void (*)(Throttle*)>(
            &ports_.throttle, [](Throttle* throttle) { throttle->leave(); });
        auto work = to_write_.pop(stop_);
        if (!work) return;
        if (ports_.target == nullptr) {
            PendingBatch pending = to_pending(*work);
            pending.copied = pending.written.ids.size() + pending.resync.size();
            complete(pending);
            continue;
        }
        if (!ports_.throttle.take(work->batch.items.rows(), stop_)) return;
        ++writing_;
        const bool acknowledged = work->batch.items.empty() || write(*work);
        --writing_;
        if (acknowledged && !to_check_.push(to_pending(*work), stop_)) abandoned_ = true;
    }
}

CopyPipeline::PendingBatch CopyPipeline::to_pending(Work& work) const {
    sync::ScannedBatch& batch = work.batch;
    PendingBatch pending;
    pending.ticket = work.ticket;
    pending.read = batch.read();
    pending.rejected = std::move(batch.rejected);
    pending.written = {std::move(batch.items.ids), std::move(batch.items.versions),
                       std::move(batch.element_ids), std::move(batch.keys)};
    pending.resync = std::move(batch.to_resync);
    if (ports_.target != nullptr && settings_.target_may_have_rows) {
        // An item that was valid when an earlier run copied it must leave Milvus.
        std::set<ItemId> ids;
        std::erase_if(pending.rejected, [&](const sync::Rejected& rejected) {
            return std::visit(
                [&](const auto& id) {
                    if constexpr (std::is_same_v<std::decay_t<decltype(id)>, std::monostate>) {
                        return false;
                    } else {
                        ids.insert(ItemId(id));
                        return true;
                    }
                },
                rejected.id);
        });
        pending.resync.insert(pending.resync.end(), ids.begin(), ids.end());
    }
    return pending;
}

std::optional<Deadline> CopyPipeline::write_deadline() const {
    const auto deadline = Deadline::after(settings_.timing.timeout).earlier(ports_.check->write_limit());
    if (deadline.remaining() < settings_.timing.timeout / 10) return std::nullopt;
    return deadline;
}

bool CopyPipeline::write(Work& work) {
    Retries retries(kForEver);
    while (!stopping()) {
        if (!ports_.outage->wait_until_well(stop_)) break;
        const auto deadline = write_deadline();
        if (!deadline) {
            sleep_for(100ms, stop_);
            continue;
        }
        try {
            const auto accepted = sync::upsert_what_is_taken(*ports_.target, work.batch.items, *deadline);
            if (!accepted.all()) set_aside(accepted, work.batch);
            return true;
        } catch (const Error& error) {
            if (!retries.admits(error)) throw;
            if (error.kind() == ErrorKind::overloaded) {
                note_error(error);
                sleep_for(retries.pause(), stop_);
                continue;
            }
            count_error(error);
            ports_.outage->report(error);
            work.batch.items.vectors = {};
            PendingBatch pending = to_pending(work);
            pending.retries = retries;
            pending.resync.insert(pending.resync.end(), pending.written.ids.begin(),
                                  pending.written.ids.end());
            pending.written = {};
            pending.not_before = deadline->point();
            pending.outcome_unknown = true;
            add_suspect(std::move(pending));
            return false;
        }
    }
    return false;
}

// ---- checking ----

void CopyPipeline::check_batches() {
    while (auto pending = to_check_.pop()) check(*pending);
}

void CopyPipeline::check(PendingBatch& pending) {
    Retries retries(kForEver);
    for (;;) {
        try {
            const auto changed = pending.written.ids.empty()
                                     ? std::vector<std::size_t>()
                                     : ports_.check->changed(pending.written, Deadline::after(30s));
            pending.copied = pending.written.ids.size() - changed.size();
            for (const std::size_t row : changed) pending.resync.push_back(pending.written.ids[row]);
            pending.written = {};
            if (resync(pending)) complete(pending);
            std::lock_guard lock(mutex_);
            trouble_.clear();
            return;
        } catch (const Error& error) {
            if (!retries.admits(error)) throw;
            note_error(error);
            if (stopping()) return;  // unchecked: the next run reads it again
            sleep_for(retries.pause(), stop_);
        }
    }
}

bool CopyPipeline::resync(PendingBatch& pending) {
    while (!pending.resync.empty()) {
        const auto deadline = write_deadline();
        if (!deadline) {
            if (stopping()) {
                add_suspect(std::move(pending));
                return false;
            }
            sleep_for(100ms, stop_);
            continue;
        }
        const std::size_t rows = std::min(pending.resync.size(), settings_.batch_rows);
        const std::span<const ItemId> ids(pending.resync.data(), rows);
        sync::SyncOutcome outcome;
        try {
            outcome =
                sync::sync(ports_.source, *ports_.target, *ports_.check, mapping_, ids,
                           {.write_deadline = *deadline, .on_erasing_invalid = settings_.on_erasing_invalid});
        } catch (const Error& error) {
            if (!pending.retries.admits(error)) throw;
            count_error(error);
            if (error.system() == System::milvus) ports_.outage->report(error);
            pending.not_before = deadline->point();
            pending.outcome_unknown = true;
            add_suspect(std::move(pending));
            return false;
        }
        pending.copied += outcome.upserted;
        std::move(outcome.rejected.begin(), outcome.rejected.end(), std::back_inserter(pending.rejected));
        pending.resync.erase(pending.resync.begin(),
                             pending.resync.begin() + static_cast<std::ptrdiff_t>(rows));
        if (!outcome.still_moving.empty()) {
            std::move(outcome.still_moving.begin(), outcome.still_moving.end(),
                      std::back_inserter(pending.resync));
            pending.not_before = Deadline::Clock::now() + 1s;
            add_suspect(std::move(pending));
            return false;
        }
    }
    return true;
}

void CopyPipeline::complete(PendingBatch& pending) {
    std::string lines;
    for (const auto& rejected : pending.rejected) lines += quarantine_line(rejected, mapping_);
    const auto read = static_cast<std::int64_t>(pending.read);
    const auto copied = static_cast<std::int64_t>(pending.copied);
    const auto quarantined = static_cast<std::int64_t>(pending.rejected.size());
    // What was read and is gone by now needs no copy.
    ledger_.complete(pending.ticket, {read, copied, quarantined, read - copied - quarantined},
                     std::move(lines));
}

// ---- writes of unknown outcome ----

void CopyPipeline::add_suspect(PendingBatch pending) {
    {
        std::lock_guard lock(suspects_mutex_);
        suspects_.push_back(std::move(pending));
    }
    suspects_changed_.notify_all();
}

void CopyPipeline::resync_suspects() {
    for (;;) {
        std::vector<PendingBatch> suspects;
        {
            std::unique_lock lock(suspects_mutex_);
            suspects_changed_.wait(lock, stop_, [&] { return !suspects_.empty() || no_more_suspects_; });
            if (stopping() && no_more_suspects_) {
                if (!suspects_.empty()) abandoned_ = true;
                return;
            }
            if (stopping()) {
                suspects_changed_.wait(lock, [&] { return no_more_suspects_; });
                continue;
            }
            if (suspects_.empty()) return;
            suspects.swap(suspects_);
        }
        const bool unknown =
            std::any_of(suspects.begin(), suspects.end(), [](const auto& s) { return s.outcome_unknown; });
        const auto latest =
            Deadline::at(std::max_element(suspects.begin(), suspects.end(), [](const auto& a, const auto& b) {
                             return a.not_before < b.not_before;
                         })->not_before);
        if (unknown) {
            ports_.outage->wait_out(latest, stop_);
        } else {
            sleep_for(latest.remaining(), stop_);
        }
        for (auto& pending : suspects) {
            if (stopping()) {
                add_suspect(std::move(pending));
                continue;
            }
            pending.outcome_unknown = false;
            if (resync(pending)) complete(pending);
        }
    }
}

// ---- for people ----

std::string CopyPipeline::trouble() const {
    if (ports_.outage != nullptr) {
        if (auto state = ports_.outage->state(); !state.empty()) return state;
    }
    std::lock_guard lock(mutex_);
    return trouble_;
}

std::string CopyPipeline::reader_state() const {
    return reading_ == 0 ? "done" : fmt::format("reading, {} batches ahead", to_write_.size());
}

std::string CopyPipeline::writer_state() const {
    return fmt::format("{} upserts in flight", writing_.load());
}

std::string CopyPipeline::checker_state() const {
    return fmt::format("{} batches to check", to_check_.size());
}

}  // namespace crossover::migration
