#include "sync/item_batch.h"

namespace crossover::sync {

ItemBatch make_batch(const MediaMapping& mapping) {
    ItemBatch batch;
    batch.dimension = mapping.dimension;
    for (const auto& property : mapping.properties) {
        PropertyColumn& column = batch.properties.emplace_back();
        switch (property.type) {
            case PropertyType::boolean:
                column.values.emplace<0>();
                break;
            case PropertyType::int64:
                column.values.emplace<1>();
                break;
            case PropertyType::float64:
                column.values.emplace<2>();
                break;
            case PropertyType::text:
                column.values.emplace<3>();
                break;
        }
    }
    return batch;
}

void clear(ItemBatch& batch) {
    batch.ids.clear();
    batch.versions.clear();
    batch.vectors.clear();
    for (auto& column : batch.properties) {
        std::visit([](auto& values) { values.clear(); }, column.values);
        column.present.clear();
    }
}

void append_row(ItemBatch& batch, const ItemBatch& from, std::size_t row) {
    batch.ids.push_back(from.ids[row]);
    batch.versions.push_back(from.versions[row]);
    const auto first = from.vectors.begin() + static_cast<std::ptrdiff_t>(row * from.dimension);
    batch.vectors.insert(batch.vectors.end(), first, first + from.dimension);
    for (std::size_t i = 0; i < batch.properties.size(); ++i) {
        std::visit(
            [&](auto& values) {
                values.push_back(std::get<std::decay_t<decltype(values)>>(from.properties[i].values)[row]);
            },
            batch.properties[i].values);
        batch.properties[i].present.push_back(from.properties[i].present[row]);
    }
}

void pop_back(ItemBatch& batch) {
    batch.ids.pop_back();
    batch.versions.pop_back();
    batch.vectors.resize(batch.vectors.size() - batch.dimension);
    for (auto& column : batch.properties) {
        std::visit([](auto& values) { values.pop_back(); }, column.values);
        column.present.pop_back();
    }
}

std::optional<ItemId> id_of(const Rejected& rejected) {
    if (const auto* text = std::get_if<std::string>(&rejected.id)) return ItemId(*text);
    if (const auto* number = std::get_if<std::int64_t>(&rejected.id)) return ItemId(*number);
    return std::nullopt;
}

std::string_view to_string(RejectionReason reason) {
    switch (reason) {
        case RejectionReason::wrong_dimension:
            return "wrong_dimension";
        case RejectionReason::not_a_list:
            return "not_a_list";
        case RejectionReason::not_numeric:
            return "not_numeric";
        case RejectionReason::not_finite:
            return "not_finite";
        case RejectionReason::zero_vector:
            return "zero_vector";
        case RejectionReason::id_missing:
            return "id_missing";
        case RejectionReason::id_wrong_type:
            return "id_wrong_type";
        case RejectionReason::id_duplicate:
            return "id_duplicate";
        case RejectionReason::id_too_long:
            return "id_too_long";
        case RejectionReason::id_not_storable:
            return "id_not_storable";
        case RejectionReason::property_type:
            return "property_type";
        case RejectionReason::property_too_long:
            return "property_too_long";
        case RejectionReason::refused_by_server:
            return "refused_by_server";
    }
    return "unknown";
}

}  // namespace crossover::sync
