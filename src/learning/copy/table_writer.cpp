#include "learning/copy/table_writer.h"

#include <utility>

#include "learning/copy/stores.h"

namespace crossover::learning {
namespace {

std::optional<std::int64_t> expiry_of(const Source& source) {
    return source.expires_at_ms ? std::optional(*source.expires_at_ms * 1000) : std::nullopt;
}

bool same(const Source& source, const Digest& digest) {
    return digest.content_hash && expiry_of(source) == digest.expires_at_us &&
           source.type != Source::Type::other && content_hash(source) == *digest.content_hash;
}

/// The rule of the upsert, to spare it where it would change nothing.
bool replaces(const Row& row, const Digest& digest) {
    if (digest.version != row.version) return digest.version < row.version;
    return row.expires_at_us != digest.expires_at_us ||
           (row.version == 0 && row.content_hash != digest.content_hash);
}

}  // namespace

void CopyTally::begin_look() {
    for (auto& count : seen) count = 0;
    handled = 0;
    wrote = false;
    session_lost = false;
    std::lock_guard lock(mutex_);
    stale_.clear();
}

void CopyTally::add_stale(const std::string& key) {
    std::lock_guard lock(mutex_);
    stale_.insert(key);
}

std::vector<std::string> CopyTally::take_stale() {
    std::lock_guard lock(mutex_);
    const auto keys = std::exchange(stale_, {});
    return {keys.begin(), keys.end()};
}

bool CopyTally::has_stale() const {
    std::lock_guard lock(mutex_);
    return !stale_.empty();
}

void TableWriter::write(const std::vector<Source>& sources) {
    for (const auto kind : kKinds) {
        std::vector<const Source*> of_kind;
        for (const auto& source : sources) {
            if (source.kind == kind && source.type != Source::Type::missing) of_kind.push_back(&source);
        }
        if (!of_kind.empty()) write(kind, of_kind);
    }
    tally_.handled += static_cast<std::int64_t>(sources.size());
}

void TableWriter::write(Kind kind, const std::vector<const Source*>& sources) {
    const auto outcome = retry_([&] {
        try {
            if (!options_.dry_run && (!connection_ || !connection_->usable())) {
                connection_ = open_copy_session(options_.postgres_url);
            }
            return attempt(kind, sources);
        } catch (const Error& error) {
            if (error.outcome_unknown()) {
                // Rows of this batch may be there already.
                tally_.empty[index_of(kind)] = false;
                connection_.reset();
            }
            throw;
        }
    });
    for (const auto& refusal : outcome.refusals) quarantine_.add(*refusal.source, refusal.reason);
    tally_.seen[index_of(kind)] += static_cast<std::int64_t>(sources.size());
    tally_.written += outcome.written;
    tally_.unchanged += outcome.unchanged;
    if (outcome.written > 0) tally_.wrote = true;
}

TableWriter::Outcome TableWriter::attempt(Kind kind, const std::vector<const Source*>& sources) {
    const auto digests = digests_of(kind, sources);
    Outcome outcome;
    fresh_.clear(kind);
    changed_.clear(kind);
    std::vector<const Source*> fresh, changed;
    const auto* names = options_.names();
    for (const auto* source : sources) {
        const auto known = digests.find(source->key);
        const bool is_known = known != digests.end();
        if (is_known && same(*source, known->second)) {
            ++outcome.unchanged;
            continue;
        }
        if (auto fault = parse(*source, row_, names)) {
            outcome.refusals.push_back({source, std::move(*fault)});
            if (is_known) tally_.add_stale(source->key);
        } else if (options_.dry_run) {
            ++outcome.written;
        } else if (!is_known) {
            fresh_.add(row_);
            fresh.push_back(source);
        } else if (replaces(row_, known->second)) {
            changed_.add(row_);
            changed.push_back(source);
        } else {
            ++outcome.unchanged;
        }
    }
    write_encoded(fresh_, fresh, false, outcome);
    write_encoded(changed_, changed, true, outcome);
    return outcome;
}

Digests TableWriter::digests_of(Kind kind, const std::vector<const Source*>& sources) {
    if (options_.dry_run || tally_.empty[index_of(kind)]) return {};
    std::vector<std::string_view> keys;
    for (const auto* source : sources) keys.emplace_back(source->key);
    return read_digests(*connection_, kind, keys);
}

void TableWriter::write_encoded(const EncodedRows& rows, const std::vector<const Source*>& sources,
                                bool upsert, Outcome& outcome) {
    if (rows.size() == 0) return;
    outcome.written +=
        write_rows(*connection_, holder_, rows, upsert, [&](std::size_t i, const std::string& reason) {
            outcome.refusals.push_back({sources[i], reason});
            if (upsert) tally_.add_stale(sources[i]->key);
        });
}

}  // namespace crossover::learning
