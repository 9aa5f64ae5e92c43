#include "milvus/expression.h"

#include <fmt/format.h>

#include <iterator>
#include <limits>

namespace crossover::milvus {
namespace {

void append_quoted(std::string& out, std::string_view text) {
    static constexpr char kHex[] = "0123456789abcdef";
    out += '"';
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if (byte == '"' || byte == '\\') {
            out += '\\';
            out += static_cast<char>(byte);
        } else if (byte < 0x20 || byte == 0x7f) {
            out += "\\u00";
            out += kHex[byte >> 4];
            out += kHex[byte & 15];
        } else if (byte >= 0xf0 && i + 3 < text.size()) {
            const auto bits = [&](std::size_t k) { return static_cast<unsigned>(text[i + k]) & 0x3fU; };
            const unsigned point = (byte & 7U) << 18 | bits(1) << 12 | bits(2) << 6 | bits(3);
            fmt::format_to(std::back_inserter(out), "\\U{:08x}", point);
            i += 3;
        } else {
            out += static_cast<char>(byte);
        }
    }
    out += '"';
}

void append_literal(std::string& out, const ItemId& id) {
    if (const auto* text = std::get_if<std::string>(&id)) {
        append_quoted(out, *text);
    } else if (const auto number = std::get<std::int64_t>(id);
               number == std::numeric_limits<std::int64_t>::min()) {
        // The server reads the digits before it applies the sign, and they overflow; it folds constants,
        // though.
        fmt::format_to(std::back_inserter(out), "{}-1", number + 1);
    } else {
        fmt::format_to(std::back_inserter(out), "{}", number);
    }
}

}  // namespace

std::string quote(std::string_view text) {
    std::string out;
    append_quoted(out, text);
    return out;
}

std::string literal(const ItemId& id) {
    std::string out;
    append_literal(out, id);
    return out;
}

std::string in_expression(std::string_view field, std::span<const ItemId> ids) {
    std::string out = fmt::format("{} in [", field);
    for (std::size_t i = 0; i < ids.size(); ++i) {
        if (i != 0) out += ',';
        append_literal(out, ids[i]);
    }
    out += ']';
    return out;
}

std::string range_expression(std::string_view field, const IdRange& range) {
    std::string out;
    if (range.after) out = fmt::format("{} > {}", field, literal(*range.after));
    if (range.up_to) {
        if (!out.empty()) out += " and ";
        out += fmt::format("{} <= {}", field, literal(*range.up_to));
    }
    return out;
}

}  // namespace crossover::milvus
