#include "learning/store/json_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <map>

#include "base/encodings.h"

namespace crossover::learning {
namespace {

constexpr int kMostLevels = 1000;
constexpr int kMostExponent = 1000;
// What NUMERIC can hold.
constexpr std::int64_t kMostDigitsBefore = 131'072, kMostDigitsAfter = 16'383;

bool is_space(char c) {
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}
bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/// The length of the UTF-8 sequence at `at`, 0 where it is none.
std::size_t sequence_length(std::string_view text, std::size_t at) {
    const auto byte = [&](std::size_t i) -> unsigned {
        return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0;
    };
    const auto follows = [&](std::size_t i) { return (byte(i) & 0xC0) == 0x80; };
    const unsigned first = byte(0);
    if (first < 0x80) return 1;
    if (first >= 0xC2 && first <= 0xDF) return follows(1) ? 2 : 0;
    if (first >= 0xE0 && first <= 0xEF) {
        if (!follows(1) || !follows(2)) return 0;
        if (first == 0xE0 && byte(1) < 0xA0) return 0;
        if (first == 0xED && byte(1) > 0x9F) return 0;  // surrogates
        return 3;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        if (!follows(1) || !follows(2) || !follows(3)) return 0;
        if (first == 0xF0 && byte(1) < 0x90) return 0;
        if (first == 0xF4 && byte(1) > 0x8F) return 0;
        return 4;
    }
    return 0;
}

/// Bytes of a string that mean nothing but themselves.
constexpr auto kPlain = [] {
    std::array<bool, 256> plain{};
    for (std::size_t i = 0x20; i < 0x80; ++i) plain[i] = i != '"' && i != '\\';
    return plain;
}();

int hex_value(std::string_view text, std::size_t at) {
    if (at + 4 > text.size()) return -1;
    int value = 0;
    const auto [end, error] = std::from_chars(text.data() + at, text.data() + at + 4, value, 16);
    return error == std::errc() && end == text.data() + at + 4 && text[at] != '-' ? value : -1;
}

struct NumberParts {
    bool negative = false;
    std::string_view whole, fraction;
    std::int64_t exponent = 0;
    bool exponent_fits = true;
};

/// Reads the number that begins at `at`; nothing where there is none.
std::optional<NumberParts> read_number(std::string_view text, std::size_t& at) {
    NumberParts parts;
    std::size_t i = at;
    const auto digits = [&] {
        const std::size_t begin = i;
        while (i < text.size() && is_digit(text[i])) ++i;
        return text.substr(begin, i - begin);
    };
    if (i < text.size() && text[i] == '-') {
        parts.negative = true;
        ++i;
    }
    parts.whole = digits();
    if (parts.whole.empty() || (parts.whole.size() > 1 && parts.whole.front() == '0')) return std::nullopt;
    if (i < text.size() && text[i] == '.') {
        ++i;
        parts.fraction = digits();
        if (parts.fraction.empty()) return std::nullopt;
    }
    if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
        ++i;
        const bool minus = i < text.size() && text[i] == '-';
        if (i < text.size() && (text[i] == '-' || text[i] == '+')) ++i;
        const auto exponent = digits();
        if (exponent.empty()) return std::nullopt;
        const auto [end, error] =
            std::from_chars(exponent.data(), exponent.data() + exponent.size(), parts.exponent);
        parts.exponent_fits = error == std::errc() && parts.exponent <= 1'000'000'000;
        if (!parts.exponent_fits) parts.exponent = 1'000'000'000;
        if (minus) parts.exponent = -parts.exponent;
    }
    at = i;
    return parts;
}

/// One pass over a document; stops at the first fault.
class Scanner {
  public:
    explicit Scanner(std::string_view text) : text_(text) {}

    std::optional<std::string> document(std::vector<JsonField>* fields) {
        skip_space();
        if (fields != nullptr) {
            fields->clear();
            if (!more() || text_[at_] != '{') {
                JsonType ignored;
                if (value(0, ignored) && ended()) fault_ = "an object is expected, such as {\"agent_id\": …}";
                return fault_;
            }
            object(1, fields);
        } else {
            JsonType ignored;
            value(0, ignored);
        }
        if (!fault_) ended();
        return fault_;
    }

  private:
    bool more() const { return at_ < text_.size(); }
    void skip_space() {
        while (more() && is_space(text_[at_])) ++at_;
    }
    bool fail(std::string reason) {
        if (!fault_) fault_ = std::move(reason);
        return false;
    }
    bool bad() {
        return fail(more() ? fmt::format("bad JSON at byte {}", at_) : "bad JSON: it ends too soon");
    }
    bool ended() {
        skip_space();
        return more() ? bad() : true;
    }

    bool value(int level, JsonType& type) {
        if (!more()) return bad();
        switch (text_[at_]) {
            case '{':
                type = JsonType::object;
                return object(level + 1, nullptr);
            case '[':
                type = JsonType::array;
                return array(level + 1);
            case '"':
                type = JsonType::string;
                return string();
            case 't':
                type = JsonType::boolean;
                return word("true");
            case 'f':
                type = JsonType::boolean;
                return word("false");
            case 'n':
                type = JsonType::null;
                return word("null");
            default:
                type = JsonType::number;
                return number();
        }
    }

    bool word(std::string_view expected) {
        if (text_.substr(at_, expected.size()) != expected) return bad();
        at_ += expected.size();
        return true;
    }

    bool number() {
        for (const std::string_view word : {"NaN", "Infinity", "-Infinity"}) {
            if (text_.substr(at_, word.size()) == word) {
                return fail(fmt::format("bad JSON: {}, which is not finite", word));
            }
        }
        const auto parts = read_number(text_, at_);
        if (!parts) return bad();
        const auto size = [](std::string_view digits) { return static_cast<std::int64_t>(digits.size()); };
        if (std::abs(parts->exponent) > kMostExponent ||
            size(parts->whole) + parts->exponent > kMostDigitsBefore ||
            size(parts->fraction) - parts->exponent > kMostDigitsAfter) {
            // Whoever is asked for a double says it better.
            if (!big_number_) big_number_ = "a number with more digits than PostgreSQL can keep";
            return fail(*big_number_);
        }
        return true;
    }

    bool string() {
        ++at_;
        for (;;) {
            while (more() && kPlain[static_cast<unsigned char>(text_[at_])]) ++at_;
            if (!more()) return bad();
            const auto c = static_cast<unsigned char>(text_[at_]);
            if (c == '"') {
                ++at_;
                return true;
            }
            if (c == '\\') {
                if (!escape()) return false;
            } else if (c < 0x20) {
                return fail(fmt::format("bad JSON: a control character in a string, at byte {}", at_));
            } else {
                const auto length = sequence_length(text_, at_);
                if (length == 0) return fail(fmt::format("invalid UTF-8 at byte {}", at_));
                at_ += length;
            }
        }
    }

    bool escape() {
        if (at_ + 1 >= text_.size()) return bad();
        const char c = text_[at_ + 1];
        if (c != 'u') {
            if (std::string_view("\"\\/bfnrt").find(c) == std::string_view::npos) return bad();
            at_ += 2;
            return true;
        }
        const int unit = hex_value(text_, at_ + 2);
        if (unit < 0) return bad();
        if (unit == 0) return fail("\\u0000 in a text, which PostgreSQL cannot keep");
        if (unit >= 0xD800 && unit <= 0xDFFF) {
            const bool pair = unit < 0xDC00 && text_.substr(at_ + 6, 2) == "\\u";
            const int second = pair ? hex_value(text_, at_ + 8) : -1;
            if (second < 0xDC00 || second > 0xDFFF) {
                return fail(fmt::format("a lone surrogate \\u{:04x} in a text", unit));
            }
            at_ += 12;
            return true;
        }
        at_ += 6;
        return true;
    }

    bool array(int level) {
        if (level > kMostLevels) return fail("nested more than 1,000 levels deep");
        ++at_;
        skip_space();
        if (more() && text_[at_] == ']') return ++at_, true;
        for (;;) {
            JsonType ignored;
            if (!value(level, ignored)) return false;
            skip_space();
            if (!more()) return bad();
            const char c = text_[at_];
            if (c != ',' && c != ']') return bad();
            ++at_;
            if (c == ']') return true;
            skip_space();
        }
    }

    bool object(int level, std::vector<JsonField>* fields) {
        if (level > kMostLevels) return fail("nested more than 1,000 levels deep");
        ++at_;
        skip_space();
        if (more() && text_[at_] == '}') return ++at_, true;
        for (;;) {
            if (!more() || text_[at_] != '"') return bad();
            const auto name_at = at_;
            if (!string()) return false;
            const auto name = text_.substr(name_at, at_ - name_at);
            skip_space();
            if (!more() || text_[at_] != ':') return bad();
            ++at_;
            skip_space();
            const auto value_at = at_;
            JsonType type;
            if (!value(level, type)) {
                if (fields != nullptr) name_fault(name, value_at);
                return false;
            }
            if (fields != nullptr) {
                auto& field = fields->emplace_back();
                if (name.find('\\') == std::string_view::npos) {
                    field.name = name.substr(1, name.size() - 2);
                } else {
                    field.name = unquoted(name);
                }
                field.value = text_.substr(value_at, at_ - value_at);
                field.type = type;
            }
            skip_space();
            if (!more()) return bad();
            const char c = text_[at_];
            if (c != ',' && c != '}') return bad();
            ++at_;
            if (c == '}') return true;
            skip_space();
        }
    }

    /// "reward: …", where a known field is at fault.
    void name_fault(std::string_view quoted, std::size_t) {
        fault_ = fmt::format("{}: {}", unquoted(quoted), *fault_);
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::optional<std::string> fault_, big_number_;
};

void append_utf8(std::string& out, unsigned code) {
    if (code < 0x80) {
        out += static_cast<char>(code);
    } else if (code < 0x800) {
        out += static_cast<char>(0xC0 | code >> 6);
        out += static_cast<char>(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        out += static_cast<char>(0xE0 | code >> 12);
        out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
        out += static_cast<char>(0x80 | (code & 0x3F));
    } else {
        out += static_cast<char>(0xF0 | code >> 18);
        out += static_cast<char>(0x80 | (code >> 12 & 0x3F));
        out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
        out += static_cast<char>(0x80 | (code & 0x3F));
    }
}

/// Digits without zeros at either end, and the power of ten of the last one.
struct Decimal {
    bool negative = false;
    std::string digits;  ///< empty = zero
    std::int64_t exponent = 0;
};

Decimal decimal_of(std::string_view number) {
    std::size_t at = 0;
    const auto parts = read_number(number, at);
    Decimal decimal;
    if (!parts) return decimal;
    decimal.negative = parts->negative;
    decimal.digits = std::string(parts->whole) + std::string(parts->fraction);
    decimal.exponent = parts->exponent - static_cast<std::int64_t>(parts->fraction.size());
    const auto first = decimal.digits.find_first_not_of('0');
    if (first == std::string::npos) return {};
    decimal.digits.erase(0, first);
    while (decimal.digits.back() == '0') {
        decimal.digits.pop_back();
        ++decimal.exponent;
    }
    return decimal;
}

/// Writes the canonical form of a checked value.
class Canonical {
  public:
    explicit Canonical(std::string_view text) : text_(text) {}
    std::string value() {
        skip_space();
        switch (text_[at_]) {
            case '{':
                return object();
            case '[':
                return array();
            case '"': {
                std::string out;
                append_quoted(out, unquoted(string()));
                return out;
            }
            case 't':
                at_ += 4;
                return "true";
            case 'f':
                at_ += 5;
                return "false";
            case 'n':
                at_ += 4;
                return "null";
            default: {
                const auto begin = at_;
                read_number(text_, at_);
                return canonical_number(text_.substr(begin, at_ - begin));
            }
        }
    }

  private:
    void skip_space() {
        while (at_ < text_.size() && is_space(text_[at_])) ++at_;
    }
    std::string_view string() {
        const auto begin = at_++;
        while (text_[at_] != '"') at_ += text_[at_] == '\\' ? 2 : 1;
        ++at_;
        return text_.substr(begin, at_ - begin);
    }
    std::string array() {
        std::string out = "[";
        ++at_;
        for (skip_space(); text_[at_] != ']'; skip_space()) {
            if (text_[at_] == ',') ++at_;
            if (out.size() > 1) out += ',';
            out += value();
        }
        ++at_;
        return out + "]";
    }
    std::string object() {
        std::map<std::string, std::string> fields;
        ++at_;
        for (skip_space(); text_[at_] != '}'; skip_space()) {
            if (text_[at_] == ',') ++at_;
            skip_space();
            auto name = unquoted(string());
            skip_space();
            ++at_;  // the colon
            fields.insert_or_assign(std::move(name), value());
        }
        ++at_;
        std::string out = "{";
        for (const auto& [name, text] : fields) {
            if (out.size() > 1) out += ',';
            append_quoted(out, name);
            out += ':';
            out += text;
        }
        return out + "}";
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

}  // namespace

std::optional<std::string> json_fault(std::string_view text) {
    return Scanner(text).document(nullptr);
}

std::optional<std::string> json_object(std::string_view text, std::vector<JsonField>& fields) {
    return Scanner(text).document(&fields);
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
}

JsonType json_type(std::string_view value) {
    switch (value.empty() ? '\0' : value.front()) {
        case '{':
            return JsonType::object;
        case '[':
            return JsonType::array;
        case '"':
            return JsonType::string;
        case 't':
        case 'f':
            return JsonType::boolean;
        case 'n':
            return JsonType::null;
        default:
            return JsonType::number;
    }
}

std::string unquoted(std::string_view string) {
    const auto inner = string.substr(1, string.size() - 2);
    std::string out;
    out.reserve(inner.size());
    for (std::size_t i = 0; i < inner.size();) {
        if (inner[i] != '\\') {
            out += inner[i++];
            continue;
        }
        const char c = inner[i + 1];
        if (c == 'u') {
            auto code = static_cast<unsigned>(hex_value(inner, i + 2));
            i += 6;
            if (code >= 0xD800 && code <= 0xDBFF) {
                code = 0x10000 + ((code - 0xD800) << 10) +
                       (static_cast<unsigned>(hex_value(inner, i + 2)) - 0xDC00);
                i += 6;
            }
            append_utf8(out, code);
            continue;
        }
        static constexpr std::string_view kNames = "bfnrt", kMeanings = "\b\f\n\r\t";
        const auto which = kNames.find(c);
        out += which == std::string_view::npos ? c : kMeanings[which];
        i += 2;
    }
    return out;
}

void append_quoted(std::string& out, std::string_view text) {
    out += '"';
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (static_cast<unsigned char>(c) < 0x20) {
            fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
        } else {
            out += c;
        }
    }
    out += '"';
}

bool is_json_number(std::string_view text) {
    std::size_t at = 0;
    return read_number(text, at) && at == text.size();
}

std::string canonical_number(std::string_view number) {
    const auto decimal = decimal_of(number);
    if (decimal.digits.empty()) return "0";
    return fmt::format("{}{}{}", decimal.negative ? "-" : "", decimal.digits,
                       decimal.exponent == 0 ? std::string() : fmt::format("e{}", decimal.exponent));
}

std::string canonical_json(std::string_view value) {
    return Canonical(value).value();
}

std::optional<NearestDouble> nearest_double(std::string_view number) {
    NearestDouble nearest;
    const char* end = number.data() + number.size();
    if (std::from_chars(number.data(), end, nearest.value).ec != std::errc()) {
        // Too large, or so small that it is zero: only strtod tells which.
        nearest.value = std::strtod(std::string(number).c_str(), nullptr);
    }
    if (!std::isfinite(nearest.value)) return std::nullopt;
    const auto shortest = fmt::format("{}", nearest.value);
    nearest.exact = shortest == number || canonical_number(shortest) == canonical_number(number);
    return nearest;
}

std::optional<NearestMicros> nearest_micros(std::string_view number) {
    const auto decimal = decimal_of(number);
    NearestMicros nearest;
    if (decimal.digits.empty()) {
        nearest.exact = true;
        return nearest;
    }
    // The digits that stand before the point, once seconds are microseconds.
    const auto whole = static_cast<std::int64_t>(decimal.digits.size()) + decimal.exponent + 6;
    if (whole > 18) return std::nullopt;
    std::string digits = decimal.digits;
    nearest.exact = decimal.exponent + 6 >= 0;
    bool up = false;
    if (whole < 0) {
        digits.clear();
    } else if (static_cast<std::size_t>(whole) < digits.size()) {
        up = digits[static_cast<std::size_t>(whole)] >= '5';
        digits.resize(static_cast<std::size_t>(whole));
    } else {
        digits.append(static_cast<std::size_t>(whole) - digits.size(), '0');
    }
    std::from_chars(digits.data(), digits.data() + digits.size(), nearest.value);
    if (up) ++nearest.value;
    if (decimal.negative) nearest.value = -nearest.value;
    return nearest;
}

std::string seconds_text(std::int64_t micros) {
    const auto size = micros < 0 ? std::uint64_t{0} - static_cast<std::uint64_t>(micros)
                                 : static_cast<std::uint64_t>(micros);
    auto text = fmt::format("{}{}.{:06}", micros < 0 ? "-" : "", size / 1'000'000, size % 1'000'000);
    while (text.back() == '0') text.pop_back();
    if (text.back() == '.') text.pop_back();
    return text;
}

bool is_text(std::string_view bytes) {
    return bytes.find('\0') == std::string_view::npos && is_utf8(bytes);
}

}  // namespace crossover::learning
