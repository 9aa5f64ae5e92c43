#include "learning/copy/sample.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>

#include "base/text.h"
#include "learning/copy/stores.h"
#include "redis/key_scan.h"

namespace crossover::learning {
namespace {

constexpr std::size_t kValues = 200;
constexpr int kMostPages = 20;
constexpr std::size_t kLeastShared = 4;  ///< letters of two names of which one is part of the other

/// "agentId", "agent-id" and "agent_id" are "agentid".
std::string bare(std::string_view name) {
    std::string letters;
    for (const unsigned char c : name) {
        if (std::isalnum(c) != 0) letters += static_cast<char>(std::tolower(c));
    }
    return letters;
}

bool alike(std::string_view known, std::string_view other) {
    const auto a = bare(known), b = bare(other);
    if (a == b) return true;
    const auto& shorter = a.size() < b.size() ? a : b;
    const auto& longer = a.size() < b.size() ? b : a;
    return shorter.size() >= kLeastShared && longer.find(shorter) != std::string::npos;
}

bool of_type(const JsonField& field, JsonType type, bool hash) {
    if (type == JsonType::null) return true;
    if (!hash) return field.type == type;
    const auto text = trimmed(field.value);
    if (type == JsonType::number) return is_json_number(text);
    if (type == JsonType::boolean) {
        return text == "true" || text == "false" || text == "True" || text == "False" || text == "0" ||
               text == "1";
    }
    return true;
}

std::string flag_of(Kind kind, std::string_view field) {
    if (kind == Kind::q_value && field == "value") return "--q-value-field";
    std::string flag = "--";
    for (const char c : field) flag += c == '_' ? '-' : c;
    return flag + "-field";
}

}  // namespace

std::string FieldGuess::text() const {
    const auto lack = fmt::format("Of {} {} looked at, {} lack '{}'", values,
                                  kind == Kind::experience ? "experiences" : "Q values", lacking, missing);
    if (looks_like.empty()) return lack + ", and nothing there looks like it: they can't be rows.";
    const auto flag = flag_of(kind, missing);
    return fmt::format("{}; '{}' looks like it: {} {} takes it for that, {} {} does not.", lack, looks_like,
                       flag, looks_like, flag, missing);
}

std::vector<FieldGuess> guess_fields(std::span<const Source> values, const CopyOptions& options) {
    std::vector<FieldGuess> guesses;
    if (values.empty()) return guesses;
    const auto kind = values.front().kind;
    const auto required = required_fields(kind);
    std::int64_t readable = 0;
    std::vector<std::int64_t> lacking(required.size());
    std::vector<std::map<std::string, std::int64_t>> instead(required.size());
    for (const auto& value : values) {
        const auto fields = fields_of(value);
        if (fields.empty()) continue;
        ++readable;
        const auto known = [&](const std::string& name) {
            return std::any_of(required.begin(), required.end(), [&](const RequiredField& one) {
                return name == one.name || name == options.fields.*one.renamed;
            });
        };
        for (std::size_t i = 0; i < required.size(); ++i) {
            const bool there = std::any_of(fields.begin(), fields.end(), [&](const JsonField& field) {
                return field.name == required[i].name || field.name == options.fields.*required[i].renamed;
            });
            if (there) continue;
            ++lacking[i];
            for (const auto& field : fields) {
                if (!known(field.name) && alike(required[i].name, field.name) &&
                    of_type(field, required[i].type, value.type == Source::Type::hash)) {
                    ++instead[i][field.name];
                }
            }
        }
    }
    for (std::size_t i = 0; i < required.size(); ++i) {
        const auto& name = required[i].name;
        const auto& given = options.given_fields;
        if (2 * lacking[i] <= readable || std::find(given.begin(), given.end(), name) != given.end())
            continue;
        FieldGuess guess{kind, std::string(name), {}, readable, lacking[i]};
        std::int64_t most = lacking[i] / 2;
        for (const auto& [other, count] : instead[i]) {
            if (count <= most) continue;
            guess.looks_like = other;
            most = count;
        }
        guesses.push_back(std::move(guess));
    }
    return guesses;
}

std::vector<FieldGuess> sample_fields(Stores& stores, const CopyOptions& options) {
    std::vector<FieldGuess> guesses;
    for (const auto kind : {Kind::experience, Kind::q_value}) {
        if (!options.includes(kind)) continue;
        const auto pattern = redis::glob_of_prefix(options.key_prefix + std::string(prefix_of(kind)));
        std::vector<std::string> keys, page;
        stores.redis([&](redis::Keyspace& keyspace) {
            keys.clear();
            redis::KeyScan scan(keyspace, pattern);
            for (int pages = 0; pages < kMostPages && keys.size() < kValues; ++pages) {
                if (!scan.next(page, call_deadline())) break;
                keys.insert(keys.end(), page.begin(), page.end());
            }
        });
        std::sort(keys.begin(), keys.end());
        keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
        keys.resize(std::min(keys.size(), kValues));
        const auto values = stores.read(keys);
        for (auto& guess : guess_fields(values, options)) guesses.push_back(std::move(guess));
    }
    return guesses;
}

std::vector<FieldGuess> sample_fields(const CopyOptions& options) {
    ProgressReport unheard({});
    std::stop_source impatient;
    impatient.request_stop();  // the first failure is the answer
    Stores stores(options, impatient.get_token(), unheard);
    return sample_fields(stores, options);
}

std::optional<Error> refuse_guesses(std::span<const FieldGuess> guesses, const std::string& server) {
    for (const auto& guess : guesses) {
        if (guess.looks_like.empty()) continue;
        return Error(System::redis, ErrorKind::not_ready, fmt::format("{}: {}", server, guess.text()));
    }
    return std::nullopt;
}

}  // namespace crossover::learning
