#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace crossover::http {

/// Path and query of a request, percent-decoded; see Request.
struct Target {
    std::vector<std::string> segments;
    std::vector<std::pair<std::string, std::string>> query;
};

/// Reads "/path?query" or "http://host/path?query". Returns what is wrong with it, as a sentence for the
/// client, or nothing: `target` must be empty at first, and counts only then.
std::optional<std::string_view> parse_target(std::string_view text, Target& target);

}  // namespace crossover::http
