#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

/// The rule of deletions: no run deletes what was not asked for. A wrong label, database or address makes all
/// rows look as if their source had gone; so a run that finds many of them gone asks first.
namespace crossover {

/// True where a run that is to delete `rows` of the `found` rows that are there must be allowed to: more than
/// 100, and more than a tenth of them. `rows` are counted before the first is deleted.
bool needs_permission_to_delete(std::int64_t rows, std::int64_t found) noexcept;
/// As many as it may delete of them without being asked.
std::int64_t most_to_delete(std::int64_t found) noexcept;

/// What a run says that is not allowed to (`not_ready`, so exit code 5): "<where>: 3,000 of 3,000 rows …".
/// `where` is the server and the table or collection, `gone` why they would be deleted ("Neo4j no longer has
/// them"). Names --allow-deletes.
Error deletion_refused(System system, std::int64_t rows, std::int64_t found, std::string_view where,
                       std::string_view gone);

}  // namespace crossover
