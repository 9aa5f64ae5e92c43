#pragma once

#include <cstdint>

#include "base/error.h"

namespace crossover::migration {

/// Errors that passed, by whose they were.
struct RiddenOut {
    std::int64_t neo4j = 0;
    std::int64_t milvus = 0;

    void count(const Error& error) { ++(error.system() == System::milvus ? milvus : neo4j); }
    std::int64_t total() const { return neo4j + milvus; }
    friend RiddenOut operator+(const RiddenOut& a, const RiddenOut& b) {
        return {a.neo4j + b.neo4j, a.milvus + b.milvus};
    }
    friend bool operator==(const RiddenOut&, const RiddenOut&) = default;
};

}  // namespace crossover::migration
