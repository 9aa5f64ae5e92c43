#include "neo4j/media_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <limits>
#include <mutex>
#include <unordered_map>
#include <unordered_set>

#include "base/clock.h"
#include "base/error.h"
#include "neo4j/cypher.h"
#include "neo4j/label_sample.h"
#include "neo4j/media_query.h"
#include "neo4j/read_session.h"
#include "neo4j/refused_items.h"
#include "neo4j/row_decoder.h"

namespace crossover::neo4j {

using namespace std::chrono_literals;
using sync::KeyRange;
using sync::Presence;
using sync::Rejected;
using sync::RejectionReason;
using sync::ScannedBatch;

namespace {

// Rows whose versions are read ahead of their vectors by one query. Large enough that the query's own cost is
// small beside its rows, small enough that few rows change in between.
constexpr std::size_t kPageRows = 10'000;

// Without an order duplicates must be known beforehand, in memory.
constexpr std::int64_t kMaxKnownDuplicates = 100'000;

// A scan that Neo4j took up and then was silent in, so often in a row, is not begun again.
constexpr int kMostSilences = 3;

// A row that carries its own version counts only where that is older than the query by this much: longer than
// any transaction of a writer and the difference of clocks. Versions are microseconds of a hybrid clock;
// legacy ones are smaller.
constexpr std::chrono::microseconds kVersionMargin = 5min;

// Evens out ranges to within a twentieth.
constexpr std::size_t kNodesForABoundary = 500;

constexpr bolt::Version kVectorsSince{6, 0};
constexpr const char* kNoVector = "Neo.ClientError.Statement.ArgumentError";

Rejected duplicate(const ItemId& id) {
    Rejected rejected{{}, {}, RejectionReason::id_duplicate, "several nodes have this id"};
    std::visit([&](const auto& value) { rejected.id = value; }, id);
    return rejected;
}

/// Collects the rows of an ordered scan into batches, and sees to duplicates: they come one after the other,
/// so a batch is cut only where the id changes.
class BatchBuilder {
  public:
    BatchBuilder(const sync::MediaMapping& mapping, std::size_t batch_rows, std::optional<ItemId> after)
        : mapping_(mapping), decoder_(mapping), batch_rows_(batch_rows), after_(std::move(after)) {
        start();
    }

    /// True when a batch is ready before this row: take() it first.
    bool is_full_before(const ItemId& id) const { return batch_.read() >= batch_rows_ && last_id_ != id; }

    /// A row, of which `id` was read ahead. `version` is empty where no earlier query saw the row.
    void add(const ItemId& id, bolt::Decoder& fields, std::optional<std::int64_t> version) {
        const bool repeated = last_id_ == id;
        if (!repeated) {
            id_before_ = std::exchange(last_id_, id);
            before_last_id_ = {batch_.items.rows(), batch_.rejected.size(), batch_.to_resync.size()};
        }
        const std::size_t rows_before = batch_.items.rows();
        auto row = decoder_.decode(fields, version.value_or(0), batch_.items);
        if (!fields.ok()) throw undecodable(fields);
        if (row.id && repeated) {
            if (batch_.items.rows() > rows_before) sync::pop_back(batch_.items);
            demote_previous(id);
            batch_.rejected.push_back(duplicate(id));
        } else if (row.rejected) {
            batch_.rejected.push_back(*std::move(row.rejected));
        } else if (!version) {
            sync::pop_back(batch_.items);
            batch_.to_resync.push_back(id);
        }
    }

    /// Takes back all rows of the last id, because they will come again; returns the id before it.
    std::optional<ItemId> forget_last_id() {
        while (batch_.items.rows() > before_last_id_.items) sync::pop_back(batch_.items);
        batch_.rejected.resize(before_last_id_.rejected);
        batch_.to_resync.resize(before_last_id_.to_resync);
        return last_id_ = id_before_;
    }

    /// The batch so far, up to and including the last row.
    ScannedBatch take() {
        batch_.keys = {after_, last_id_ ? last_id_ : after_};
        after_ = batch_.keys.through;
        ScannedBatch full = std::move(batch_);
        start();
        return full;
    }

  private:
    /// How much of the batch there was.
    struct Extent {
        std::size_t items = 0, rejected = 0, to_resync = 0;
    };

    void start() {
        batch_ = ScannedBatch();
        batch_.items = sync::make_batch(mapping_);
        batch_.items.ids.reserve(batch_rows_);
        batch_.items.versions.reserve(batch_rows_);
        batch_.items.vectors.reserve(batch_rows_ * mapping_.dimension);
    }

    /// The row before had the same id: it is no better than this one.
    void demote_previous(const ItemId& id) {
        if (!batch_.items.empty() && batch_.items.ids.back() == id) {
            sync::pop_back(batch_.items);
            batch_.rejected.push_back(duplicate(id));
        }
    }

    const sync::MediaMapping& mapping_;
    const RowDecoder decoder_;
    const std::size_t batch_rows_;
    std::optional<ItemId> after_;
    std::optional<ItemId> last_id_;
    std::optional<ItemId> id_before_;
    Extent before_last_id_;
    ScannedBatch batch_;
};

/// Ids and versions in the order of the index.
struct VersionsAhead {
    std::vector<std::pair<ItemId, std::int64_t>> items;
    std::vector<std::string> bookmarks;
};

/// Finds versions for rows that come in the same order: the next row's is the next one, unless rows came or
/// went.
class VersionCursor {
  public:
    explicit VersionCursor(const VersionsAhead& page) : page_(page) {}
    std::optional<std::int64_t> find(const ItemId& id) {
        for (std::size_t i = next_; i < page_.items.size(); ++i) {
            if (page_.items[i].first != id) continue;
            next_ = i + 1;
            return page_.items[i].second;
        }
        return std::nullopt;
    }

  private:
    const VersionsAhead& page_;
    std::size_t next_ = 0;
};

}  // namespace

namespace {

/// A statement that may pass over any number of nodes before it has a row.
struct Scan {
    Deadline::Clock::time_point begun;
    bolt::Result result;
};

}  // namespace

struct MediaStore::State {
    bolt::Driver& driver;
    const std::string database;
    const sync::MediaMapping mapping;
    const bool ordered;
    const MediaQueries queries{mapping};
    const RowDecoder decoder{mapping};
    const RefusedItems refused{mapping};
    mutable std::mutex mutex{};
    std::vector<std::string> floor{};  ///< see_at_least()
    mutable int silences = 0;          ///< of scans, since the last one that came to its end
    mutable Deadline::Clock::time_point last_silence{};

    /// Writing sessions go to the leader: what is compared with Milvus must not be stale. One that was
    /// deposed may not know it yet, hence the bookmarks: by default, those of see_at_least().
    bolt::Session session(std::int64_t fetch_size, std::optional<Deadline> deadline = {},
                          std::optional<std::vector<std::string>> bookmarks = {},
                          Deadline::Duration silence = 30s) const {
        bolt::SessionConfig config;
        config.database = database;
        config.fetch_size = fetch_size;
        config.deadline = deadline;
        config.timeout = silence;
        if (bookmarks) {
            config.bookmarks = *std::move(bookmarks);
        } else {
            const std::lock_guard lock(mutex);
            config.bookmarks = floor;
        }
        return driver.session(std::move(config));
    }

    /// May be silent for long (kScanSilence): whatever passes over nodes that give no row.
    bolt::Session scan_session(std::int64_t fetch_size,
                               std::optional<std::vector<std::string>> bookmarks = {}) const {
        return session(fetch_size, std::nullopt, std::move(bookmarks), kScanSilence);
    }

    Scan scan(bolt::Session& open, const std::string& query, const bolt::Parameters& parameters = {}) const {
        return {Deadline::Clock::now(), open.run(query, parameters)};
    }

    bool next(Scan& scan, bolt::RecordView& record) const {
        try {
            if (scan.result.next(record)) return true;
        } catch (const Error& error) {
            if (error.kind() != ErrorKind::timeout) throw;
            note_silence(scan, error);
            throw;
        }
        const std::lock_guard lock(mutex);
        silences = 0;
        return false;
    }

    /// Neo4j took the statement up, so that its silence is no sign that it is away, and may be so each time.
    /// Those that go silent together count once.
    void note_silence(const Scan& scan, const Error& error) const {
        const std::lock_guard lock(mutex);
        if (scan.begun < last_silence) return;
        last_silence = Deadline::Clock::now();
        if (++silences < kMostSilences) return;
        silences = 0;
        throw Error(
            System::neo4j, ErrorKind::not_ready,
            fmt::format("Scans of label {} ended {} times in a row because Neo4j was silent for minutes, "
                        "without keep-alives: {} Set server.bolt.connection_keep_alive of Neo4j (1m unless "
                        "configured) to less than two minutes, and look for what ends idle connections.",
                        mapping.label, kMostSilences, error.what()));
    }

    VersionsAhead versions_page(const KeyRange& keys) const {
        auto open = scan_session(-1);
        auto parameters = MediaQueries::range_parameters(keys);
        parameters.add("limit", static_cast<std::int64_t>(kPageRows));
        auto rows = scan(open, queries.versions_in_range(keys, true), parameters);
        VersionsAhead page;
        page.items.reserve(kPageRows);
        bolt::RecordView record;
        while (next(rows, record)) {
            ItemId id;
            if (!read_id(record.fields, id)) throw undecodable(record.fields);
            const std::int64_t version = read_version(record.fields);
            if (!record.fields.ok()) throw undecodable(record.fields);
            page.items.emplace_back(std::move(id), version);
        }
        page.bookmarks = open.last_bookmarks();
        return page;
    }

    void scan_ordered(const KeyRange& keys, std::size_t batch_rows,
                      const std::function<bool(ScannedBatch&&)>& sink) const;
    bool read_page(KeyRange page, const VersionsAhead& versions, BatchBuilder& builder,
                   const std::function<bool(ScannedBatch&&)>& sink) const;
    void scan_label(std::size_t batch_rows, const std::function<bool(ScannedBatch&&)>& sink) const;
    std::unordered_set<ItemId> duplicate_ids() const;
    std::int64_t count(const std::string& query) const;
};

MediaStore::MediaStore(bolt::Driver& driver, std::string database, sync::MediaMapping mapping, bool ordered)
    : state_(new State{driver, std::move(database), std::move(mapping), ordered}) {}

void MediaStore::see_at_least(std::vector<std::string> bookmarks) {
    const std::lock_guard lock(state_->mutex);
    state_->floor = std::move(bookmarks);
}

MediaStore::~MediaStore() = default;

bool MediaStore::ordered() const {
    return state_->ordered;
}
const sync::MediaMapping& MediaStore::mapping() const {
    return state_->mapping;
}

// ---- scans ----

void MediaStore::scan(const KeyRange& keys, std::size_t batch_rows,
                      const std::function<bool(ScannedBatch&&)>& sink) {
    if (state_->ordered) {
        state_->scan_ordered(keys, batch_rows, sink);
    } else {
        state_->scan_label(batch_rows, sink);
    }
}

void MediaStore::State::scan_ordered(const KeyRange& keys, std::size_t batch_rows,
                                     const std::function<bool(ScannedBatch&&)>& sink) const {
    BatchBuilder builder(mapping, batch_rows, keys.after);
    KeyRange remaining = keys;
    VersionsAhead versions = versions_page(remaining);
    for (bool last_page = false; !last_page;) {
        last_page = versions.items.size() < kPageRows;
        const KeyRange page{remaining.after,
                            last_page ? keys.through : std::optional(versions.items.back().first)};
        remaining.after = page.through;
        // The versions of the next page are read while this page's vectors arrive.
        std::future<VersionsAhead> next_versions;
        if (!last_page) {
            next_versions =
                std::async(std::launch::async, [this, remaining] { return versions_page(remaining); });
        }

        if (!read_page(page, versions, builder, sink)) return;
        if (next_versions.valid()) versions = next_versions.get();
    }
    ScannedBatch batch = builder.take();
    batch.keys.through = keys.through;
    batch.last = true;
    sink(std::move(batch));
}

/// Reads the vectors of a page; false when `sink` wants no more.
bool MediaStore::State::read_page(KeyRange page, const VersionsAhead& versions, BatchBuilder& builder,
                                  const std::function<bool(ScannedBatch&&)>& sink) const {
    bool as_vectors = mapping.dimension <= kMaxVectorDimension;
    for (;;) {
        auto open = scan_session(-1, versions.bookmarks);
        auto transaction = open.begin();
        as_vectors = as_vectors && transaction.version() >= kVectorsSince;
        VersionCursor cursor(versions);
        bool any_row = false;
        try {
            Scan rows{Deadline::Clock::now(),
                      transaction.run(
                          queries.items_in_range(page, as_vectors ? VectorForm::float32 : VectorForm::stored),
                          MediaQueries::range_parameters(page))};
            bolt::RecordView record;
            while (next(rows, record)) {
                bolt::Decoder peek = record.fields;
                ItemId id;
                if (!read_id(peek, id)) throw undecodable(peek);
                if (builder.is_full_before(id) && !sink(builder.take())) return false;
                builder.add(id, record.fields, cursor.find(id));
                any_row = true;
            }
            return true;
        } catch (const Error& error) {
            if (!as_vectors || error.native_code() != kNoVector) throw;
            // NaN or an infinity: the rest of the page as lists, which show whose it is.
            as_vectors = false;
            if (any_row) page.after = std::max(page.after, builder.forget_last_id());
        }
    }
}

void MediaStore::State::scan_label(std::size_t batch_rows,
                                   const std::function<bool(ScannedBatch&&)>& sink) const {
    const auto duplicates = duplicate_ids();
    const std::int64_t old_enough = unix_us() - kVersionMargin.count();
    auto open = scan_session(-1);
    auto rows = scan(open, queries.all_items());
    const auto fresh = [&] {
        ScannedBatch batch;
        batch.items = sync::make_batch(mapping);
        batch.items.vectors.reserve(batch_rows * mapping.dimension);
        return batch;
    };
    ScannedBatch batch = fresh();
    bolt::RecordView record;
    while (next(rows, record)) {
        if (batch.read() >= batch_rows) {
            if (!sink(std::exchange(batch, fresh()))) return rows.result.cancel();
        }
        const std::size_t rows_before = batch.items.rows();
        auto row = decoder.decode(record.fields, 0, batch.items);
        const std::int64_t version = read_version(record.fields);
        std::string_view element;
        record.fields.read_string(element);
        if (!record.fields.ok()) throw undecodable(record.fields);
        const bool appended = batch.items.rows() > rows_before;
        if (row.id && duplicates.contains(*row.id)) {
            if (appended) sync::pop_back(batch.items);
            batch.rejected.push_back(duplicate(*row.id));
            batch.rejected.back().element_id = element;
        } else if (row.rejected) {
            row.rejected->element_id = element;
            batch.rejected.push_back(*std::move(row.rejected));
        } else if (version > old_enough) {
            sync::pop_back(batch.items);
            batch.to_resync.push_back(*row.id);
        } else {
            RowDecoder::set_last_version(batch.items, version);
            batch.element_ids.emplace_back(element);
        }
    }
    batch.last = true;
    sink(std::move(batch));
}

void MediaStore::scan_versions(const KeyRange& keys,
                               const std::function<bool(const ItemId&, Presence)>& sink) {
    auto open = state_->scan_session(-1);
    auto rows = state_->scan(open, state_->queries.versions_in_range(keys, false),
                             MediaQueries::range_parameters(keys));
    std::optional<ItemId> held;
    Presence presence;
    bolt::RecordView record;
    while (state_->next(rows, record)) {
        ItemId id;
        if (!read_id(record.fields, id)) throw undecodable(record.fields);
        const std::int64_t version = read_version(record.fields);
        if (!record.fields.ok()) throw undecodable(record.fields);
        if (held == id) {
            presence = {Presence::State::ambiguous, 0};
            continue;
        }
        if (held && !sink(*held, presence)) return rows.result.cancel();
        held = std::move(id);
        presence = {Presence::State::present, version};
    }
    if (held) sink(*held, presence);
}

void MediaStore::scan_foreign_ids(const std::function<void(const Rejected&)>& sink) {
    auto open = state_->scan_session(1000);
    auto rows = state_->scan(open, state_->queries.foreign_ids());
    bolt::RecordView record;
    while (state_->next(rows, record)) {
        std::string_view element;
        record.fields.read_string(element);
        const std::string element_id(element);
        auto row = state_->decoder.decode_id(record.fields);
        if (!record.fields.ok()) throw undecodable(record.fields);
        if (!row.rejected) continue;  // became an id of our kind just now: a write, so it is captured
        row.rejected->element_id = element_id;
        sink(*row.rejected);
    }
}

std::unordered_set<ItemId> MediaStore::State::duplicate_ids() const {
    std::unordered_set<ItemId> ids;
    auto open = scan_session(1000);
    auto rows = scan(open, queries.duplicate_ids(), {{"limit", kMaxKnownDuplicates}});
    bolt::RecordView record;
    while (next(rows, record)) {
        ItemId id;
        if (!read_id(record.fields, id)) throw undecodable(record.fields);
        ids.insert(std::move(id));
    }
    if (ids.size() >= static_cast<std::size_t>(kMaxKnownDuplicates)) {
        throw Error(
            System::neo4j, ErrorKind::not_ready,
            fmt::format(
                "At least {} ids of {} belong to several nodes. Make ids unique, and a constraint that keeps "
                "them so, before copying: 'migrate preflight' names the statement.",
                kMaxKnownDuplicates, mapping.label));
    }
    return ids;
}

// ---- by id ----

sync::Versions MediaStore::read_versions(std::span<const ItemId> ids, Deadline deadline) {
    const bool indexed = state_->ordered;
    auto open = indexed ? state_->session(-1, deadline) : state_->scan_session(-1);
    auto presences = read_presences(
        open.run(state_->queries.versions_by_id(indexed), MediaQueries::ids_parameter(ids)), ids, indexed);
    return {std::move(presences), open.last_bookmarks()};
}

void MediaStore::read_items(std::span<const ItemId> ids, const sync::Versions& seen, sync::ItemBatch& valid,
                            std::vector<Rejected>& rejected, Deadline deadline) {
    auto open = state_->ordered ? state_->session(-1, deadline, seen.bookmarks)
                                : state_->scan_session(-1, seen.bookmarks);
    const auto& queries = state_->queries;
    auto result = open.run(state_->ordered ? queries.items_by_id() : queries.items_by_label_scan(),
                           MediaQueries::ids_parameter(ids));

    // Nodes that share an id do not come one after the other here: all are decoded, then the shared ones
    // taken out.
    std::unordered_map<ItemId, std::int64_t> version_of;
    for (std::size_t i = 0; i < ids.size(); ++i) version_of.emplace(ids[i], seen.presences[i].version);
    std::unordered_map<ItemId, int> nodes;
    sync::ItemBatch rows = sync::make_batch(state_->mapping);
    std::vector<Rejected> refused;
    bolt::RecordView record;
    while (result.next(record)) {
        const std::size_t rows_before = rows.rows();
        auto row = state_->decoder.decode(record.fields, 0, rows);
        if (!record.fields.ok()) throw undecodable(record.fields);
        const auto id = row.id ? row.id : row.rejected ? sync::id_of(*row.rejected) : std::nullopt;
        const auto version = id ? version_of.find(*id) : version_of.end();
        if (version == version_of.end()) {
            // Its id changed after it was found by it: what it is now was not asked for.
            if (rows.rows() > rows_before) sync::pop_back(rows);
            continue;
        }
        ++nodes[*id];
        if (row.rejected) {
            refused.push_back(*std::move(row.rejected));
        } else {
            RowDecoder::set_last_version(rows, version->second);
        }
    }
    const bool all_single =
        std::all_of(nodes.begin(), nodes.end(), [](const auto& entry) { return entry.second == 1; });
    if (all_single && valid.empty()) {
        valid = std::move(rows);
    } else {
        for (std::size_t row = 0; row < rows.rows(); ++row) {
            if (nodes.at(rows.ids[row]) == 1) {
                sync::append_row(valid, rows, row);
            } else {
                refused.push_back(duplicate(rows.ids[row]));
            }
        }
    }
    for (auto& item : refused) {
        if (const auto id = sync::id_of(item); id && nodes.at(*id) > 1) item = duplicate(*id);
        rejected.push_back(std::move(item));
    }
}

std::vector<bool> MediaStore::quarantined(std::span<const ItemId> ids, std::span<const Presence> present,
                                          Deadline deadline) {
    return state_->refused.quarantined(state_->session(-1, deadline), ids, present);
}

// ---- counts and samples ----

std::int64_t MediaStore::State::count(const std::string& query) const {
    auto open = scan_session(1);
    auto rows = scan(open, query);
    std::int64_t number = 0;
    bolt::RecordView record;
    while (next(rows, record)) record.fields.read_int(number);
    return number;
}

std::int64_t MediaStore::count_without_embedding() {
    return state_->count(state_->queries.count_without_embedding());
}

std::int64_t MediaStore::count_with_embedding() {
    return state_->count(state_->queries.count_with_embedding());
}

std::vector<ItemId> MediaStore::range_boundaries(std::size_t parts) {
    if (parts < 2) return {};
    auto open = state_->session(-1);
    const auto sample =
        draw_sample(open, state_->mapping.label, std::min(kSampleNodes, parts * kNodesForABoundary));
    std::vector<ItemId> ids;
    auto result =
        open.run(state_->queries.ids_of_elements(), MediaQueries::elements_parameter(sample.elements));
    bolt::RecordView record;
    while (result.next(record)) {
        ItemId id;
        if (!read_id(record.fields, id)) throw undecodable(record.fields);
        ids.push_back(std::move(id));
    }
    std::vector<ItemId> boundaries;
    if (ids.size() < parts) return boundaries;
    std::sort(ids.begin(), ids.end());
    const std::size_t step = ids.size() / parts + 1;
    for (std::size_t i = step; i < ids.size(); i += step) {
        if (boundaries.empty() || boundaries.back() < ids[i]) boundaries.push_back(std::move(ids[i]));
    }
    return boundaries;
}

std::int64_t MediaStore::judge(std::span<const std::string> elements,
                               const std::function<void(const Rejected&)>& on_rejected) {
    auto open = state_->session(-1);
    auto result = open.run(state_->queries.items_of_elements(), MediaQueries::elements_parameter(elements));
    std::int64_t items = 0;
    auto row_of = sync::make_batch(state_->mapping);
    bolt::RecordView record;
    while (result.next(record)) {
        sync::clear(row_of);
        const auto row = state_->decoder.decode(record.fields, 0, row_of);
        if (!record.fields.ok()) throw undecodable(record.fields);
        ++items;
        if (row.rejected) on_rejected(*row.rejected);
    }
    return items;
}

}  // namespace crossover::neo4j
