#include "migrate/fenced_version_check.h"

#include <fmt/format.h>

#include "core/error.h"
#include "neo4j/row_decoder.h"

namespace crossover::migrate {

namespace {

ItemId take_id(bolt::Decoder& fields) {
    if (fields.peek() == bolt::Type::integer) {
        std::int64_t number = 0;
        fields.read_int(number);
        return number;
    }
    std::string_view text;
    if (fields.peek() == bolt::Type::string) {
        fields.read_string(text);
    } else {
        fields.skip();
    }
    return std::string(text);
}

/// How often each row was found as it was written: once is unchanged; otherwise it changed, went, or is
/// ambiguous.
class Sightings {
  public:
    explicit Sightings(const WrittenRows& rows) : rows_(rows), seen_(rows.ids.size(), 0) {}

    void see(std::size_t row, const ItemId& id, std::int64_t version) {
        if (row >= seen_.size()) return;
        const bool same = rows_.ids[row] == id && rows_.versions[row] == version;
        seen_[row] = same && seen_[row] == 0 ? 1 : 2;
    }

    std::vector<std::size_t> changed() const {
        std::vector<std::size_t> rows;
        for (std::size_t i = 0; i < seen_.size(); ++i) {
            if (seen_[i] != 1) rows.push_back(i);
        }
        return rows;
    }

  private:
    const WrittenRows& rows_;
    std::vector<int> seen_;
};

}  // namespace

std::vector<std::size_t> FencedVersionCheck::changed(const WrittenRows& rows, Deadline deadline) {
    bolt::SessionConfig config;
    config.database = database_;
    config.access = bolt::AccessMode::write;
    config.fetch_size = -1;
    config.timeout = deadline.remaining();
    auto session = driver_.session(std::move(config));
    const auto before = Deadline::Clock::now();
    auto transaction = session.begin();
    lease_.renew_in(transaction);

    Sightings sightings(rows);
    bolt::RecordView record;
    const auto checked = [&] {
        if (!record.fields.ok()) {
            throw Error(System::neo4j, ErrorKind::protocol, "Neo4j sent a record that can't be decoded.");
        }
    };
    if (rows.element_ids.empty()) {
        // Rows and answer are in the order of the index, so a row is found by going on from the last one.
        auto result = transaction.run(queries_.versions_in_range(rows.keys, false),
                                      neo4j::MediaQueries::range_parameters(rows.keys));
        std::size_t next = 0;
        while (result.next(record)) {
            const ItemId id = take_id(record.fields);
            const std::int64_t version = neo4j::read_version(record.fields);
            checked();
            if (next > 0 && rows.ids[next - 1] == id) {
                sightings.see(next - 1, id, version);
                continue;
            }
            std::size_t row = next;
            while (row < rows.ids.size() && rows.ids[row] < id) ++row;
            if (row == rows.ids.size() || rows.ids[row] != id) continue;
            sightings.see(row, id, version);
            next = row + 1;
        }
    } else {
        const bolt::List elements(rows.element_ids.begin(), rows.element_ids.end());
        auto result = transaction.run(queries_.versions_by_element(), {{"elements", elements}});
        while (result.next(record)) {
            std::int64_t row = 0;
            record.fields.read_int(row);
            const ItemId id = take_id(record.fields);
            const std::int64_t version = neo4j::read_version(record.fields);
            checked();
            sightings.see(static_cast<std::size_t>(row), id, version);
        }
    }
    transaction.commit();
    lease_.confirm(before);
    return sightings.changed();
}

}  // namespace crossover::migrate
