#include "neo4j/change_log.h"

#include <unordered_map>

#include "base/error.h"
#include "base/unique_name.h"
#include "neo4j/cypher.h"
#include "neo4j/read_session.h"

namespace crossover::neo4j {

namespace {

using namespace std::chrono_literals;

constexpr const char* kConstraint =
    "CREATE CONSTRAINT crossover_change_key IF NOT EXISTS FOR (c:EmbeddingChange) REQUIRE c.key IS UNIQUE";
constexpr const char* kDueIndex =
    "CREATE INDEX crossover_change_due IF NOT EXISTS FOR (c:EmbeddingChange) ON (c.collection, c.lease)";
/// An earlier release's, whose entries belonged to no collection.
constexpr const char* kDropFormerIndex = "DROP INDEX crossover_change_lease IF EXISTS";
constexpr const char* kTakeIn =
    "MATCH (c:EmbeddingChange) WHERE c.collection IS NULL WITH c LIMIT 10000 SET c.collection = $collection "
    "RETURN count(*)";

// Two statements: a test that stands in one statement with the first look may be answered from what that look
// had read, before the lock.
constexpr const char* kLockExpired =
    "MATCH (c:EmbeddingChange) WHERE c.collection = $collection AND c.lease < timestamp() "
    "WITH c ORDER BY c.collection, c.lease LIMIT $limit SET c.touched_by = $owner RETURN c.key";
constexpr const char* kClaimLocked =
    "UNWIND $keys AS key MATCH (c:EmbeddingChange {key: key}) WHERE c.lease < timestamp() "
    "SET c.owner = $owner, c.lease = timestamp() + $lease RETURN c.key, c.media_id";
constexpr const char* kDiscard = "UNWIND $keys AS key MATCH (c:EmbeddingChange {key: key}) DELETE c";
constexpr const char* kLock =
    "UNWIND $entries AS entry MATCH (c:EmbeddingChange {key: entry[0]}) SET c.touched_by = entry[1]";
constexpr const char* kRetireLocked =
    "UNWIND $entries AS entry MATCH (c:EmbeddingChange {key: entry[0]}) WHERE c.owner = entry[1] DELETE c";
constexpr const char* kOwe =
    "UNWIND $entries AS entry CREATE (:EmbeddingChange {collection: $collection, key: entry[0], "
    "media_id: entry[1], op: 'repair', created_at: timestamp(), lease: 0})";
constexpr const char* kDepth =
    "MATCH (c:EmbeddingChange) WHERE c.collection = $collection AND c.lease IS NOT NULL "
    "RETURN count(c), coalesce(timestamp() - min(c.created_at), 0)";

sync::IdKind kind_of(const ItemId& id) {
    return std::holds_alternative<std::string>(id) ? sync::IdKind::string : sync::IdKind::integer;
}

class Retirement : public sync::VersionCheck {
  public:
    Retirement(bolt::Driver& driver, const std::string& database, const MediaQueries& queries,
               const RefusedItems& refused, const std::vector<ChangeEntry>& entries)
        : driver_(driver), database_(database), queries_(queries), refused_(refused) {
        for (const auto& entry : entries) entries_[entry.id].push_back(&entry);
    }

    std::vector<std::size_t> changed(std::span<const ItemId> ids, std::span<const sync::Presence> before,
                                     std::span<const sync::Rejected> rejected, Deadline deadline) override {
        auto session = driver_.session({.database = database_, .fetch_size = -1, .deadline = deadline});
        return session.execute_write(
            [&](bolt::Transaction& transaction) {
                const auto look = refused_.look(transaction, queries_, ids, true);
                auto changed = refused_.record(transaction, ids, before, look, rejected);
                bolt::List retired;
                for (std::size_t i = 0; i < ids.size(); ++i) {
                    if (look.presences[i] != before[i]) continue;
                    const auto found = entries_.find(ids[i]);
                    if (found == entries_.end()) continue;
                    for (const auto* entry : found->second) {
                        retired.push_back(bolt::List{entry->key, entry->owner});
                    }
                }
                if (!retired.empty()) {
                    const bolt::Parameters parameters{{"entries", std::move(retired)}};
                    transaction.run(kLock, parameters).consume();
                    transaction.run(kRetireLocked, parameters).consume();
                }
                return changed;
            },
            {.deadline = deadline});
    }

  private:
    bolt::Driver& driver_;
    const std::string& database_;
    const MediaQueries& queries_;
    const RefusedItems& refused_;
    std::unordered_map<ItemId, std::vector<const ChangeEntry*>> entries_;
};

}  // namespace

ChangeLog::ChangeLog(bolt::Driver& driver, std::string database, const sync::MediaMapping& mapping)
    : driver_(driver),
      database_(std::move(database)),
      collection_(mapping.collection),
      id_kind_(mapping.id_kind),
      queries_(mapping),
      refused_(mapping) {}

void ChangeLog::prepare() {
    auto session = driver_.session({.database = database_});
    session.run(kConstraint).consume();
    session.run(kDueIndex).consume();
    session.run(kDropFormerIndex).consume();
    RefusedItems::prepare(driver_, database_);
}

std::int64_t ChangeLog::take_in_unowned() {
    auto session = driver_.session({.database = database_, .timeout = 60s});
    std::int64_t taken = 0;
    for (;;) {
        const auto some = session.execute_write([&](bolt::Transaction& transaction) {
            return integer_of(transaction.run(kTakeIn, {{"collection", collection_}}).single()[0]);
        });
        if (some == 0) return taken;
        taken += some;
    }
}

Claim ChangeLog::claim(std::size_t limit) {
    const auto owner = unique_name();
    auto session =
        driver_.session({.database = database_, .fetch_size = -1, .deadline = Deadline::after(15s)});
    return session.execute_write([&](bolt::Transaction& transaction) {
        bolt::List keys;
        for (const auto& row : transaction
                                   .run(kLockExpired, {{"collection", collection_},
                                                       {"limit", static_cast<std::int64_t>(limit)},
                                                       {"owner", owner}})
                                   .collect()) {
            keys.push_back(row[0]);
        }
        Claim claimed;
        if (keys.empty()) return claimed;
        const auto lease = std::chrono::milliseconds(kClaimLease).count();
        bolt::List no_rows;
        for (const auto& row :
             transaction.run(kClaimLocked, {{"keys", std::move(keys)}, {"owner", owner}, {"lease", lease}})
                 .collect()) {
            if (auto id = to_item_id(row[1]); id && kind_of(*id) == id_kind_) {
                claimed.entries.push_back({text_of(row[0]), *std::move(id), owner});
            } else {
                no_rows.push_back(row[0]);
            }
        }
        claimed.discarded = static_cast<std::int64_t>(no_rows.size());
        if (!no_rows.empty()) transaction.run(kDiscard, {{"keys", std::move(no_rows)}}).consume();
        return claimed;
    });
}

void ChangeLog::owe(std::span<const ItemId> ids) {
    bolt::List entries;
    for (const auto& id : ids) entries.push_back(bolt::List{unique_name(), to_value(id)});
    driver_.session({.database = database_, .deadline = Deadline::after(15s)})
        .execute_write([&](bolt::Transaction& transaction) {
            transaction.run(kOwe, {{"collection", collection_}, {"entries", entries}}).consume();
        });
}

std::unique_ptr<sync::VersionCheck> ChangeLog::version_check(const std::vector<ChangeEntry>& entries) {
    return std::make_unique<Retirement>(driver_, database_, queries_, refused_, entries);
}

ChangeLog::Depth ChangeLog::depth(Deadline deadline) {
    auto session = read_session(driver_, database_, deadline);
    const auto row = session.run(kDepth, {{"collection", collection_}}).single();
    return {integer_of(row[0]), static_cast<double>(integer_of(row[1])) / 1000};
}

}  // namespace crossover::neo4j
