#include "http/target.h"

#include <algorithm>

#include "base/encodings.h"

namespace crossover::http {
namespace {

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

std::optional<std::string_view> decode(std::string_view text, bool is_query, std::string& out) {
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        if (c == '%') {
            const int high = i + 1 < text.size() ? hex_digit(text[i + 1]) : -1;
            const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
            if (high < 0 || low < 0) return "In the request target, '%' is not followed by two hex digits.";
            c = static_cast<char>(high * 16 + low);
            i += 2;
        } else if (c == '+' && is_query) {
            c = ' ';
        }
        if (c == '\0') return "The request target holds a NUL byte.";
        out.push_back(c);
    }
    if (!is_utf8(out)) return "The request target is not UTF-8.";
    return std::nullopt;
}

/// Takes the text up to the separator, and the separator, off the front.
std::string_view take(std::string_view& text, char separator) {
    const auto end = std::min(text.find(separator), text.size());
    const auto taken = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return taken;
}

}  // namespace

std::optional<std::string_view> parse_target(std::string_view text, Target& target) {
    if (text.starts_with("http://") || text.starts_with("https://")) {
        text.remove_prefix(text.find("://") + 3);
        text.remove_prefix(std::min(text.find_first_of("/?"), text.size()));
        if (text.empty()) text = "/";
    }
    if (!text.starts_with('/')) return "The request target is not a path.";
    const auto question = std::min(text.find('?'), text.size());
    std::string_view path = text.substr(1, question - 1);
    std::string_view query = text.substr(std::min(question + 1, text.size()));

    // A path that ends in a slash has an empty segment behind it.
    for (bool more = !path.empty(); more;) {
        more = path.find('/') != std::string_view::npos;
        if (const auto wrong = decode(take(path, '/'), false, target.segments.emplace_back())) return wrong;
    }
    while (!query.empty()) {
        std::string_view value = take(query, '&');
        if (value.empty()) continue;
        const std::string_view name = take(value, '=');
        auto& pair = target.query.emplace_back();
        if (const auto wrong = decode(name, true, pair.first)) return wrong;
        if (const auto wrong = decode(value, true, pair.second)) return wrong;
    }
    return std::nullopt;
}

}  // namespace crossover::http
