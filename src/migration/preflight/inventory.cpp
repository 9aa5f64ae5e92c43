#include "migration/preflight/inventory.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/clock.h"
#include "bolt/driver.h"
#include "neo4j/cypher.h"
#include "neo4j/label_sample.h"
#include "neo4j/media_query.h"
#include "neo4j/media_store.h"
#include "neo4j/read_session.h"

namespace crossover::migration {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kBatchRows = 1000;

// A sample answers within ten seconds whatever the label's size: these are parts of them.
constexpr auto kCountTime = 3s;
constexpr auto kSampleTime = 2s;
constexpr auto kPaceTime = 1s;

void count_bad(Inventory& inventory, const sync::Rejected& rejected) {
    ++inventory.bad[std::string(sync::to_string(rejected.reason))];
    if (!rejected.narrow) return;
    if (inventory.narrow++ == 0) inventory.narrow_example = rejected.detail;
}

/// Adds the lengths of these nodes' embeddings; of all where there is no list of nodes. Only lists (and, by
/// their own function, vectors) have a length.
void add_dimensions(Inventory& inventory, bolt::Session& session,
                    const std::optional<std::span<const std::string>>& elements) {
    const auto query = fmt::format(
        "MATCH (m:{}) WHERE {}m.{} IS NOT NULL WITH m.{} AS e "
        "WITH CASE WHEN e IS :: LIST<ANY> THEN size(e) END AS dimension WHERE dimension IS NOT NULL "
        "RETURN dimension, count(*)",
        neo4j::quote_name(inventory.mapping.label), elements ? "elementId(m) IN $elements AND " : "",
        neo4j::quote_name(inventory.mapping.embedding_property),
        neo4j::quote_name(inventory.mapping.embedding_property));
    auto result = session.run(
        query, elements ? neo4j::MediaQueries::elements_parameter(*elements) : bolt::Parameters());
    while (const auto row = result.next()) {
        inventory.dimensions[neo4j::integer_of(row->at(0))] += neo4j::integer_of(row->at(1));
    }
}

void read_all(Inventory& inventory, neo4j::MediaStore& store, bolt::Session& session,
              const std::function<void(std::int64_t, std::int64_t)>& on_progress,
              const std::stop_token& stop) {
    const auto expected = store.count_with_embedding();
    inventory.missing = store.count_without_embedding();
    add_dimensions(inventory, session, std::nullopt);
    const auto started = Clock::now();
    store.scan({}, kBatchRows, [&](sync::ScannedBatch&& batch) {
        inventory.items += static_cast<std::int64_t>(batch.read());
        // What changed while it was read is looked at again by the copy.
        inventory.valid += static_cast<std::int64_t>(batch.items.rows() + batch.to_resync.size());
        for (const auto& rejected : batch.rejected) count_bad(inventory, rejected);
        on_progress(inventory.items, expected);
        return !stop.stop_requested();
    });
    if (store.ordered() && !stop.stop_requested()) {
        store.scan_foreign_ids([&](const sync::Rejected& rejected) {
            ++inventory.items;
            count_bad(inventory, rejected);
        });
    }
    inventory.read_seconds = seconds_since(started);
    inventory.sample_items = inventory.items;
}

/// Nodes of the label with an embedding, where they can be counted in the time that there is for it.
std::optional<std::int64_t> count_in_time(bolt::Session& session, const sync::MediaMapping& mapping) {
    try {
        auto result = session.run(neo4j::MediaQueries(mapping).count_with_embedding(), {},
                                  {.deadline = Deadline::after(kCountTime)});
        return neo4j::integer_of(result.single().at(0));
    } catch (const Error& error) {
        const bool too_slow =
            error.kind() == ErrorKind::timeout ||
            error.native_code().starts_with("Neo.ClientError.Transaction.TransactionTimedOut");
        if (!too_slow) throw;
        return std::nullopt;
    }
}

/// Items per second as the copy's readers get them; empty where ids have no order to read them in.
std::optional<double> reading_pace(neo4j::MediaStore& store, const std::stop_token& stop) {
    if (!store.ordered()) return std::nullopt;
    std::int64_t read = 0;
    const auto started = Clock::now();
    store.scan({}, kBatchRows, [&](sync::ScannedBatch&& batch) {
        read += static_cast<std::int64_t>(batch.read());
        return read < static_cast<std::int64_t>(2 * neo4j::kSampleNodes) &&
               Clock::now() - started < kPaceTime && !stop.stop_requested();
    });
    if (read == 0) return std::nullopt;
    return static_cast<double>(read) / seconds_since(started);
}

void read_sample(Inventory& inventory, const neo4j::LabelSample& sample, neo4j::MediaStore& store,
                 bolt::Session& session, const std::function<void(std::int64_t, std::int64_t)>& on_progress,
                 const std::stop_token& stop) {
    inventory.sampled = true;
    const auto counted = count_in_time(session, inventory.mapping);
    const auto started = Clock::now();
    std::size_t nodes = 0;
    while (nodes < sample.elements.size() && Clock::now() - started < kSampleTime && !stop.stop_requested()) {
        const auto some = std::span(sample.elements)
                              .subspan(nodes)
                              .first(std::min(kBatchRows, sample.elements.size() - nodes));
        inventory.sample_items +=
            store.judge(some, [&](const sync::Rejected& rejected) { count_bad(inventory, rejected); });
        add_dimensions(inventory, session, some);
        nodes += some.size();
        on_progress(static_cast<std::int64_t>(nodes), static_cast<std::int64_t>(sample.elements.size()));
    }
    const double sample_pace = static_cast<double>(inventory.sample_items) / seconds_since(started);
    inventory.items_exact = counted.has_value();
    inventory.items = counted.value_or(
        std::llround(static_cast<double>(sample.nodes) * static_cast<double>(inventory.sample_items) /
                     static_cast<double>(std::max<std::size_t>(nodes, 1))));
    inventory.missing = std::max<std::int64_t>(0, sample.nodes - inventory.items);
    if (inventory.sample_items == 0) {
        // One item in ten thousand: what the sample would say is nothing.
        inventory.valid = inventory.items;
    } else {
        std::int64_t bad = 0;
        for (const auto& [reason, items] : inventory.bad) bad += items;
        inventory.valid = std::llround(static_cast<double>(inventory.items) *
                                       static_cast<double>(inventory.sample_items - bad) /
                                       static_cast<double>(inventory.sample_items));
    }
    const double pace = reading_pace(store, stop).value_or(sample_pace);
    inventory.read_seconds = pace > 0 ? static_cast<double>(inventory.items) / pace : 0;
}

}  // namespace

double Inventory::items_per_second() const {
    return read_seconds > 0 ? static_cast<double>(items) / read_seconds : 0;
}

Inventory take_inventory(bolt::Driver& driver, const std::string& database, sync::MediaMapping mapping,
                         bool full, const std::function<void(std::int64_t, std::int64_t)>& on_progress,
                         const std::stop_token& stop) {
    Inventory inventory;
    auto session = neo4j::scan_session(driver, database);
    const auto sample = neo4j::draw_sample(session, mapping.label);
    inventory.values = neo4j::infer_mapping(driver, database, mapping, sample);
    inventory.mapping = mapping;
    inventory.ids = neo4j::inspect_id_support(driver, database, mapping);
    neo4j::MediaStore store(driver, database, mapping, inventory.ids.ordered);
    if (full || sample.whole()) {
        read_all(inventory, store, session, on_progress, stop);
    } else {
        read_sample(inventory, sample, store, session, on_progress, stop);
    }
    if (stop.stop_requested()) throw Error(System::internal, ErrorKind::cancelled, "Interrupted.");
    return inventory;
}

}  // namespace crossover::migration
