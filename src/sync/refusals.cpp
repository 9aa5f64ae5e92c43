#include "sync/refusals.h"

#include <deque>

namespace crossover::sync {

namespace {

/// So many rows refused one by one, and none taken, are no accident.
constexpr std::size_t kNoAccident = 32;

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

Accepted halve(VectorStore& target, const ItemBatch& batch, Deadline deadline, const Error& first_refusal) {
    Accepted accepted;
    const Deadline enough = Deadline::after(deadline.remaining() / 2);
    bool any_taken = false;
    const auto attempt = [&](const Part& part) {
        ItemBatch rows = cut(batch, part);
        try {
            target.upsert(rows, deadline);
            any_taken = true;
            return true;
        } catch (const Error& error) {
            if (!is_refusal(error)) throw;
            if (part.last - part.first == 1) accepted.refused.push_back({part.first, error.what()});
            return part.last - part.first == 1;
        }
    };
    if (batch.rows() == 1) {
        accepted.refused.push_back({0, first_refusal.what()});
        return accepted;
    }
    // The larger parts first, so that what can be taken is found soon.
    std::deque<Part> refused{{0, batch.rows()}};
    for (; !refused.empty(); refused.pop_front()) {
        const auto [first, last] = refused.front();
        const std::size_t middle = first + (last - first) / 2;
        for (const Part& half : {Part{first, middle}, Part{middle, last}}) {
            if (enough.passed()) {
                for (std::size_t row = half.first; row < half.last; ++row) accepted.untried.push_back(row);
            } else if (!attempt(half)) {
                refused.push_back(half);
            }
        }
    }
    if (!any_taken && accepted.refused.size() >= kNoAccident) throw first_refusal;
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
