#include "neo4j/refused_items.h"

#include <fmt/format.h>

#include <unordered_map>
#include <unordered_set>

#include "base/error.h"
#include "neo4j/cypher.h"

namespace crossover::neo4j {

namespace {

constexpr const char* kIndex =
    "CREATE INDEX crossover_refused_key IF NOT EXISTS FOR (r:RefusedItem) ON (r.key)";

/// The Cypher of a record's key, of `id`, which is itself an expression: collection, colon, and as much of
/// the id as an index surely takes (its limit is some 8,000 bytes). That tells almost all ids apart, and
/// media_id the rest.
std::string match(const std::string& id) {
    return fmt::format(
        "MATCH (r:RefusedItem {{key: $collection + ':' + left(toString({0}), 1900)}}) "
        "WHERE r.media_id = {0} ",
        id);
}

const std::string& records_by_position() {
    static const std::string query = "UNWIND range(0, size($ids) - 1) AS i " + match("$ids[i]");
    return query;
}

const std::string& forget_by_id() {
    static const std::string query = "UNWIND $ids AS id " + match("id") + "DELETE r";
    return query;
}

constexpr const char* kRecord =
    "UNWIND $records AS record "
    "MERGE (r:RefusedItem {key: $collection + ':' + left(toString(record[0]), 1900), media_id: record[0]}) "
    "SET r.collection = $collection, r.version = record[1], r.reason = record[2]";
constexpr const char* kForgetSome =
    "MATCH (r:RefusedItem) WHERE r.key STARTS WITH $collection + ':' WITH r LIMIT 10000 DELETE r "
    "RETURN count(*)";

/// An ambiguous id has no version: its record is one of this reason.
std::string_view ambiguous() {
    return to_string(sync::RejectionReason::id_duplicate);
}

}  // namespace

RefusedItems::RefusedItems(const sync::MediaMapping& mapping) : collection_(mapping.collection) {}

void RefusedItems::prepare(bolt::Driver& driver, const std::string& database) {
    driver.session({.database = database}).run(kIndex).consume();
}

bolt::Parameters RefusedItems::parameters(std::span<const ItemId> ids) const {
    auto parameters = MediaQueries::ids_parameter(ids);
    parameters.add("collection", collection_);
    return parameters;
}

RefusedItems::Look RefusedItems::look(bolt::Transaction& transaction, const MediaQueries& queries,
                                      std::span<const ItemId> ids, bool indexed) const {
    // One statement for both: a version check costs the same round trips whether there are records or not.
    const auto records = records_by_position() + "RETURN -1 - i AS i, r.version AS version";
    Look look;
    if (indexed) {
        look.presences = read_presences(
            transaction.run(queries.versions_by_id(true) + " UNION ALL " + records, parameters(ids)), ids,
            true, &look.recorded);
    } else {
        look.presences = read_presences(
            transaction.run(queries.versions_by_id(false), MediaQueries::ids_parameter(ids)), ids, false);
        read_presences(transaction.run(records, parameters(ids)), ids, true, &look.recorded);
    }
    return look;
}

std::vector<std::size_t> RefusedItems::record(bolt::Transaction& transaction, std::span<const ItemId> ids,
                                              std::span<const sync::Presence> before, const Look& look,
                                              std::span<const sync::Rejected> rejected) const {
    std::vector<std::size_t> changed;
    for (std::size_t i = 0; i < ids.size(); ++i) {
        if (look.presences[i] != before[i]) changed.push_back(i);
    }
    if (look.recorded.empty() && rejected.empty()) return changed;

    std::unordered_map<ItemId, sync::RejectionReason> reasons;
    for (const auto& item : rejected) {
        if (auto id = sync::id_of(item)) reasons.emplace(*std::move(id), item.reason);
    }
    bolt::List records;
    for (std::size_t i = 0; i < ids.size(); ++i) {
        const auto found = reasons.find(ids[i]);
        if (found == reasons.end() || look.presences[i] != before[i]) continue;
        records.push_back(
            bolt::List{to_value(ids[i]), before[i].version, std::string(to_string(found->second))});
    }
    std::unordered_set<ItemId> rows;
    for (const std::size_t i : look.recorded) {
        if (look.presences[i] == before[i] && !reasons.contains(ids[i])) rows.insert(ids[i]);
    }
    if (!records.empty()) {
        transaction.run(kRecord, {{"records", std::move(records)}, {"collection", collection_}}).consume();
    }
    if (!rows.empty()) {
        const std::vector<ItemId> forgotten(rows.begin(), rows.end());
        transaction.run(forget_by_id(), parameters(forgotten)).consume();
    }
    return changed;
}

std::vector<bool> RefusedItems::quarantined(bolt::Session session, std::span<const ItemId> ids,
                                            std::span<const sync::Presence> present) const {
    std::vector<bool> known(ids.size());
    auto result = session.run(records_by_position() + "RETURN i, r.version, r.reason", parameters(ids));
    for (const auto& row : result.collect()) {
        const auto position = static_cast<std::size_t>(integer_of(row[0]));
        if (position >= ids.size()) continue;
        const auto& now = present[position];
        const bool is_ambiguous = text_of(row[2]) == ambiguous();
        if (now.state == sync::Presence::State::ambiguous
                ? is_ambiguous
                : !is_ambiguous && integer_of(row[1]) == now.version) {
            known[position] = true;
        }
    }
    return known;
}

bool RefusedItems::forget_some(bolt::Transaction& transaction) const {
    return integer_of(transaction.run(kForgetSome, {{"collection", collection_}}).single()[0]) > 0;
}

}  // namespace crossover::neo4j
