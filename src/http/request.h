#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace crossover::http {

/// A complete request, as handlers get it. Paths and queries are percent-decoded, valid UTF-8 without NUL;
/// the body is whatever bytes came. A plain value.
struct Request {
    std::string method;  ///< "GET"; HEAD comes as GET
    /// Between the slashes of the path; an encoded slash (%2F) does not separate. "/" has none, and
    /// "/a/" is "a" and "".
    std::vector<std::string> segments;
    /// The segments that the {names} of the route stand for. Never empty texts.
    std::map<std::string, std::string, std::less<>> parameters;
    /// In the order they came; '+' is a blank.
    std::vector<std::pair<std::string, std::string>> query;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
    std::string peer;  ///< "127.0.0.1:51234"

    /// Throws std::out_of_range where the route has none of that name.
    const std::string& parameter(std::string_view name) const { return parameters.at(std::string(name)); }

    /// The first of that name.
    std::optional<std::string_view> query_value(std::string_view name) const {
        for (const auto& [key, value] : query) {
            if (key == name) return value;
        }
        return std::nullopt;
    }

    /// The first of that name, in any case; empty if there is none.
    std::string_view header(std::string_view name) const {
        const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
        for (const auto& [key, value] : headers) {
            if (std::equal(key.begin(), key.end(), name.begin(), name.end(),
                           [&](char a, char b) { return lower(a) == lower(b); })) {
                return value;
            }
        }
        return {};
    }
};

}  // namespace crossover::http
