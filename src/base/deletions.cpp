#include "base/deletions.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace crossover {

bool needs_permission_to_delete(std::int64_t rows, std::int64_t found) noexcept {
    return rows > most_to_delete(found);
}

std::int64_t most_to_delete(std::int64_t found) noexcept {
    return std::max<std::int64_t>(100, found / 10);
}

Error deletion_refused(System system, std::int64_t rows, std::int64_t found, std::string_view where,
                       std::string_view gone) {
    return Error(
        system, ErrorKind::not_ready,
        fmt::format("{}: {} of {} rows would be deleted, since {}; none of them was. Is this the right "
                    "source? If they are to go, run again with --allow-deletes.",
                    where, with_separators(rows), with_separators(found), gone));
}

}  // namespace crossover
