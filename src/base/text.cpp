#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace crossover {

std::string with_separators(std::int64_t number) {
    std::string text = std::to_string(number);
    const std::size_t first = text.front() == '-' ? 1 : 0;
    for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > static_cast<std::ptrdiff_t>(first);
         at -= 3) {
        text.insert(text.begin() + at, ',');
    }
    return text;
}

std::string counted(std::int64_t number, std::string_view singular, std::string_view plural) {
    return fmt::format("{} {}", with_separators(number), number == 1 ? singular : plural);
}

std::string bytes_text(double bytes) {
    static constexpr std::string_view kUnits[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    std::size_t unit = 0;
    // 999.5 would be printed as 1000.
    while (bytes >= 999.5 && unit + 1 < std::size(kUnits)) {
        bytes /= 1000;
        ++unit;
    }
    const bool whole = unit == 0 || bytes >= 9.95;
    return fmt::format("{:.{}f} {}", bytes, whole ? 0 : 1, kUnits[unit]);
}

std::string duration_text(double seconds) {
    if (!std::isfinite(seconds) || seconds < 0) return "unknown";
    if (seconds < 1) return "less than a second";
    auto whole = std::llround(seconds);
    if (whole < 60) return counted(whole, "second", "seconds");
    if (whole < 600) {
        if (whole % 60 == 0) return counted(whole / 60, "minute", "minutes");
        return fmt::format("{} min {:02} s", whole / 60, whole % 60);
    }
    auto minutes = (whole + 30) / 60;
    if (minutes < 60) return counted(minutes, "minute", "minutes");
    if (minutes < 48 * 60) return fmt::format("{} h {:02} min", minutes / 60, minutes % 60);
    const auto hours = (minutes + 30) / 60;
    return fmt::format("{} days {} h", with_separators(hours / 24), hours % 24);
}

std::string rate_text(double items_per_second) {
    if (!std::isfinite(items_per_second) || items_per_second < 0) return "unknown";
    if (items_per_second < 9.95 && items_per_second > 0)
        return fmt::format("{:.1f} items/s", items_per_second);
    return fmt::format("{} items/s", with_separators(std::llround(items_per_second)));
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
    // Three rows of the usual table; the row before the last is for swaps.
    std::vector<std::size_t> two_ago(b.size() + 1), before(b.size() + 1), row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) before[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            row[j] =
                std::min({before[j] + 1, row[j - 1] + 1, before[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = std::min(row[j], two_ago[j - 2] + 1);
            }
        }
        std::swap(two_ago, before);
        std::swap(before, row);
    }
    return before[b.size()];
}

std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates) {
    std::optional<std::string> best;
    // A word that shares less than about two thirds with a candidate was not meant to be it.
    std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
    for (const auto& candidate : candidates) {
        // A beginning of the right word is a good guess however much is missing.
        const bool prefix = word.size() >= 3 && candidate.starts_with(word);
        const std::size_t distance = prefix ? 1 : edit_distance(word, candidate);
        if (distance < best_distance) {
            best_distance = distance;
            best = candidate;
        }
    }
    return best;
}

}  // namespace crossover
