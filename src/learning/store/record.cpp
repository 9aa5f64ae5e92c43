#include "learning/store/record.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <bitset>
#include <charconv>
#include <span>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/text.h"
#include "learning/store/json_text.h"

namespace crossover::learning {
namespace {

using Fault = std::optional<std::string>;

const FieldNames kUsual;

constexpr std::int64_t kEarliestSecond = -210'866'803'200;  // PostgreSQL's 4714-11-24 BC
constexpr std::int64_t kLatestSecond = 9'224'318'015'999;   // and 294276-12-31

/// Whether a value came from a hash, where everything is a text, or from JSON.
enum class Form { json, hash };

void add_extra(std::string& extra, std::string_view name, std::string_view json) {
    extra += extra.empty() ? '{' : ',';
    append_quoted(extra, name);
    extra += ':';
    extra += json;
}

Fault wrong_type(std::string_view name, std::string_view expected) {
    return fmt::format("{} is not {}", name, expected);
}

Fault need_text(const JsonField& field, Form form, std::string& out) {
    if (form == Form::hash) {
        out = field.value;
        return std::nullopt;
    }
    if (field.type != JsonType::string) return wrong_type(field.name, "a string");
    if (field.value.find('\\') == std::string_view::npos) {
        out = field.value.substr(1, field.value.size() - 2);
    } else {
        out = unquoted(field.value);
    }
    return std::nullopt;
}

/// A JSON value. In a hash the text is JSON where it begins as an object, array or string, or is JSON as it
/// stands; else it is a string.
Fault need_json(const JsonField& field, Form form, std::string& out) {
    if (form == Form::json) {
        out = field.value;
        return std::nullopt;
    }
    const auto text = trimmed(field.value);
    const auto fault = json_fault(text);
    if (!fault) {
        out = text;
        return std::nullopt;
    }
    if (!text.empty() && (text.front() == '{' || text.front() == '[' || text.front() == '"')) {
        return fmt::format("{}: {}", field.name, *fault);
    }
    out.clear();
    append_quoted(out, field.value);
    return std::nullopt;
}

bool says_not_finite(std::string_view text) {
    std::string lower(text);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    if (!lower.empty() && (lower.front() == '-' || lower.front() == '+')) lower.erase(0, 1);
    return lower == "nan" || lower == "inf" || lower == "infinity";
}

Fault need_number(const JsonField& field, Form form, std::string_view& number) {
    number = form == Form::hash ? trimmed(field.value) : field.value;
    if (form == Form::hash && says_not_finite(number)) {
        return fmt::format("{} is {}, which is not finite", field.name, number);
    }
    if (form == Form::hash ? !is_json_number(number) : field.type != JsonType::number) {
        return wrong_type(field.name, "a number");
    }
    return std::nullopt;
}

Fault need_double(const JsonField& field, Form form, Row& row) {
    std::string_view number;
    if (auto fault = need_number(field, form, number)) return fault;
    const auto nearest = nearest_double(number);
    if (!nearest) return fmt::format("{} is {:.40}, which is not finite as a double", field.name, number);
    row.number = nearest->value;
    if (!nearest->exact) add_extra(row.extra, field.name, number);
    return std::nullopt;
}

Fault need_done(const JsonField& field, Form form, bool& done) {
    const auto text = trimmed(field.value);
    if (text == "true" || (form == Form::hash && (text == "True" || text == "1"))) {
        done = true;
    } else if (text == "false" || (form == Form::hash && (text == "False" || text == "0"))) {
        done = false;
    } else {
        return wrong_type(field.name, "true or false");
    }
    return std::nullopt;
}

Fault need_timestamp(const JsonField& field, Form form, Row& row) {
    std::string_view number;
    if (auto fault = need_number(field, form, number)) return fault;
    const auto micros = nearest_micros(number);
    const auto second = micros ? micros->value / 1'000'000 : 0;
    if (!micros || second < kEarliestSecond || second > kLatestSecond) {
        return fmt::format("{} is {:.40}, beyond the dates that PostgreSQL knows", field.name, number);
    }
    row.occurred_at_us = micros->value;
    if (!micros->exact) add_extra(row.extra, field.name, number);
    return std::nullopt;
}

Fault need_count(const JsonField& field, Form form, std::int64_t& count) {
    std::string_view number;
    if (auto fault = need_number(field, form, number)) return fault;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), count);
    if (error != std::errc() || end != number.data() + number.size() || count < 0) {
        return wrong_type(field.name, "a whole number from 0");
    }
    return std::nullopt;
}

/// Microseconds, greater than 0; an explicit 0 is legacy like none, and kept.
Fault need_version(const JsonField& field, Form form, Row& row) {
    if (auto fault = need_count(field, form, row.version)) return fault;
    if (row.version == 0 && row.kind != Kind::agent) {
        add_extra(row.extra, field.name, form == Form::hash ? "\"0\"" : "0");
    }
    return std::nullopt;
}

/// What has no column of its own.
void keep_extra(const JsonField& field, Form form, std::string& object) {
    if (form == Form::json) {
        add_extra(object, field.name, field.value);
    } else {
        std::string quoted;
        append_quoted(quoted, field.value);
        add_extra(object, field.name, quoted);
    }
}

/// The action of a Q value: a text, or a number, which `extra` then says.
Fault need_q_action(const JsonField& field, Form form, Row& row) {
    if (form == Form::hash || field.type == JsonType::string) return need_text(field, form, row.action);
    if (field.type != JsonType::number) return wrong_type(field.name, "a string or a number");
    row.action = field.value;
    add_extra(row.extra, field.name, field.value);
    return std::nullopt;
}

/// A field that has a column.
struct Column {
    std::string_view name;
    bool required;
    Fault (*take)(const JsonField& field, Form form, Row& row);
    std::string FieldNames::*renamed = nullptr;  ///< the user's name for it
    JsonType type = JsonType::null;              ///< null = any

    std::string_view shown(const FieldNames* names) const {
        return names != nullptr && renamed != nullptr ? names->*renamed : name;
    }
};

constexpr Column kExperienceColumns[] = {
    {"agent_id", true,
     [](const auto& field, Form form, Row& row) { return need_text(field, form, row.agent_id); },
     &FieldNames::agent_id, JsonType::string},
    {"state", true, [](const auto& field, Form form, Row& row) { return need_json(field, form, row.state); },
     &FieldNames::state},
    {"action", true,
     [](const auto& field, Form form, Row& row) { return need_json(field, form, row.action); },
     &FieldNames::action},
    {"reward", true, need_double, &FieldNames::reward, JsonType::number},
    {"next_state", false,
     [](const auto& field, Form form, Row& row) {
         row.has_next_state = true;
         return need_json(field, form, row.next_state);
     },
     &FieldNames::next_state},
    {"done", true, [](const auto& field, Form form, Row& row) { return need_done(field, form, row.done); },
     &FieldNames::done, JsonType::boolean},
    {"timestamp", true, need_timestamp, &FieldNames::timestamp, JsonType::number},
    {"version", false, need_version},
};

constexpr std::size_t kVisitsColumn = 4;
constexpr Column kQValueColumns[] = {
    {"agent_id", true,
     [](const auto& field, Form form, Row& row) { return need_text(field, form, row.agent_id); },
     &FieldNames::agent_id, JsonType::string},
    {"state_hash", true,
     [](const auto& field, Form form, Row& row) { return need_text(field, form, row.state_hash); },
     &FieldNames::state_hash, JsonType::string},
    {"action", true, need_q_action, &FieldNames::action},
    {"value", true, need_double, &FieldNames::q_value, JsonType::number},
    {"visits", false,
     [](const auto& field, Form form, Row& row) { return need_count(field, form, row.visits); }},
    {"version", false, need_version},
};
static_assert(kQValueColumns[kVisitsColumn].name == "visits");

using SeenColumns = std::bitset<8>;

/// Gives fields of the user's names the usual ones.
Fault use_usual_names(std::span<const Column> columns, std::span<JsonField> fields, const FieldNames& names) {
    for (const auto& column : columns) {
        if (column.renamed == nullptr || names.*column.renamed == column.name) continue;
        const auto named = [&](std::string_view name) {
            return std::find_if(fields.begin(), fields.end(),
                                [&](const JsonField& field) { return field.name == name; });
        };
        const auto found = named(names.*column.renamed);
        if (found == fields.end()) continue;
        if (named(column.name) != fields.end()) {
            return fmt::format("both {} and {} are there", found->name, column.name);
        }
        found->name = column.name;
    }
    return std::nullopt;
}

Fault take_fields(std::span<const Column> columns, std::span<JsonField> fields, Form form, Row& row,
                  SeenColumns& seen, const FieldNames* names) {
    if (names != nullptr) {
        if (auto fault = use_usual_names(columns, fields, *names)) return fault;
    }
    for (const auto& field : fields) {
        const auto column = std::find_if(columns.begin(), columns.end(),
                                         [&](const Column& one) { return one.name == field.name; });
        if (column == columns.end()) {
            keep_extra(field, form, row.extra);
            continue;
        }
        seen.set(static_cast<std::size_t>(column - columns.begin()));
        if (auto fault = column->take(field, form, row)) return fault;
    }
    for (std::size_t i = 0; i < columns.size(); ++i) {
        if (columns[i].required && !seen[i]) return fmt::format("{} is missing", columns[i].shown(names));
    }
    return std::nullopt;
}

std::span<const Column> columns_of_kind(Kind kind) {
    if (kind == Kind::experience) return kExperienceColumns;
    if (kind == Kind::q_value) return kQValueColumns;
    return {};
}

Fault experience(std::span<JsonField> fields, Form form, Row& row, const FieldNames* names) {
    SeenColumns seen;
    return take_fields(kExperienceColumns, fields, form, row, seen, names);
}

Fault q_value(std::span<JsonField> fields, Form form, Row& row, const FieldNames* names) {
    SeenColumns seen;
    if (auto fault = take_fields(kQValueColumns, fields, form, row, seen, names)) return fault;
    if (!seen[kVisitsColumn]) add_extra(row.extra, "visits", "null");
    if (row.agent_id.size() + row.state_hash.size() + row.action.size() > kLongestKey) {
        return "agent_id, state_hash and action together are longer than PostgreSQL's index can hold";
    }
    return std::nullopt;
}

/// All fields but the version, which has a column.
Fault agent(std::span<const JsonField> fields, Form form, Row& row) {
    for (const auto& field : fields) {
        if (field.name == "version") {
            if (auto fault = need_version(field, form, row)) return fault;
            if (row.version > 0) continue;
        }
        keep_extra(field, form, row.body);
    }
    row.body += row.body.empty() ? "{}" : "}";
    return std::nullopt;
}

/// Of duplicate names the last counts, as in JSONB.
void drop_duplicates(std::vector<JsonField>& fields) {
    const auto repeated = [&](std::size_t i) {
        for (std::size_t k = i + 1; k < fields.size(); ++k) {
            if (fields[k].name == fields[i].name) return true;
        }
        return false;
    };
    if (fields.size() > 64) {
        // So many that comparing each with each would take long.
        std::vector<std::size_t> order(fields.size());
        for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
        std::stable_sort(order.begin(), order.end(),
                         [&](std::size_t a, std::size_t b) { return fields[a].name < fields[b].name; });
        std::vector<bool> gone(fields.size());
        for (std::size_t i = 0; i + 1 < order.size(); ++i) {
            gone[order[i]] = fields[order[i]].name == fields[order[i + 1]].name;
        }
        std::size_t i = 0;
        std::erase_if(fields, [&](const JsonField&) { return gone[i++]; });
        return;
    }
    for (std::size_t i = 0; i < fields.size();) {
        if (repeated(i)) {
            fields.erase(fields.begin() + static_cast<std::ptrdiff_t>(i));
        } else {
            ++i;
        }
    }
}

Fault fields_of(const Source& source, std::vector<JsonField>& fields, Form& form) {
    if (source.type == Source::Type::text) {
        form = Form::json;
        if (auto fault = json_object(source.text, fields)) return fault;
        drop_duplicates(fields);
        return std::nullopt;
    }
    form = Form::hash;
    fields.clear();
    for (const auto& [name, text] : source.fields) {
        if (!is_text(name)) return "the name of a field is no UTF-8 text";
        if (!is_text(text)) return fmt::format("{} is no UTF-8 text", name);
        fields.push_back({name, text, JsonType::string});
    }
    return std::nullopt;
}

/// The rest of the key, cut where an index could not hold it.
std::string agent_of_key(const Source& source) {
    const auto beginning = find_kind(source.key).value_or(KindAt{source.kind, 0}).at;
    const auto rest = std::string_view(source.key).substr(beginning + prefix_of(source.kind).size());
    auto text = is_text(rest) ? std::string(rest) : key_text(rest);
    if (text.size() > kLongestKey) text.resize(kLongestKey);
    return text;
}

std::string number_text(double number) {
    return fmt::format("{}", number);
}

/// Fields of `extra` that stand for a column, while the column still says the same.
struct Exact {
    std::string number, timestamp;
    bool action_is_number = false, no_visits = false;
    std::vector<JsonField> others;
    std::string owned;
};

void read_extra(const Row& row, Exact& exact) {
    if (row.extra.empty()) return;
    std::vector<JsonField> fields;
    if (json_object(row.extra, fields)) return;
    const bool q = row.kind == Kind::q_value;
    for (auto& field : fields) {
        if (field.name == (q ? "value" : "reward")) {
            const auto nearest = field.type == JsonType::number ? nearest_double(field.value) : std::nullopt;
            if (nearest && nearest->value == row.number) exact.number = field.value;
        } else if (field.name == "timestamp" && !q) {
            const auto micros = field.type == JsonType::number ? nearest_micros(field.value) : std::nullopt;
            if (micros && micros->value == row.occurred_at_us) exact.timestamp = field.value;
        } else if (field.name == "action" && q) {
            exact.action_is_number = is_json_number(row.action) && field.type == JsonType::number &&
                                     canonical_number(field.value) == canonical_number(row.action);
        } else if (field.name == "visits" && q) {
            exact.no_visits = row.visits == 0;
        } else if (field.name != "version" || row.version == 0) {
            exact.others.push_back(field);
        }
    }
}

/// Name and JSON text of each field.
std::vector<std::pair<std::string, std::string>> json_fields(const Row& row, const FieldNames& names) {
    std::vector<std::pair<std::string, std::string>> fields;
    const auto add = [&](std::string name, std::string json) {
        fields.emplace_back(std::move(name), std::move(json));
    };
    const auto quoted = [](std::string_view text) {
        std::string out;
        append_quoted(out, text);
        return out;
    };
    Exact exact;
    read_extra(row, exact);
    if (row.kind == Kind::agent) {
        std::vector<JsonField> all;
        json_object(row.body, all);
        for (const auto& field : all) {
            if (field.name != "version" || row.version == 0) add(field.name, std::string(field.value));
        }
    } else {
        add(names.agent_id, quoted(row.agent_id));
        if (row.kind == Kind::experience) {
            add(names.state, row.state);
            add(names.action, row.action);
            add(names.reward, exact.number.empty() ? number_text(row.number) : exact.number);
            if (row.has_next_state) add(names.next_state, row.next_state);
            add(names.done, row.done ? "true" : "false");
            add(names.timestamp,
                exact.timestamp.empty() ? seconds_text(row.occurred_at_us) : exact.timestamp);
        } else {
            add(names.state_hash, quoted(row.state_hash));
            add(names.action, exact.action_is_number ? row.action : quoted(row.action));
            add(names.q_value, exact.number.empty() ? number_text(row.number) : exact.number);
            if (!exact.no_visits) add("visits", std::to_string(row.visits));
        }
        for (const auto& field : exact.others) add(field.name, std::string(field.value));
    }
    if (row.version > 0) add("version", std::to_string(row.version));
    return fields;
}

std::string object_of(const std::vector<std::pair<std::string, std::string>>& fields) {
    std::string out;
    for (const auto& [name, json] : fields) add_extra(out, name, json);
    return out.empty() ? "{}" : out + "}";
}

/// What a hash's field says, as JSON: for comparison.
std::string canonical_of(const Row& row, const std::string& json) {
    return row.kind == Kind::policy ? json : canonical_json(json);
}

}  // namespace

std::size_t Source::bytes() const {
    std::size_t size = key.size() + text.size();
    for (const auto& [name, value] : fields) size += name.size() + value.size();
    return size;
}

void Row::clear(Kind of) {
    kind = of;
    for (auto* text : {&key, &agent_id, &state, &action, &next_state, &state_hash, &body, &extra})
        text->clear();
    has_next_state = done = false;
    number = 0;
    occurred_at_us = visits = version = 0;
    content_hash.reset();
    expires_at_us.reset();
}

std::int64_t content_hash(const Source& source) {
    if (source.type != Source::Type::hash) {
        return std::bit_cast<std::int64_t>(XXH3_64bits(source.text.data(), source.text.size()));
    }
    std::vector<const std::pair<std::string, std::string>*> order;
    for (const auto& field : source.fields) order.push_back(&field);
    std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) { return a->first < b->first; });
    std::string all = "hash";
    for (const auto* field : order) {
        all += fmt::format("{}:{}:", field->first.size(), field->second.size());
        all += field->first;
        all += field->second;
    }
    return std::bit_cast<std::int64_t>(XXH3_64bits(all.data(), all.size()));
}

std::vector<RequiredField> required_fields(Kind kind) {
    std::vector<RequiredField> required;
    for (const auto& column : columns_of_kind(kind)) {
        if (column.required) required.push_back({column.name, column.renamed, column.type});
    }
    return required;
}

std::vector<JsonField> fields_of(const Source& source) {
    std::vector<JsonField> fields;
    Form form{};
    if (source.type != Source::Type::text && source.type != Source::Type::hash) return {};
    if (fields_of(source, fields, form)) return {};
    return fields;
}

std::optional<std::string> parse(const Source& source, Row& row, const FieldNames* names) {
    row.clear(source.kind);
    row.key = source.key;
    if (source.key.size() > kLongestKey) {
        return fmt::format("the key has {} bytes, and PostgreSQL's index holds {}", source.key.size(),
                           kLongestKey);
    }
    const bool policy = source.kind == Kind::policy;
    const char* const expected = policy ? "a string" : "a JSON string or a hash";
    if (source.type == Source::Type::other) {
        return fmt::format("a {}, where {} is expected", source.type_name, expected);
    }
    if (policy && source.type == Source::Type::hash)
        return fmt::format("a hash, where {} is expected", expected);
    if (source.type == Source::Type::too_large) {
        return fmt::format("too large: {}, and the limit is {}", bytes_text(static_cast<double>(source.size)),
                           bytes_text(static_cast<double>(kLargestValue)));
    }
    if (policy) {
        row.agent_id = agent_of_key(source);
        row.body = source.text;
    } else {
        thread_local std::vector<JsonField> fields;
        Form form{};
        if (auto fault = fields_of(source, fields, form)) return fault;
        switch (source.kind) {
            case Kind::experience:
                if (auto fault = experience(fields, form, row, names)) return fault;
                break;
            case Kind::q_value:
                if (auto fault = q_value(fields, form, row, names)) return fault;
                break;
            default:
                row.agent_id = agent_of_key(source);
                if (auto fault = agent(fields, form, row)) return fault;
        }
        if (row.agent_id.size() > kLongestKey) return "agent_id is longer than PostgreSQL's index can hold";
        if (!row.extra.empty()) row.extra += '}';
    }
    row.content_hash = content_hash(source);
    if (source.expires_at_ms) row.expires_at_us = *source.expires_at_ms * 1000;
    return std::nullopt;
}

std::string json_of(const Row& row, const FieldNames* names) {
    return row.kind == Kind::policy ? row.body : object_of(json_fields(row, names ? *names : kUsual));
}

HashFields hash_of(const Row& row, const FieldNames* renamed) {
    HashFields fields;
    const auto& names = renamed ? *renamed : kUsual;
    for (auto& [name, json] : json_fields(row, names)) {
        if (json_type(json) != JsonType::string) {
            fields.emplace_back(name, json);
            continue;
        }
        auto text = unquoted(json);
        // In a hash a bare text is a string, unless it would be read as something else.
        const bool is_json_field = row.kind == Kind::experience &&
                                   (name == names.state || name == names.action || name == names.next_state);
        const auto bare = trimmed(text);
        const bool ambiguous =
            is_json_field &&
            (!json_fault(bare) ||
             (!bare.empty() && (bare.front() == '{' || bare.front() == '[' || bare.front() == '"')));
        fields.emplace_back(name, ambiguous ? json : std::move(text));
    }
    return fields;
}

namespace {

template <class Rename>
std::string renamed(std::string_view object, Kind kind, Rename&& rename) {
    std::vector<JsonField> fields;
    if (json_object(object, fields)) return std::string(object);
    std::string out;
    for (const auto& field : fields) {
        std::string_view name = field.name;
        for (const auto& column : columns_of_kind(kind)) {
            if (column.renamed != nullptr) rename(column, name);
        }
        add_extra(out, name, field.value);
    }
    return out.empty() ? "{}" : out + "}";
}

}  // namespace

std::string with_user_names(std::string_view object, Kind kind, const FieldNames& names) {
    return renamed(object, kind, [&](const Column& column, std::string_view& name) {
        if (name == column.name) name = names.*column.renamed;
    });
}

std::string with_usual_names(std::string_view object, Kind kind, const FieldNames& names) {
    return renamed(object, kind, [&](const Column& column, std::string_view& name) {
        if (name == names.*column.renamed) name = column.name;
    });
}

std::string difference(const Row& redis, const Row& postgres) {
    if (redis.version != postgres.version) return "version";
    if (redis.expires_at_us != postgres.expires_at_us) return "expiry";
    if (redis.kind == Kind::policy) return redis.body == postgres.body ? "" : "policy";
    const auto ours = json_fields(redis, kUsual), theirs = json_fields(postgres, kUsual);
    const auto find = [](const auto& fields, const std::string& name) -> const std::string* {
        for (const auto& [known, json] : fields) {
            if (known == name) return &json;
        }
        return nullptr;
    };
    for (const auto& [name, json] : ours) {
        const auto* other = find(theirs, name);
        if (other == nullptr || (json != *other && canonical_of(redis, json) != canonical_of(redis, *other)))
            return name;
    }
    for (const auto& [name, json] : theirs) {
        if (find(ours, name) == nullptr) return name;
    }
    return {};
}

}  // namespace crossover::learning
