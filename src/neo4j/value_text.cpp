#include "neo4j/value_text.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <string_view>
#include <utility>

#include "base/encodings.h"
#include "neo4j/cypher.h"

namespace crossover::neo4j {
namespace {

constexpr std::int64_t kNanosecondsInSecond = 1'000'000'000;
constexpr std::int64_t kSecondsInDay = 86'400;

template <class... Parts>
void add(std::string& out, fmt::format_string<Parts...> form, Parts&&... parts) {
    fmt::format_to(std::back_inserter(out), form, std::forward<Parts>(parts)...);
}

std::int64_t floor_divide(std::int64_t number, std::int64_t by) {
    const auto quotient = number / by;
    return number % by < 0 ? quotient - 1 : quotient;
}

/// The proleptic Gregorian calendar, counted in eras of 400 years that begin in March.
void add_date(std::string& out, std::int64_t days_since_1970) {
    constexpr std::int64_t kDaysInEra = 146'097;
    const auto days = days_since_1970 + 719'468;  // since the first of March of the year 0
    const auto era = floor_divide(days, kDaysInEra);
    const auto day_of_era = days - era * kDaysInEra;
    const auto year_of_era =
        (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
    const auto day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const auto month_from_march = (5 * day_of_year + 2) / 153;
    const auto day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    const auto month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    const auto year = era * 400 + year_of_era + (month <= 2 ? 1 : 0);
    add(out, "{}{:04}-{:02}-{:02}", year < 0 ? "-" : year > 9999 ? "+" : "", std::abs(year), month, day);
}

/// ".5", without the zeros at the end; nothing for 0.
void add_fraction(std::string& out, std::int64_t nanoseconds) {
    if (nanoseconds == 0) return;
    add(out, ".{:09}", nanoseconds);
    out.erase(out.find_last_not_of('0') + 1);
}

void add_time(std::string& out, std::int64_t second_of_day, std::int64_t nanoseconds) {
    add(out, "{:02}:{:02}:{:02}", second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60);
    add_fraction(out, nanoseconds);
}

void add_date_and_time(std::string& out, std::int64_t seconds_since_1970, std::int64_t nanoseconds) {
    const auto days = floor_divide(seconds_since_1970, kSecondsInDay);
    add_date(out, days);
    out += 'T';
    add_time(out, seconds_since_1970 - days * kSecondsInDay, nanoseconds);
}

void add_offset(std::string& out, std::int64_t seconds) {
    if (seconds == 0) {
        out += 'Z';
        return;
    }
    const auto size = std::abs(seconds);
    add(out, "{}{:02}:{:02}", seconds < 0 ? '-' : '+', size / 3600, size / 60 % 60);
    if (size % 60 != 0) add(out, ":{:02}", size % 60);
}

void add_float(std::string& out, double number) {
    if (std::isnan(number)) {
        out += "NaN";
    } else if (std::isinf(number)) {
        out += number < 0 ? "-Infinity" : "Infinity";
    } else {
        const double size = std::abs(number);
        const bool plain = size == 0 || (size >= 1e-3 && size < 1e7);
        std::array<char, 32> digits{};
        const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number,
                                       plain ? std::chars_format::fixed : std::chars_format::scientific);
        const std::string_view shortest(digits.data(), static_cast<std::size_t>(end.ptr - digits.data()));
        const auto mantissa = shortest.substr(0, shortest.find('e'));
        out += mantissa;
        if (mantissa.find('.') == std::string_view::npos) out += ".0";
        if (plain) return;
        int exponent = 0;
        const auto* const power = shortest.data() + mantissa.size() + 1;
        std::from_chars(*power == '+' ? power + 1 : power, end.ptr, exponent);
        add(out, "E{}", exponent);
    }
}

/// Of a point: a whole number without a fraction.
void add_coordinate(std::string& out, double number) {
    if (std::abs(number) < 1e15 && number == std::trunc(number)) {
        add(out, "{}", static_cast<std::int64_t>(number));
    } else {
        add_float(out, number);
    }
}

/// Every part has a sign of its own, as the parts of Neo4j's durations have.
void add_duration(std::string& out, const bolt::Duration& duration) {
    auto seconds = duration.seconds;
    auto nanoseconds = duration.nanoseconds;
    if (seconds < 0 && nanoseconds > 0) {  // Bolt counts the fraction upwards from the second below
        ++seconds;
        nanoseconds -= kNanosecondsInSecond;
    }
    const auto begin = out.size();
    const auto add_part = [&](std::int64_t number, char unit) {
        if (number != 0) add(out, "{}{}", number, unit);
    };
    out += 'P';
    add_part(duration.months / 12, 'Y');
    add_part(duration.months % 12, 'M');
    add_part(duration.days, 'D');
    if (seconds != 0 || nanoseconds != 0 || out.size() == begin + 1) out += 'T';
    add_part(seconds / 3600, 'H');
    add_part(seconds / 60 % 60, 'M');
    const auto rest = seconds % 60;
    if (rest != 0 || nanoseconds != 0) {
        if (nanoseconds < 0 && rest == 0) out += '-';
        add(out, "{}", rest);
        add_fraction(out, std::abs(nanoseconds));
        out += 'S';
    } else if (out.back() == 'T') {
        out += "0S";
    }
}

void add_json_string(std::string& out, std::string_view text) {
    out += '"';
    for (const char c : text) {
        switch (c) {
            case '"':
            case '\\':
                out += '\\';
                out += c;
                break;
            case '\b':
                out += "\\b";
                break;
            case '\f':
                out += "\\f";
                break;
            case '\n':
                out += "\\n";
                break;
            case '\r':
                out += "\\r";
                break;
            case '\t':
                out += "\\t";
                break;
            default:
                if (static_cast<unsigned char>(c) < 0x20) {
                    add(out, "\\u{:04x}", static_cast<unsigned>(c));
                } else {
                    out += c;
                }
        }
    }
    out += '"';
}

void add_text(std::string& out, const bolt::Value& value);

/// Whatever JSON has no form for is a string of its text.
void add_json(std::string& out, const bolt::Value& value) {
    const auto* number = value.get_if<double>();
    if (value.is_null()) {
        out += "null";
    } else if (const auto* text = value.get_if<std::string>()) {
        add_json_string(out, *text);
    } else if (value.get_if<bool>() != nullptr || value.get_if<std::int64_t>() != nullptr ||
               value.get_if<bolt::List>() != nullptr || value.get_if<bolt::Map>() != nullptr ||
               value.get_if<bolt::Vector>() != nullptr || (number != nullptr && std::isfinite(*number))) {
        add_text(out, value);
    } else {
        std::string text_of_value;
        add_text(text_of_value, value);
        add_json_string(out, text_of_value);
    }
}

template <class Range, class AddElement>
void add_list(std::string& out, const Range& elements, AddElement add_element) {
    out += '[';
    bool first = true;
    for (const auto& element : elements) {
        if (!first) out += ',';
        first = false;
        add_element(element);
    }
    out += ']';
}

struct Printer {
    std::string& out;

    void operator()(bolt::Null) { out += "null"; }
    void operator()(bool flag) { out += flag ? "true" : "false"; }
    void operator()(std::int64_t number) { add(out, "{}", number); }
    void operator()(double number) { add_float(out, number); }
    void operator()(const std::string& text) { out += text; }
    void operator()(const bolt::Bytes& bytes) {
        out += base64({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    }
    void operator()(const bolt::List& list) {
        add_list(out, list, [&](const bolt::Value& element) { add_json(out, element); });
    }
    void operator()(const bolt::Map& map) {
        out += '{';
        for (const auto& entry : map) {
            if (out.back() != '{') out += ',';
            add_json_string(out, entry.key);
            out += ':';
            add_json(out, entry.value);
        }
        out += '}';
    }
    void operator()(bolt::Date date) { add_date(out, date.days); }
    void operator()(bolt::LocalTime time) {
        add_time(out, time.nanoseconds / kNanosecondsInSecond, time.nanoseconds % kNanosecondsInSecond);
    }
    void operator()(bolt::Time time) {
        (*this)(bolt::LocalTime{time.nanoseconds});
        add_offset(out, time.tz_offset_seconds);
    }
    void operator()(bolt::LocalDateTime time) { add_date_and_time(out, time.seconds, time.nanoseconds); }
    void operator()(bolt::DateTime time) {
        add_date_and_time(out, time.seconds + time.tz_offset_seconds, time.nanoseconds);
        add_offset(out, time.tz_offset_seconds);
    }
    void operator()(const bolt::DateTimeZoneId& time) {
        add_date_and_time(out, time.seconds, time.nanoseconds);
        add(out, "Z[{}]", time.tz_id);
    }
    void operator()(bolt::LegacyDateTime time) {
        add_date_and_time(out, time.seconds, time.nanoseconds);
        add_offset(out, time.tz_offset_seconds);
    }
    void operator()(const bolt::LegacyDateTimeZoneId& time) {
        add_date_and_time(out, time.seconds, time.nanoseconds);
        add(out, "[{}]", time.tz_id);
    }
    void operator()(const bolt::Duration& duration) { add_duration(out, duration); }
    void operator()(const bolt::Point2D& point) { add_point(point.srid, {point.x, point.y}); }
    void operator()(const bolt::Point3D& point) { add_point(point.srid, {point.x, point.y, point.z}); }
    void add_point(std::int64_t srid, std::initializer_list<double> coordinates) {
        add(out, "SRID={};POINT", srid);
        char before = '(';
        for (const double coordinate : coordinates) {
            out += std::exchange(before, ' ');
            add_coordinate(out, coordinate);
        }
        out += ')';
    }
    void operator()(const bolt::Vector& vector) {
        std::visit(
            [&](const auto& elements) {
                add_list(out, elements, [&](auto element) {
                    if constexpr (std::is_floating_point_v<decltype(element)>) {
                        add(out, "{}", element);
                    } else {
                        add(out, "{}", static_cast<std::int64_t>(element));
                    }
                });
            },
            vector.elements);
    }
    /// Nodes, relationships, paths: no property holds one.
    template <class Other>
    void operator()(const Other& other) {
        out += bolt::Value(other).type_name();
    }
};

void add_text(std::string& out, const bolt::Value& value) {
    value.visit(Printer{out});
}

}  // namespace

std::string to_text(const bolt::Value& value) {
    std::string text;
    add_text(text, value);
    return text;
}

std::string text_column(const std::string& node, const sync::CarriedProperty& property) {
    const auto value = fmt::format("{}.{}", node, quote_name(property.name));
    if (property.type != sync::PropertyType::text) return value;
    // Null is of every type: it leaves by the first branch, as strings do.
    return fmt::format(
        "CASE WHEN {0} IS :: STRING THEN {0} WHEN {0} IS :: ZONED DATETIME THEN toString({0}) "
        "WHEN {0} IS :: LIST<ZONED DATETIME> THEN [x IN {0} | toString(x)] ELSE {0} END",
        value);
}

std::string text_expression(const std::string& node, const sync::CarriedProperty& property) {
    const auto value = fmt::format("{}.{}", node, quote_name(property.name));
    const auto number = [](const std::string& coordinate) {
        return fmt::format(
            "CASE WHEN abs({0}) < 1e15 AND {0} = toInteger({0}) THEN toString(toInteger({0})) ELSE "
            "toString({0}) END",
            coordinate);
    };
    // Asking a point of two numbers for its third is an error.
    const auto point = [&](const std::string& of) {
        return fmt::format(
            "'SRID=' + toString({0}.srid) + ';POINT(' + {1} + ' ' + {2} + CASE WHEN {0}.srid IN [4979, 9157] "
            "THEN ' ' + {3} ELSE '' END + ')'",
            of, number(of + ".x"), number(of + ".y"), number(of + ".z"));
    };
    const auto escaped = [](const std::string& of) {
        return fmt::format(
            R"('"' + replace(replace(replace(replace(replace(replace(replace({}, '\\', '\\\\'), '"', '\\"'), '\n', '\\n'), '\t', '\\t'), '\r', '\\r'), '\b', '\\b'), '\f', '\\f') + '"')",
            of);
    };
    const auto element = fmt::format(
        "CASE WHEN x IS :: BOOLEAN OR x IS :: INTEGER OR (x IS :: FLOAT AND NOT toString(x) IN ['NaN', "
        "'Infinity', '-Infinity']) THEN toString(x) WHEN x IS :: POINT THEN {} ELSE {} END",
        "'\"' + " + point("x") + " + '\"'", escaped("toString(x)"));
    return fmt::format(
        "CASE WHEN {0} IS :: STRING THEN {0} WHEN {0} IS :: POINT THEN {1} WHEN {0} IS :: LIST<ANY> THEN "
        "'[' + substring(reduce(s = '', x IN {0} | s + ',' + {2}), 1) + ']' ELSE toStringOrNull({0}) END",
        value, point(value), element);
}

}  // namespace crossover::neo4j
