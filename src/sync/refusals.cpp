#include "sync/refusals.h"

#include <vector>

namespace crossover::sync {

namespace {

/// Rows [first, last) of a batch, which were refused together.
struct Part {
    std::size_t first, last;
};

ItemBatch cut(const ItemBatch& batch, const Part& part) {
    ItemBatch rows;
    rows.dimension = batch.dimension;
    for (const auto& column : batch.properties) {
        std::visit(
            [&](const auto& values) {
                rows.properties.push_back({std::decay_t<decltype(values)>(), {}});
            },
            column.values);
    }
    for (std::size_t row = part.first; row < part.last; ++row) append_row(rows, batch, row);
    return rows;
}

/// Of a batch that was refused as a whole.
Accepted halve(VectorStore& target, const ItemBatch& batch, Deadline deadline, const Error& refusal) {
    Accepted accepted;
    const Deadline enough = Deadline::after(deadline.remaining() / 2);
    bool any_taken = false;
    /// Depth first: however little time there is, rows come to be alone, and the next attempt has fewer.
    std::vector<Part> parts;
    const auto split = [&](const Part& part, const Error& error) {
        if (part.last - part.first == 1) {
            accepted.refused.push_back({part.first, error.what()});
            return;
        }
        const std::size_t middle = part.first + (part.last - part.first) / 2;
        parts.push_back({middle, part.last});
        parts.push_back({part.first, middle});
    };
    split({0, batch.rows()}, refusal);
    while (!parts.empty()) {
        const Part part = parts.back();
        parts.pop_back();
        if (enough.passed()) {
            for (std::size_t row = part.first; row < part.last; ++row) accepted.untried.push_back(row);
            continue;
        }
        ItemBatch rows = cut(batch, part);
        try {
            target.upsert(rows, deadline);
            any_taken = true;
        } catch (const Error& error) {
            if (!is_refusal(error)) throw;
            split(part, error);
        }
    }
    if (!any_taken) target.require_same_shape(deadline);
    return accepted;
}

}  // namespace

bool is_refusal(const Error& error) {
    return error.system() == System::milvus &&
           (error.kind() == ErrorKind::rejected || error.kind() == ErrorKind::too_large);
}

Accepted upsert_what_is_taken(VectorStore& target, ItemBatch& batch, Deadline deadline) {
    try {
        target.upsert(batch, deadline);
        return {};
    } catch (const Error& error) {
        if (!is_refusal(error)) throw;
        auto accepted = halve(target, batch, deadline, error);
        batch.vectors.clear();
        return accepted;
    }
}

}  // namespace crossover::sync
