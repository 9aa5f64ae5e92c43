#include "neo4j/media_writer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <atomic>

#include "base/clock.h"
#include "base/error.h"
#include "base/unique_name.h"
#include "neo4j/cypher.h"
#include "neo4j/read_session.h"
#include "neo4j/value_text.h"

namespace crossover::neo4j {

namespace {

// The node's lock comes by the first SET; only what is read behind it is sure to be the last word.
constexpr const char* kLockOrMake =
    "MERGE (m:{label} {{{id}: $id}}) ON CREATE SET m.crossover_touched = 1 ON MATCH SET m.crossover_touched "
    "= 0 "
    "WITH m, m.crossover_touched = 1 AS created, m.{version} AS previous ";
constexpr const char* kLock =
    "MATCH (m:{label} {{{id}: $id}}) SET m.crossover_touched = 0 WITH m, false AS created, m.{version} AS "
    "previous ";
constexpr const char* kFreshVersion =
    "WITH m, created, CASE WHEN previous IS :: INTEGER NOT NULL AND previous >= $now THEN previous + 1 ELSE "
    "$now "
    "END AS version ";
constexpr const char* kStore =
    "SET m += $properties{embedding}, m.{version} = version REMOVE m.crossover_touched ";
constexpr const char* kCapture =
    "CREATE (:EmbeddingChange {{collection: $collection, key: $key, media_id: $id, version: version, op: "
    "'{op}', created_at: "
    "timestamp(), "
    "owner: $owner, lease: timestamp() + $lease}}) ";

std::string with_names(const char* text, const sync::MediaMapping& mapping) {
    return fmt::format(fmt::runtime(text), fmt::arg("label", quote_name(mapping.label)),
                       fmt::arg("id", quote_name(mapping.id_property)),
                       fmt::arg("version", quote_name(mapping.version_property)));
}

std::string put_statement(const sync::MediaMapping& mapping, Capture capture, bool with_embedding) {
    std::string text = with_names(kLockOrMake, mapping) + kFreshVersion;
    const auto embedding =
        with_embedding ? fmt::format(", m.{} = $embedding", quote_name(mapping.embedding_property)) : "";
    text += fmt::format(fmt::runtime(kStore), fmt::arg("embedding", embedding),
                        fmt::arg("version", quote_name(mapping.version_property)));
    if (capture == Capture::on) {
        text += "WITH m, created, version ";
        text += fmt::format(fmt::runtime(kCapture), fmt::arg("op", "put"));
    }
    return text + "RETURN version, created";
}

std::string erase_statement(const sync::MediaMapping& mapping, Capture capture) {
    std::string text = with_names(kLock, mapping) + kFreshVersion;
    if (capture == Capture::on) {
        text += fmt::format(fmt::runtime(kCapture), fmt::arg("op", "delete"));
        text += "WITH m, created, version ";
    }
    return text + "DETACH DELETE m RETURN version, created";
}

std::string read_statement(const sync::MediaMapping& mapping) {
    std::vector<std::string> columns = {"m." + quote_name(mapping.version_property),
                                        "m." + quote_name(mapping.embedding_property)};
    for (const auto& property : mapping.properties) columns.push_back(text_column("m", property));
    return fmt::format("MATCH (m:{} {{{}: $id}}) RETURN {} LIMIT 1", quote_name(mapping.label),
                       quote_name(mapping.id_property), fmt::join(columns, ", "));
}

}  // namespace

MediaWriter::MediaWriter(bolt::Driver& driver, std::string database, const sync::MediaMapping& mapping,
                         std::string owner)
    : driver_(driver),
      database_(std::move(database)),
      mapping_(mapping),
      owner_(std::move(owner)),
      plain_{put_statement(mapping, Capture::off, false), put_statement(mapping, Capture::off, true),
             erase_statement(mapping, Capture::off)},
      captured_{put_statement(mapping, Capture::on, false), put_statement(mapping, Capture::on, true),
                erase_statement(mapping, Capture::on)},
      read_(read_statement(mapping)) {}

std::int64_t MediaWriter::now() {
    static std::atomic<std::int64_t> last = 0;
    const std::int64_t clock = unix_us();
    std::int64_t former = last;
    while (!last.compare_exchange_weak(former, std::max(former + 1, clock))) {
    }
    return std::max(former + 1, clock);
}

Written MediaWriter::put(const MediaItem& item, Capture capture, Deadline deadline) {
    bolt::Map properties;
    for (std::size_t i = 0; i < mapping_.properties.size(); ++i) {
        properties.append(mapping_.properties[i].name, item.properties[i]);
    }
    bolt::Parameters parameters{{"properties", std::move(properties)}};
    if (item.embedding) {
        parameters.add("embedding", [&numbers = *item.embedding](bolt::Encoder& encoder) {
            encoder.write_list_header(numbers.size());
            for (const double number : numbers) encoder.write_float(number);
        });
    }
    const auto& statements = capture == Capture::on ? captured_ : plain_;
    return *write(item.embedding ? statements.put_with_embedding : statements.put, std::move(parameters),
                  item.id, capture, deadline);
}

std::optional<Written> MediaWriter::erase(const ItemId& id, Capture capture, Deadline deadline) {
    return write(capture == Capture::on ? captured_.erase : plain_.erase, {}, id, capture, deadline);
}

std::optional<Written> MediaWriter::write(const std::string& query, bolt::Parameters parameters,
                                          const ItemId& id, Capture capture, Deadline deadline) {
    const auto key = unique_name();
    parameters.add("id", to_value(id)).add("now", now());
    if (capture == Capture::on) {
        parameters.add("collection", mapping_.collection)
            .add("key", key)
            .add("owner", owner_)
            .add("lease", std::chrono::milliseconds(ChangeLog::kFreshLease).count());
    }
    auto session = driver_.session({.database = database_, .fetch_size = -1, .deadline = deadline});
    for (;;) {
        const auto before = Deadline::Clock::now();  // its lease begins later, when the statement does
        try {
            const auto rows = session.execute_write(
                [&](bolt::Transaction& transaction) { return transaction.run(query, parameters).collect(); });
            if (rows.empty()) return std::nullopt;
            Written written{integer_of(rows[0][0]), rows[0][1] == bolt::Value(true), std::nullopt,
                            Deadline::at(before + ChangeLog::kFreshLease)};
            if (capture == Capture::on) written.entry = ChangeEntry{key, id, owner_};
            return written;
        } catch (const Error& error) {
            // The node went away between being found and being locked: as if it had never been found.
            if (error.native_code() != "Neo.ClientError.Statement.EntityNotFound" || deadline.passed()) throw;
        }
    }
}

std::optional<MediaItem> MediaWriter::read(const ItemId& id, Deadline deadline) {
    auto session = read_session(driver_, database_, deadline);
    auto result = session.run(read_, {{"id", to_value(id)}});
    const auto row = result.next();
    if (!row) return std::nullopt;
    MediaItem item{id, numbers_of(row->at(1)), {row->begin() + 2, row->end()}, integer_of(row->at(0))};
    return item;
}

}  // namespace crossover::neo4j
