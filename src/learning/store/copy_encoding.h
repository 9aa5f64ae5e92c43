#pragma once

#include <string>

#include "learning/store/record.h"

/// Rows in the binary form of PostgreSQL's COPY: bytes out, no I/O.
namespace crossover::learning {

/// Names of the columns in the order of encode_row.
std::string_view columns_of(Kind kind);

/// What a COPY … (FORMAT binary) begins and ends with.
std::string_view copy_header();
std::string_view copy_trailer();

void encode_row(const Row& row, std::string& out);

/// Microseconds since 2000, as TIMESTAMPTZ counts, and since 1970.
std::int64_t to_postgres_time(std::int64_t micros_since_1970);
std::int64_t from_postgres_time(std::int64_t micros_since_2000);

}  // namespace crossover::learning
