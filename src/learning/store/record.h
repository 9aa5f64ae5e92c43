#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "learning/store/json_text.h"
#include "learning/store/keys.h"

/// What Redis's values mean, and the rows that they become. Nothing here does any I/O; only `json_of` and
/// `hash_of`, the way back, belong to rows that PostgreSQL gave.
namespace crossover::learning {

/// What the user's values call the fields that have a column; the names here are always read, too.
struct FieldNames {
    std::string agent_id = "agent_id", state = "state", action = "action", reward = "reward",
                next_state = "next_state", done = "done", timestamp = "timestamp", state_hash = "state_hash",
                q_value = "value";

    bool operator==(const FieldNames&) const = default;
};

using HashFields = std::vector<std::pair<std::string, std::string>>;

/// A key's value as Redis holds it.
struct Source {
    enum class Type { missing, text, hash, other, too_large };

    std::string key;
    Kind kind = Kind::experience;
    Type type = Type::missing;
    std::string text;
    HashFields fields;
    std::string type_name;  ///< of `other`
    std::int64_t size = 0;  ///< of `too_large`
    std::optional<std::int64_t> expires_at_ms;

    std::size_t bytes() const;
};

/// A row of one of the four tables; which members count depends on the kind. JSON members are JSON texts.
///
/// `extra` holds fields that have no column, and known ones of which the column does not keep all: {"reward":
/// …} with the exact number, {"timestamp": …}, {"action": 3} where a Q value's action is a number
/// and no text, {"visits": null} where it had none. Such a one counts only while the column still says the
/// same.
struct Row {
    Kind kind = Kind::experience;
    std::string key;
    std::string agent_id;
    std::string state, action, next_state;  ///< JSON; `action` of a Q value is the column's text
    bool has_next_state = false;
    double number = 0;  ///< reward, or value
    bool done = false;
    std::int64_t occurred_at_us = 0;  ///< since 1970
    std::string state_hash;
    std::int64_t visits = 0;
    std::string body;   ///< a policy's bytes, or an agent's metadata as a JSON object
    std::string extra;  ///< a JSON object; empty = NULL
    std::int64_t version = 0;
    std::optional<std::int64_t> content_hash;
    std::optional<std::int64_t> expires_at_us;

    void clear(Kind of);
};

/// Of what Redis holds: the same hash, the same content. Independent of a hash's order.
std::int64_t content_hash(const Source& source);

/// Fills in the row, or says why the value can't be one. `row` is reused, so that nothing is allocated for
/// most. Without `names` the usual ones hold.
std::optional<std::string> parse(const Source& source, Row& row, const FieldNames* names = nullptr);

/// A field without which a value of this kind is no row.
struct RequiredField {
    std::string_view name;             ///< the usual one
    std::string FieldNames::*renamed;  ///< the user's
    JsonType type;                     ///< null = any
};
std::vector<RequiredField> required_fields(Kind kind);
/// The fields of a value; nothing where it has none. They refer to it.
std::vector<JsonField> fields_of(const Source& source);

/// Longer keys have no place in a B-tree of PostgreSQL.
inline constexpr std::size_t kLongestKey = 2600;
/// JSONB's limit, and ours for policies.
inline constexpr std::int64_t kLargestValue = 255 << 20;

/// The row as the JSON text that it is in Redis (of a policy: its bytes), as a hash's fields likewise.
std::string json_of(const Row& row, const FieldNames* names = nullptr);
HashFields hash_of(const Row& row, const FieldNames* names = nullptr);

/// A JSON object that was checked, with the user's names instead of the usual ones, or the other way round;
/// values stay as they are.
std::string with_user_names(std::string_view object, Kind kind, const FieldNames& names);
std::string with_usual_names(std::string_view object, Kind kind, const FieldNames& names);

/// What differs in content ("reward", "version", "expiry"), or empty. Both of one kind and key.
std::string difference(const Row& redis, const Row& postgres);

}  // namespace crossover::learning
