#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

/// The settings of both programs: flag, environment, file, default; the first that has a value wins.
namespace crossover {

/// Where servers are, what is copied, and how. An empty address means that the server is not configured.
struct Settings {
    std::string neo4j_uri;
    std::string neo4j_user = "neo4j";
    std::string neo4j_password;  ///< empty = no authentication
    std::string neo4j_database = "neo4j";
    std::string neo4j_ca_file;
    std::string milvus_uri;
    std::string milvus_token;  ///< "user:password" or an API key; empty = no authentication
    std::string milvus_database = "default";
    std::string milvus_ca_file;
    std::string postgres_url;  ///< may hold a password
    std::string redis_url;     ///< may hold a password
    std::string redis_ca_file;

    std::string label = "MediaContent";
    std::string id_property = "id";
    std::string embedding_property = "embedding";
    std::vector<std::string> properties = {"title", "genre", "year"};  ///< each for parse_property()
    std::string collection = "media_embeddings";
    std::string metric = "COSINE";  ///< COSINE, IP or L2
    std::int64_t dimension = 0;     ///< 0 = the most frequent one

    std::int64_t batch_size = 1000;
    std::int64_t concurrency = 10;
    double rate_limit = 0;  ///< items/s; 0 = none
    std::int64_t hnsw_m = 16;
    std::int64_t ef_construction = 256;
    std::string checkpoint_file = "/tmp/migration_checkpoint.json";
    std::string quarantine_file;  ///< where not set: migration_quarantine_<collection>.ndjson
    std::string metrics_address;  ///< host:port; empty = no metrics are served

    std::string storage_mode = "neo4j_only";
    std::string agentdb_mode;        ///< redis, dual or postgres; empty = redis where there is one, else none
    std::string agentdb_key_prefix;  ///< before "rl:" in the keys of the learning state
    /// What the values of the learning state call their fields.
    std::string agent_id_field = "agent_id", state_field = "state", action_field = "action",
                reward_field = "reward", next_state_field = "next_state", done_field = "done",
                timestamp_field = "timestamp", state_hash_field = "state_hash", q_value_field = "value";
    double shadow_share = 0.1;               ///< of answers compared in shadow_milvus, 0 to 1
    std::int64_t outbox_alarm = 100'000;     ///< entries
    std::int64_t anti_entropy_secs = 3'600;  ///< between two looks at all ids
    std::int64_t cache_secs = 0;             ///< that answers are kept in Redis; 0 = they are not
    std::string listen = "127.0.0.1:8080";   ///< host:port
    std::string service_token;               ///< clients must bear it; empty = nobody need
    std::string tls_certificate_file;        ///< PEM chain; empty = no TLS
    std::string tls_key_file;                ///< PEM

    /// Where each scalar that is not the default comes from, by its path: "STORAGE_MODE in the environment",
    /// "--storage-mode", "config.yaml line 3: storage.mode".
    std::map<std::string, std::string, std::less<>> origins;
};

/// One setting: its names in the three sources, what it means, which values it takes.
struct SettingKey {
    std::string_view path;         ///< in the file, e.g. "neo4j.uri"
    std::string_view environment;  ///< empty = not read from there
    std::string_view flag;         ///< "--neo4j-uri"; empty for secrets, which would be seen in `ps`
    std::string_view placeholder;  ///< of the value, for help
    std::string_view help;
    std::variant<std::string Settings::*, std::int64_t Settings::*, double Settings::*,
                 std::vector<std::string> Settings::*>
        member;
    double least = 0, most = 0;  ///< of numbers
    /// Of texts; compared without case, stored as written here. Empty = any text.
    std::vector<std::string> choices = {};
};

std::span<const SettingKey> setting_keys();
/// Throws std::out_of_range for a path that does not exist.
const SettingKey& setting_key(std::string_view path);
/// The default as a person would type it; empty where there is none.
std::string default_text(const SettingKey& key);

/// The file used when neither a flag nor CONFIG_PATH names one; it need not exist.
inline constexpr std::string_view kDefaultConfigFile = "/etc/recommendation-engine/config.yaml";

struct SettingSources {
    std::optional<std::string> config_file;  ///< by flag; must exist
    std::vector<std::pair<const SettingKey*, std::string>> flags;
    /// Null pointer for a variable that is not set; one that is empty counts as not set.
    std::function<const char*(const char* name)> environment;
    std::string default_file = std::string(kDefaultConfigFile);
};

/// What settings alone can tell to be impossible (settings/media_settings.h) is an error of every program.
/// Throws Error(System::config, usage) that names the flag, variable, or file, line and key, and what was
/// expected; of an unknown key the nearest known one. Values of secrets are never repeated.
Settings load_settings(const SettingSources& sources);

}  // namespace crossover
