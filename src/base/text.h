#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

/// Numbers, sizes and times as a person reads them, and help with typing errors. All functions are pure.
namespace crossover {

/// "150,000"
std::string with_separators(std::int64_t number);

/// A count and its noun: "1 item", "150,000 items".
std::string counted(std::int64_t number, std::string_view singular, std::string_view plural);

/// Decimal units, two or three digits: "950 B", "1.5 MB", "500 GB".
std::string bytes_text(double bytes);

/// "less than a second", "42 seconds", "3 min 20 s", "12 minutes", "1 h 05 min", "3 days 4 h". Negative and
/// not finite are "unknown".
std::string duration_text(double seconds);

/// "12,345 items/s", "0.8 items/s"
std::string rate_text(double items_per_second);

/// The candidate that `word` was probably meant to be: the smallest edit distance (insertions, deletions,
/// replacements and swaps of neighbours), if that is small for the length of the word.
std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates);

/// Number of insertions, deletions, replacements and swaps of neighbours between two words.
std::size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace crossover
