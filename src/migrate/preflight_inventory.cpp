#include <fmt/format.h>

#include <chrono>

#include "bolt/driver.h"
#include "migrate/preflight.h"
#include "neo4j/cypher.h"
#include "neo4j/media_store.h"

namespace crossover::migrate {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kBatchRows = 1000;
constexpr std::chrono::minutes kCountDeadline{30};

/// Only lists (and, by their own function, vectors) have a dimension.
std::map<std::int64_t, std::int64_t> histogram(bolt::Driver& driver, const std::string& database,
                                               const sync::MediaMapping& mapping) {
    bolt::SessionConfig config;
    config.database = database;
    config.access = bolt::AccessMode::read;
    config.timeout = kCountDeadline;
    auto session = driver.session(config);
    auto result = session.run(fmt::format(
        "MATCH (m:{}) WHERE m.{} IS NOT NULL WITH m.{} AS e "
        "WITH CASE WHEN e IS :: LIST<ANY> THEN size(e) END AS dimension WHERE dimension IS NOT NULL "
        "RETURN dimension, count(*)",
        neo4j::quote_name(mapping.label), neo4j::quote_name(mapping.embedding_property),
        neo4j::quote_name(mapping.embedding_property)));
    std::map<std::int64_t, std::int64_t> dimensions;
    while (const auto row = result.next()) {
        const auto* dimension = row->at(0).get_if<std::int64_t>();
        const auto* items = row->at(1).get_if<std::int64_t>();
        if (dimension != nullptr && items != nullptr) dimensions[*dimension] = *items;
    }
    return dimensions;
}

}  // namespace

double Inventory::items_per_second() const {
    return read_seconds > 0 ? static_cast<double>(items) / read_seconds : 0;
}

Inventory take_inventory(bolt::Driver& driver, const std::string& database, sync::MediaMapping mapping,
                         const std::function<void(std::int64_t, std::int64_t)>& on_progress,
                         const std::stop_token& stop) {
    Inventory inventory;
    neo4j::infer_mapping(driver, database, mapping);
    inventory.mapping = mapping;
    inventory.ids = neo4j::inspect_id_support(driver, database, mapping);
    neo4j::MediaStore store(driver, database, mapping, inventory.ids.ordered);
    const auto expected = store.count_with_embedding(Deadline::after(kCountDeadline));
    inventory.missing = store.count_without_embedding(Deadline::after(kCountDeadline));
    inventory.dimensions = histogram(driver, database, mapping);
    const auto started = Clock::now();
    store.scan({}, kBatchRows, [&](sync::ScannedBatch&& batch) {
        inventory.items += static_cast<std::int64_t>(batch.read());
        // What changed while it was read is looked at again by the copy.
        inventory.valid += static_cast<std::int64_t>(batch.items.rows() + batch.unsettled.size());
        for (const auto& rejected : batch.rejected) {
            ++inventory.bad[std::string(sync::to_string(rejected.reason))];
        }
        on_progress(inventory.items, expected);
        return !stop.stop_requested();
    });
    if (stop.stop_requested()) throw Error(System::internal, ErrorKind::cancelled, "Interrupted.");
    if (store.ordered()) {
        store.scan_foreign_ids([&](const sync::Rejected& rejected) {
            ++inventory.items;
            ++inventory.bad[std::string(sync::to_string(rejected.reason))];
        });
    }
    inventory.read_seconds = std::chrono::duration<double>(Clock::now() - started).count();
    return inventory;
}

}  // namespace crossover::migrate
