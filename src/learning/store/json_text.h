#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// JSON as text: checked, taken apart at its top level, compared; numbers never go through a double. Nothing
/// here does any I/O or throws.
namespace crossover::learning {

enum class JsonType { object, array, string, number, boolean, null };

/// A name and its value's text, as it stands in the document.
struct JsonField {
    std::string name;  ///< unescaped
    std::string_view value;
    JsonType type = JsonType::null;
};

/// Why the text is no JSON that JSONB can hold, or nothing. Beyond RFC 8259 these are refused: U+0000, lone
/// surrogates, more than 1,000 levels, numbers beyond a thousand decimal places either way.
std::optional<std::string> json_fault(std::string_view text);

/// The same for one document that must be an object; fills in its fields in order, duplicates too. The fields
/// refer to `text`.
std::optional<std::string> json_object(std::string_view text, std::vector<JsonField>& fields);

/// Of a value that was checked; without white space around it.
JsonType json_type(std::string_view value);
std::string_view trimmed(std::string_view text);

/// The text of a JSON string that was checked.
std::string unquoted(std::string_view string);
/// Appends `text` (UTF-8) as a JSON string.
void append_quoted(std::string& out, std::string_view text);

/// True where the whole text is a number as JSON writes it.
bool is_json_number(std::string_view text);
/// The same text for the same number: "100", "1e2" and "100.0" are "1e2", zero of any sign is "0".
std::string canonical_number(std::string_view number);
/// The same text for the same value, of a value that was checked: names sorted, the last of duplicates
/// counts, no white space, numbers canonical.
std::string canonical_json(std::string_view value);

/// The nearest double; nothing where it is not finite. `exact` is false where the double's shortest text is
/// another number.
struct NearestDouble {
    double value = 0;
    bool exact = false;
};
std::optional<NearestDouble> nearest_double(std::string_view number);

/// A number of seconds as microseconds, rounded half up; nothing where that does not fit 64 bits.
struct NearestMicros {
    std::int64_t value = 0;
    bool exact = false;
};
std::optional<NearestMicros> nearest_micros(std::string_view number);
/// "1700000000.5"
std::string seconds_text(std::int64_t micros);

/// Valid UTF-8 without U+0000: what TEXT can hold.
bool is_text(std::string_view bytes);

}  // namespace crossover::learning
