#include "neo4j/change_log.h"

#include <unordered_map>

#include "core/error.h"
#include "core/unique_name.h"
#include "neo4j/cypher.h"
#include "neo4j/read_session.h"

namespace crossover::neo4j {

namespace {

using namespace std::chrono_literals;

constexpr const char* kConstraint =
    "CREATE CONSTRAINT crossover_change_key IF NOT EXISTS FOR (c:EmbeddingChange) REQUIRE c.key IS UNIQUE";
constexpr const char* kLeaseIndex =
    "CREATE INDEX crossover_change_lease IF NOT EXISTS FOR (c:EmbeddingChange) ON (c.lease)";

// Two statements: a test that stands in one statement with the first look may be answered from what that look
// had read, before the lock.
constexpr const char* kLockExpired =
    "MATCH (c:EmbeddingChange) WHERE c.lease < timestamp() WITH c ORDER BY c.lease LIMIT $limit "
    "SET c.touched_by = $owner RETURN c.key";
constexpr const char* kClaimLocked =
    "UNWIND $keys AS key MATCH (c:EmbeddingChange {key: key}) WHERE c.lease < timestamp() "
    "SET c.owner = $owner, c.lease = timestamp() + $lease RETURN c.key, c.media_id";
constexpr const char* kLock =
    "UNWIND $entries AS entry MATCH (c:EmbeddingChange {key: entry[0]}) SET c.touched_by = entry[1]";
constexpr const char* kRetireLocked =
    "UNWIND $entries AS entry MATCH (c:EmbeddingChange {key: entry[0]}) WHERE c.owner = entry[1] DELETE c";
constexpr const char* kOwe =
    "UNWIND $entries AS entry CREATE (:EmbeddingChange {key: entry[0], media_id: entry[1], op: 'repair', "
    "created_at: timestamp(), lease: 0})";
constexpr const char* kDepth =
    "MATCH (c:EmbeddingChange) RETURN count(c), coalesce(timestamp() - min(c.created_at), 0)";

class Retirement : public sync::Settlement {
  public:
    Retirement(bolt::Driver& driver, const std::string& database, const MediaQueries& queries,
               const RefusedItems& refused, const std::vector<ChangeEntry>& entries)
        : driver_(driver), database_(database), queries_(queries), refused_(refused) {
        for (const auto& entry : entries) entries_[entry.id].push_back(&entry);
    }

    std::vector<std::size_t> changed(std::span<const ItemId> ids, std::span<const sync::Presence> before,
                                     std::span<const sync::Rejected> rejected, Deadline deadline) override {
        auto session =
            driver_.session({.database = database_, .fetch_size = -1, .timeout = deadline.remaining()});
        return session.execute_write(
            [&](bolt::Transaction& transaction) {
                const auto look = refused_.look(transaction, queries_, ids, true);
                auto changed = refused_.settle(transaction, ids, before, look, rejected);
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
    : driver_(driver), database_(std::move(database)), queries_(mapping), refused_(mapping) {}

void ChangeLog::prepare() {
    auto session = driver_.session({.database = database_});
    session.run(kConstraint).consume();
    session.run(kLeaseIndex).consume();
    RefusedItems::prepare(driver_, database_);
}

std::vector<ChangeEntry> ChangeLog::claim(std::size_t limit) {
    const auto owner = unique_name();
    auto session = driver_.session({.database = database_, .fetch_size = -1, .timeout = 15s});
    return session.execute_write([&](bolt::Transaction& transaction) {
        bolt::List keys;
        for (const auto& row :
             transaction.run(kLockExpired, {{"limit", static_cast<std::int64_t>(limit)}, {"owner", owner}})
                 .collect()) {
            keys.push_back(row[0]);
        }
        std::vector<ChangeEntry> claimed;
        if (keys.empty()) return claimed;
        const auto lease = std::chrono::milliseconds(kClaimLease).count();
        for (const auto& row :
             transaction.run(kClaimLocked, {{"keys", std::move(keys)}, {"owner", owner}, {"lease", lease}})
                 .collect()) {
            auto id = to_item_id(row[1]);
            if (id) claimed.push_back({text_of(row[0]), *std::move(id), owner});
        }
        return claimed;
    });
}

void ChangeLog::owe(std::span<const ItemId> ids) {
    bolt::List entries;
    for (const auto& id : ids) entries.push_back(bolt::List{unique_name(), to_value(id)});
    driver_.session({.database = database_, .timeout = 15s})
        .execute_write([&](bolt::Transaction& transaction) {
            transaction.run(kOwe, {{"entries", entries}}).consume();
        });
}

std::unique_ptr<sync::Settlement> ChangeLog::settlement(const std::vector<ChangeEntry>& entries) {
    return std::make_unique<Retirement>(driver_, database_, queries_, refused_, entries);
}

ChangeLog::Depth ChangeLog::depth(Deadline deadline) {
    auto session = read_session(driver_, database_, deadline);
    const auto row = session.run(kDepth).single();
    return {integer_of(row[0]), static_cast<double>(integer_of(row[1])) / 1000};
}

}  // namespace crossover::neo4j
