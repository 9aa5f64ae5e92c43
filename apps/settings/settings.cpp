#include "settings/settings.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <map>
#include <stdexcept>

#include "base/error.h"
#include "base/text.h"
#include "settings/media_settings.h"

namespace crossover {
namespace {

[[noreturn]] void refuse(const std::string& message) {
    throw Error(System::config, ErrorKind::usage, message);
}

const std::vector<SettingKey>& table() {
    using S = Settings;
    static const std::vector<SettingKey> keys = {
        {"neo4j.uri", "NEO4J_URI", "--neo4j-uri", "URI", "bolt:// or neo4j://, also +s and +ssc",
         &S::neo4j_uri},
        {"neo4j.user", "NEO4J_USER", "--neo4j-user", "NAME", "user of Neo4j", &S::neo4j_user},
        {"neo4j.password", "NEO4J_PASSWORD", "", "", "password of Neo4j", &S::neo4j_password},
        {"neo4j.database", "NEO4J_DATABASE", "--neo4j-database", "NAME", "database of Neo4j",
         &S::neo4j_database},
        {"neo4j.ca_file", "", "--neo4j-ca-file", "PEM", "authorities to trust for +s", &S::neo4j_ca_file},
        {"milvus.uri", "MILVUS_URI", "--milvus-uri", "URI", "http:// or https://", &S::milvus_uri},
        {"milvus.token", "MILVUS_TOKEN", "", "", "'user:password' or an API key", &S::milvus_token},
        {"milvus.database", "MILVUS_DATABASE", "--milvus-database", "NAME", "database of Milvus",
         &S::milvus_database},
        {"milvus.ca_file", "", "--milvus-ca-file", "PEM", "authorities to trust for https",
         &S::milvus_ca_file},
        {"postgres.url", "DATABASE_URL", "", "", "postgresql://user:password@host/database",
         &S::postgres_url},
        {"redis.url", "REDIS_URL", "", "", "redis:// or rediss://user:password@host:port/number",
         &S::redis_url},
        {"redis.ca_file", "", "--redis-ca-file", "PEM", "authorities to trust for rediss", &S::redis_ca_file},
        {"media.label", "", "--label", "LABEL", "label of the nodes to copy", &S::label},
        {"media.id_property", "", "--id-property", "NAME", "their id: all strings, or all integers",
         &S::id_property},
        {"media.embedding_property", "", "--embedding-property", "NAME", "their list of numbers",
         &S::embedding_property},
        {"media.properties", "", "--properties", "A,B,...",
         "carried along: PROPERTY[=FIELD][:TYPE], TYPE boolean, int64, float64 or text", &S::properties},
        {"media.collection", "", "--collection", "NAME", "alias of the collection in Milvus", &S::collection},
        {"media.metric",
         "",
         "--metric",
         "METRIC",
         "COSINE, IP or L2",
         &S::metric,
         0,
         0,
         {"COSINE", "IP", "L2"}},
        {"media.dimension", "", "--dimension", "N", "of the embeddings; 0 is the most frequent one",
         &S::dimension, 0, 32768},
        {"migration.batch_size", "", "--batch-size", "N",
         "items a batch; split where a request would be too large", &S::batch_size, 1, 1'000'000},
        {"migration.concurrency", "", "--concurrency", "N", "batches in flight to Milvus, at most",
         &S::concurrency, 1, 256},
        {"migration.rate_limit", "", "--rate-limit", "N", "items a second, at most; 0 is no limit",
         &S::rate_limit, 0, 1e9},
        {"migration.hnsw_m", "", "--hnsw-m", "N", "links of an item in the HNSW index, 4 to 64", &S::hnsw_m,
         4, 64},
        {"migration.ef_construction", "", "--ef-construction", "N",
         "candidates while the HNSW index is built, 8 to 512", &S::ef_construction, 8, 512},
        {"migration.checkpoint_file", "", "--checkpoint-file", "FILE", "where the job's progress is kept",
         &S::checkpoint_file},
        {"migration.quarantine_file", "", "--quarantine-file", "FILE",
         "NDJSON of what is not copied, and why (migration_quarantine_COLLECTION.ndjson)",
         &S::quarantine_file},
        {"migration.metrics_address", "", "--metrics-address", "HOST:PORT", "serve Prometheus metrics there",
         &S::metrics_address},
        {"storage.mode",
         "STORAGE_MODE",
         "--storage-mode",
         "MODE",
         "neo4j_only, dual_write, shadow_milvus or hybrid",
         &S::storage_mode,
         0,
         0,
         {"neo4j_only", "dual_write", "shadow_milvus", "hybrid"}},
        {"agentdb.mode",
         "AGENTDB_MODE",
         "--agentdb-mode",
         "MODE",
         "redis, dual or postgres: where what is learnt of users is kept",
         &S::agentdb_mode,
         0,
         0,
         {"redis", "dual", "postgres"}},
        {"agentdb.key_prefix", "", "--key-prefix", "TEXT",
         "what the keys in Redis have before 'rl:', such as 'app:'", &S::agentdb_key_prefix},
        {"agentdb.fields.agent_id", "", "--agent-id-field", "NAME",
         "field of the agent's id in Redis's values", &S::agent_id_field},
        {"agentdb.fields.state", "", "--state-field", "NAME", "field of the state in Redis's values",
         &S::state_field},
        {"agentdb.fields.action", "", "--action-field", "NAME", "field of the action in Redis's values",
         &S::action_field},
        {"agentdb.fields.reward", "", "--reward-field", "NAME", "field of the reward in Redis's values",
         &S::reward_field},
        {"agentdb.fields.next_state", "", "--next-state-field", "NAME",
         "field of the next state in Redis's values", &S::next_state_field},
        {"agentdb.fields.done", "", "--done-field", "NAME",
         "field of the end of an episode in Redis's values", &S::done_field},
        {"agentdb.fields.timestamp", "", "--timestamp-field", "NAME", "field of the time in Redis's values",
         &S::timestamp_field},
        {"agentdb.fields.state_hash", "", "--state-hash-field", "NAME",
         "field of the state of a Q value in Redis's values", &S::state_hash_field},
        {"agentdb.fields.q_value", "", "--q-value-field", "NAME",
         "field of the value of a Q value in Redis's values", &S::q_value_field},
        {"storage.shadow_share", "", "--shadow-share", "X",
         "share of answers that shadow_milvus compares, 0 to 1", &S::shadow_share, 0, 1},
        {"storage.outbox_alarm", "", "--outbox-alarm", "N", "changes waiting for Milvus that raise an alarm",
         &S::outbox_alarm, 1, 1e12},
        {"storage.anti_entropy_secs", "", "--anti-entropy-secs", "N",
         "seconds between two looks at all ids of both stores", &S::anti_entropy_secs, 1, 1e9},
        {"cache.secs", "", "--cache-secs", "N", "seconds that Redis keeps answers; 0 is no cache",
         &S::cache_secs, 0, 86'400},
        {"service.listen", "LISTEN_ADDRESS", "--listen", "HOST:PORT", "where requests are answered",
         &S::listen},
        {"service.token", "SERVICE_TOKEN", "", "", "clients must bear it; required off loopback",
         &S::service_token},
        {"service.tls_certificate", "", "--tls-certificate", "PEM", "serve TLS with this certificate chain",
         &S::tls_certificate_file},
        {"service.tls_key", "", "--tls-key", "PEM", "its private key", &S::tls_key_file},
    };
    return keys;
}

/// Where a value comes from, for messages: "--batch-size", "NEO4J_URI in the environment", "f.yaml line 3:
/// ...".
struct Origin {
    std::string text;
};

[[noreturn]] void refuse_value(const Origin& origin, const std::string& expected, std::string_view value) {
    refuse(fmt::format("{} must be {}, not '{}'.", origin.text, expected, value));
}

std::string range_text(const SettingKey& key, std::string_view noun) {
    return fmt::format("{} from {:.0f} to {:.0f}", noun, key.least, key.most);
}

bool equal_without_case(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

void set_text(Settings& settings, const SettingKey& key, std::string_view text, const Origin& origin) {
    settings.origins[std::string(key.path)] = origin.text;
    if (const auto* member = std::get_if<std::string Settings::*>(&key.member)) {
        if (key.choices.empty()) {
            settings.*(*member) = text;
            return;
        }
        for (const auto& choice : key.choices) {
            if (equal_without_case(choice, text)) {
                settings.*(*member) = choice;
                return;
            }
        }
        refuse_value(origin, fmt::format("one of {}", fmt::join(key.choices, ", ")), text);
    }
    if (const auto* member = std::get_if<std::vector<std::string> Settings::*>(&key.member)) {
        settings.*(*member) = split_properties(text);
        return;
    }
    const char* end = text.data() + text.size();
    if (const auto* member = std::get_if<std::int64_t Settings::*>(&key.member)) {
        std::int64_t number = 0;
        const auto [stop, error] = std::from_chars(text.data(), end, number);
        if (error != std::errc() || stop != end || static_cast<double>(number) < key.least ||
            static_cast<double>(number) > key.most) {
            refuse_value(origin, range_text(key, "a whole number"), text);
        }
        settings.*(*member) = number;
        return;
    }
    double number = 0;
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc() || stop != end || !(number >= key.least && number <= key.most)) {
        refuse_value(origin, range_text(key, "a number"), text);
    }
    settings.*std::get<double Settings::*>(key.member) = number;
}

/// Reads one YAML file. Keys are two levels deep, a section and a name; a name with a dot is a level more.
class FileReader {
  public:
    FileReader(std::string file, Settings& settings) : file_(std::move(file)), settings_(settings) {
        for (const auto& key : setting_keys()) {
            const auto dot = key.path.find('.');
            sections_[std::string(key.path.substr(0, dot))].emplace_back(key.path.substr(dot + 1));
        }
    }

    void read() {
        YAML::Node root;
        try {
            root = YAML::LoadFile(file_);
        } catch (const YAML::BadFile&) {
            refuse(fmt::format(
                "The configuration file {} can't be read. Check that it exists and may be read.", file_));
        } catch (const YAML::Exception& error) {
            refuse(fmt::format("{} is no valid YAML: {}.", where(error.mark), error.msg));
        }
        if (root.IsNull()) return;
        if (!root.IsMap()) refuse(fmt::format("{}: expected sections such as 'neo4j:'.", where(root.Mark())));
        std::vector<std::string> names;
        for (const auto& [name, keys] : sections_) names.push_back(name);
        for (const auto& entry : root) {
            const auto name = key_name(entry.first);
            if (!sections_.contains(name)) refuse_unknown(entry.first, name, "section", names);
            if (entry.second.IsNull()) continue;
            if (!entry.second.IsMap()) {
                refuse(fmt::format("{}: '{}' must be a section with keys such as '{}'.",
                                   where(entry.first.Mark()), name, sections_[name].front()));
            }
            for (const auto& pair : entry.second) read_key(name, pair.first, pair.second);
        }
    }

  private:
    void read_key(const std::string& section, const YAML::Node& name_node, const YAML::Node& value) {
        read_key(section, key_name(name_node), name_node, value);
    }

    void read_key(const std::string& section, const std::string& name, const YAML::Node& name_node,
                  const YAML::Node& value) {
        const auto& known = sections_[section];
        if (value.IsMap() && std::any_of(known.begin(), known.end(), [&](const std::string& one) {
                return one.starts_with(name + ".");
            })) {
            for (const auto& pair : value) {
                read_key(section, fmt::format("{}.{}", name, key_name(pair.first)), pair.first, pair.second);
            }
            return;
        }
        if (std::find(known.begin(), known.end(), name) == known.end()) {
            refuse_unknown(name_node, fmt::format("{}.{}", section, name), "key", paths());
        }
        const auto& key = setting_key(fmt::format("{}.{}", section, name));
        const Origin origin{fmt::format("{}: {}", where(name_node.Mark()), key.path)};
        if (value.IsNull()) return;
        if (value.IsScalar()) {
            set_text(settings_, key, value.Scalar(), origin);
            return;
        }
        const auto* list = std::get_if<std::vector<std::string> Settings::*>(&key.member);
        if (list == nullptr) {
            const bool number = !std::holds_alternative<std::string Settings::*>(key.member);
            refuse(fmt::format("{} must be {}, not a {}.", origin.text, number ? "a number" : "a text",
                               value.IsMap() ? "map" : "list"));
        }
        std::vector<std::string> names;
        if (value.IsMap()) refuse(fmt::format("{} must be a list of names, not a map.", origin.text));
        for (const auto& element : value) {
            if (!element.IsScalar()) refuse(fmt::format("{} must be a list of names.", origin.text));
            names.push_back(element.Scalar());
        }
        settings_.origins[std::string(key.path)] = origin.text;
        settings_.*(*list) = std::move(names);
    }

    [[noreturn]] void refuse_unknown(const YAML::Node& node, const std::string& name, std::string_view what,
                                     const std::vector<std::string>& known) const {
        const auto guess = nearest(name, known);
        refuse(fmt::format("{}: unknown {} '{}'.{}", where(node.Mark()), what, name,
                           guess ? fmt::format(" Did you mean '{}'?", *guess)
                                 : fmt::format(" Known: {}.", fmt::join(known, ", "))));
    }

    std::string key_name(const YAML::Node& node) const {
        if (!node.IsScalar()) refuse(fmt::format("{}: a key must be a name.", where(node.Mark())));
        return node.Scalar();
    }

    static std::vector<std::string> paths() {
        std::vector<std::string> all;
        for (const auto& key : setting_keys()) all.emplace_back(key.path);
        return all;
    }

    std::string where(const YAML::Mark& mark) const {
        return mark.is_null() ? file_ : fmt::format("{} line {}", file_, mark.line + 1);
    }

    std::string file_;
    Settings& settings_;
    std::map<std::string, std::vector<std::string>> sections_;
};

}  // namespace

std::span<const SettingKey> setting_keys() {
    return table();
}

const SettingKey& setting_key(std::string_view path) {
    for (const auto& key : table()) {
        if (key.path == path) return key;
    }
    throw std::out_of_range(fmt::format("no setting {}", path));
}

std::string default_text(const SettingKey& key) {
    static const Settings defaults;
    return std::visit(
        []<class T>(T Settings::*member) -> std::string {
            if constexpr (std::is_same_v<T, std::vector<std::string>>) {
                return fmt::format("{}", fmt::join(defaults.*member, ","));
            } else {
                return fmt::format("{}", defaults.*member);
            }
        },
        key.member);
}

Settings load_settings(const SettingSources& sources) {
    Settings settings;
    const auto variable = [&](const char* name) -> std::optional<std::string> {
        const char* value = sources.environment ? sources.environment(name) : nullptr;
        if (value == nullptr || *value == '\0') return std::nullopt;
        return value;
    };
    auto file = sources.config_file;
    if (!file) file = variable("CONFIG_PATH");
    std::error_code ignored;
    if (!file && std::filesystem::exists(sources.default_file, ignored)) file = sources.default_file;
    if (file) FileReader(*file, settings).read();
    for (const auto& key : setting_keys()) {
        if (key.environment.empty()) continue;
        if (const auto value = variable(std::string(key.environment).c_str())) {
            set_text(settings, key, *value, {fmt::format("{} in the environment", key.environment)});
        }
    }
    for (const auto& [key, value] : sources.flags) set_text(settings, *key, value, {std::string(key->flag)});
    if (settings.quarantine_file.empty()) {
        settings.quarantine_file = fmt::format("migration_quarantine_{}.ndjson", settings.collection);
    }
    require_sound_media(settings);
    return settings;
}

}  // namespace crossover
