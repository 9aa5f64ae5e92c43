#include "migration/validate/target_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/retry.h"

namespace crossover::migration {

namespace {

constexpr std::chrono::seconds kReadDeadline{60};

}  // namespace

MilvusReader::MilvusReader(milvus::Client& client, milvus::CollectionRef collection,
                           const sync::MediaMapping& mapping, std::stop_token stop)
    : client_(&client), collection_(std::move(collection)), stop_(std::move(stop)) {
    all_fields_.vector = true;
    all_fields_.version = true;
    for (const auto& property : mapping.properties) all_fields_.properties.push_back(property.field);
}

milvus::ColumnBatch MilvusReader::in_mapping_order(milvus::ColumnBatch batch, Content content) const {
    if (content == Content::ids || batch.empty()) return batch;
    std::vector<milvus::Column> columns;
    for (const auto& name : all_fields_.properties) {
        const auto found = std::find_if(batch.properties.begin(), batch.properties.end(),
                                        [&](const milvus::Column& column) { return column.name == name; });
        if (found == batch.properties.end()) {
            throw Error(System::milvus, ErrorKind::protocol,
                        fmt::format("{} answered a query of {} without the field {}", client_->address(),
                                    collection_.name, name));
        }
        columns.push_back(std::move(*found));
    }
    batch.properties = std::move(columns);
    return batch;
}

void MilvusReader::begin() {
    Retry{kTenTimes, stop_}([&] { client_->see_all_until_now(Deadline::after(kReadDeadline)); });
}

milvus::ColumnBatch MilvusReader::page(const milvus::IdRange& range, std::size_t limit, Content content) {
    return Retry{kTenTimes, stop_}([&] {
        return in_mapping_order(
            client_->query_page(collection_, range, limit, fields(content), milvus::Consistency::session,
                                Deadline::after(kReadDeadline)),
            content);
    });
}

milvus::ColumnBatch MilvusReader::by_ids(std::span<const ItemId> ids, Content content) {
    return Retry{kTenTimes, stop_}([&] {
        return in_mapping_order(
            client_->query_by_ids(collection_, ids, fields(content), milvus::Consistency::strong,
                                  Deadline::after(kReadDeadline)),
            content);
    });
}

}  // namespace crossover::migration
