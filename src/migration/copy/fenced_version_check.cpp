#include "migration/copy/fenced_version_check.h"

#include "base/error.h"
#include "neo4j/row_decoder.h"

namespace crossover::migration {

namespace {

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

/// id, version of the record. An id that has become neither a string nor an integer is an empty one: the row
/// has changed.
std::pair<ItemId, std::int64_t> take_row(bolt::Decoder& fields) {
    ItemId id;
    if (fields.peek() == bolt::Type::string || fields.peek() == bolt::Type::integer) {
        neo4j::read_id(fields, id);
    } else {
        fields.skip();
    }
    const std::int64_t version = neo4j::read_version(fields);
    if (!fields.ok()) {
        throw Error(System::neo4j, ErrorKind::protocol, "Neo4j sent a record that can't be decoded.");
    }
    return {std::move(id), version};
}

/// Rows and answer are in the order of the index, so a row is found by going on from the last one.
void see_in_order(bolt::Result result, const WrittenRows& rows, Sightings& sightings) {
    bolt::RecordView record;
    std::size_t next = 0;
    while (result.next(record)) {
        const auto [id, version] = take_row(record.fields);
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
}

void see_by_position(bolt::Result result, Sightings& sightings) {
    bolt::RecordView record;
    while (result.next(record)) {
        std::int64_t row = 0;
        record.fields.read_int(row);
        const auto [id, version] = take_row(record.fields);
        sightings.see(static_cast<std::size_t>(row), id, version);
    }
}

}  // namespace

std::vector<std::size_t> FencedVersionCheck::changed(std::span<const ItemId> ids,
                                                     std::span<const sync::Presence> before,
                                                     std::span<const sync::Rejected> rejected,
                                                     Deadline deadline) {
    std::vector<std::size_t> changed;
    lease_.transact(deadline, [&](bolt::Transaction& transaction) {
        const auto look = refused_.look(transaction, queries_, ids, indexed_);
        changed = refused_.record(transaction, ids, before, look, rejected);
    });
    return changed;
}

std::vector<std::size_t> FencedVersionCheck::changed(const WrittenRows& rows, Deadline deadline) {
    Sightings sightings(rows);
    lease_.transact(deadline, [&](bolt::Transaction& transaction) {
        if (rows.element_ids.empty()) {
            see_in_order(transaction.run(queries_.versions_in_range(rows.keys, false),
                                         neo4j::MediaQueries::range_parameters(rows.keys)),
                         rows, sightings);
        } else {
            const bolt::List elements(rows.element_ids.begin(), rows.element_ids.end());
            see_by_position(transaction.run(queries_.versions_by_element(), {{"elements", elements}}),
                            sightings);
        }
    });
    return sightings.changed();
}

}  // namespace crossover::migration
