#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "sync/source_store.h"
#include "sync/sync.h"
#include "sync/vector_store.h"

/// Neo4j and Milvus in memory, with a hook before every call: there a test plays the other writers.
namespace crossover::test {

struct Node {
    std::int64_t version = 0;
    std::vector<float> vector;
    bool valid = true;
    int copies = 1;  ///< nodes that share the id
    std::string title = {};
};

struct Row {
    std::int64_t version = 0;
    std::vector<float> vector;
    std::string title = {};
    friend bool operator==(const Row&, const Row&) = default;
    friend std::ostream& operator<<(std::ostream& out, const Row& row) {
        out << "version " << row.version << " '" << row.title << "' [";
        for (const float value : row.vector) out << ' ' << value;
        return out << " ]";
    }
};

/// What happens before a call; the calls of both stores of a test are numbered together from 0.
struct Script {
    /// Held by both stores while a call runs, and by the hook: stores are used by several threads.
    std::recursive_mutex mutex;
    int calls = 0;
    std::function<void(int call, const char* name)> before;
    void call(const char* name) {
        const std::lock_guard lock(mutex);
        const int number = calls++;
        if (before) before(number, name);
    }
};

inline sync::MediaMapping mapping_of(std::uint32_t dimension) {
    sync::MediaMapping mapping;
    mapping.dimension = dimension;
    mapping.properties = {{"title", sync::PropertyType::text}};
    return mapping;
}

class MemorySource : public sync::SourceStore, public sync::SourceScanner {
  public:
    MemorySource(Script& script, sync::MediaMapping mapping, bool ordered = true)
        : script_(&script), mapping_(std::move(mapping)), ordered_(ordered) {}

    std::map<ItemId, Node> nodes;
    std::vector<ItemId> to_resync;       ///< ids that a scan reports as changed while being read
    std::vector<sync::Rejected> idless;  ///< nodes without a usable id
    /// What settlements recorded of ids that are no row.
    std::map<ItemId, std::pair<sync::Presence, sync::RejectionReason>> records;
    std::unique_lock<std::recursive_mutex> lock() { return std::unique_lock(script_->mutex); }

    sync::Versions read_versions(std::span<const ItemId> ids, Deadline) override {
        const std::lock_guard lock(script_->mutex);
        script_->call("read_versions");
        sync::Versions result;
        for (const auto& id : ids) result.presences.push_back(presence(id));
        return result;
    }

    void read_items(std::span<const ItemId> ids, const sync::Versions& seen, sync::ItemBatch& valid,
                    std::vector<sync::Rejected>& rejected, Deadline) override {
        const std::lock_guard lock(script_->mutex);
        script_->call("read_items");
        for (std::size_t i = 0; i < ids.size(); ++i) {
            const std::size_t rows = valid.rows();
            read(ids[i], valid, rejected);
            if (valid.rows() > rows) valid.versions.back() = seen.presences[i].version;
        }
    }

    std::vector<bool> quarantined(std::span<const ItemId> ids, std::span<const sync::Presence> present,
                                  Deadline) override {
        const std::lock_guard lock(script_->mutex);
        std::vector<bool> known;
        for (std::size_t i = 0; i < ids.size(); ++i) {
            const auto found = records.find(ids[i]);
            known.push_back(found != records.end() && found->second.first == present[i]);
        }
        return known;
    }

    bool ordered() const override { return ordered_; }

    void scan(const sync::KeyRange& keys, std::size_t batch_rows,
              const std::function<bool(sync::ScannedBatch&&)>& sink) override {
        {
            const std::lock_guard lock(script_->mutex);
            script_->call("scan");
        }
        std::optional<ItemId> after = keys.after;
        for (bool more = true; more;) {
            sync::ScannedBatch batch;
            {
                const std::lock_guard lock(script_->mutex);
                batch = next_batch(after, keys.through, batch_rows);
                more = !batch.last;
                after = last_read_;
                if (!ordered_) batch.keys = {};
                script_->call("batch");
            }
            if (!sink(std::move(batch))) return;
        }
    }

    void scan_foreign_ids(const std::function<void(const sync::Rejected&)>& sink) override {
        const std::lock_guard lock(script_->mutex);
        for (const auto& rejected : idless) sink(rejected);
    }

    void scan_versions(const sync::KeyRange& keys,
                       const std::function<bool(const ItemId&, sync::Presence)>& sink) override {
        std::vector<std::pair<ItemId, sync::Presence>> found;
        {
            const std::lock_guard lock(script_->mutex);
            script_->call("scan_versions");
            auto at = keys.after ? nodes.upper_bound(*keys.after) : nodes.begin();
            for (; within(at, keys.through); ++at) found.emplace_back(at->first, presence(at->first));
        }
        for (const auto& [id, state] : found) {
            if (!sink(id, state)) return;
        }
    }

    sync::Presence presence(const ItemId& id) const {
        const auto found = nodes.find(id);
        if (found == nodes.end()) return {};
        if (found->second.copies > 1) return {sync::Presence::State::ambiguous, 0};
        return {sync::Presence::State::present, found->second.version};
    }

    /// The row that Milvus should have, or none.
    std::optional<Row> wanted(const ItemId& id) const {
        const auto found = nodes.find(id);
        if (found == nodes.end() || !found->second.valid || found->second.copies > 1) return std::nullopt;
        return Row{found->second.version, found->second.vector, found->second.title};
    }

  private:
    using Nodes = std::map<ItemId, Node>;

    bool within(Nodes::const_iterator at, const std::optional<ItemId>& through) const {
        return at != nodes.end() && (!through || !(*through < at->first));
    }

    sync::ScannedBatch next_batch(const std::optional<ItemId>& after, const std::optional<ItemId>& through,
                                  std::size_t batch_rows) {
        sync::ScannedBatch batch;
        batch.items = sync::make_batch(mapping_);
        batch.keys.after = after;
        auto at = after ? nodes.upper_bound(*after) : nodes.begin();
        last_read_ = after;
        for (; within(at, through) && batch.read() < batch_rows; ++at) {
            last_read_ = at->first;
            if (std::find(to_resync.begin(), to_resync.end(), at->first) != to_resync.end()) {
                batch.to_resync.push_back(at->first);
            } else {
                read(at->first, batch.items, batch.rejected);
            }
        }
        batch.last = !within(at, through);
        batch.keys.through = batch.last ? through : last_read_;
        if (batch.last && !ordered_) {
            batch.rejected.insert(batch.rejected.end(), idless.begin(), idless.end());
        }
        return batch;
    }

    void read(const ItemId& id, sync::ItemBatch& valid, std::vector<sync::Rejected>& rejected) {
        const auto found = nodes.find(id);
        if (found == nodes.end()) return;
        const auto& node = found->second;
        if (node.valid && node.copies == 1) {
            valid.ids.push_back(id);
            valid.versions.push_back(node.version);
            valid.vectors.insert(valid.vectors.end(), node.vector.begin(), node.vector.end());
            for (auto& column : valid.properties) {
                std::get<std::vector<std::string>>(column.values).push_back(node.title);
                column.present.push_back(1);
            }
            return;
        }
        for (int copy = 0; copy < node.copies; ++copy) {
            sync::Rejected item{
                std::monostate{}, "4:test:1",
                node.copies > 1 ? sync::RejectionReason::id_duplicate : sync::RejectionReason::not_finite,
                ""};
            std::visit([&](const auto& value) { item.id = value; }, id);
            rejected.push_back(std::move(item));
        }
    }

    Script* script_;
    sync::MediaMapping mapping_;
    bool ordered_;
    std::optional<ItemId> last_read_;
};

/// A look at the versions, and the records.
class MemoryVersionCheck : public sync::VersionCheck {
  public:
    explicit MemoryVersionCheck(MemorySource& source) : source_(source) {}
    std::vector<std::size_t> changed(std::span<const ItemId> ids, std::span<const sync::Presence> before,
                                     std::span<const sync::Rejected> rejected, Deadline deadline) override {
        const auto lock = source_.lock();  // one transaction
        const auto after = source_.read_versions(ids, deadline).presences;
        std::vector<std::size_t> positions;
        for (std::size_t i = 0; i < ids.size(); ++i) {
            if (after[i] != before[i]) {
                positions.push_back(i);
                continue;
            }
            source_.records.erase(ids[i]);
            for (const auto& item : rejected) {
                if (sync::id_of(item) == ids[i]) source_.records[ids[i]] = {after[i], item.reason};
            }
        }
        return positions;
    }

  private:
    MemorySource& source_;
};

class MemoryTarget : public sync::VectorStore {
  public:
    explicit MemoryTarget(Script& script) : script_(&script) {}

    std::map<ItemId, Row> rows;
    std::set<ItemId> refused;   ///< each of them takes its whole batch with it
    bool other_fields = false;  ///< it was made anew, and refuses every batch

    void upsert(sync::ItemBatch& batch, Deadline) override {
        const std::lock_guard lock(script_->mutex);
        script_->call("upsert");
        for (const auto& id : batch.ids) {
            if (!other_fields && !refused.contains(id)) continue;
            throw Error(System::milvus, ErrorKind::rejected, "refused: " + crossover::to_string(id));
        }
        for (std::size_t i = 0; i < batch.rows(); ++i) {
            const auto first = batch.vectors.begin() + static_cast<std::ptrdiff_t>(i * batch.dimension);
            Row row{batch.versions[i], {first, first + batch.dimension}};
            for (const auto& column : batch.properties) {
                row.title = std::get<std::vector<std::string>>(column.values)[i];
            }
            rows[batch.ids[i]] = std::move(row);
        }
    }

    void erase(std::span<const ItemId> ids, Deadline) override {
        const std::lock_guard lock(script_->mutex);
        script_->call("erase");
        for (const auto& id : ids) rows.erase(id);
    }

    void require_same_shape(Deadline) override {
        if (other_fields) throw Error(System::milvus, ErrorKind::conflict, "it has other fields");
    }

    std::optional<Row> row(const ItemId& id) const {
        const auto found = rows.find(id);
        return found == rows.end() ? std::nullopt : std::optional(found->second);
    }

  private:
    Script* script_;
};

}  // namespace crossover::test
