#include <fmt/format.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <stop_token>
#include <thread>

#include "base/error.h"
#include "base/retry.h"
#include "engine/engine.h"
#include "http/server.h"
#include "log/log.h"
#include "neo4j/inventory.h"
#include "service/api.h"
#include "settings/exit_code.h"
#include "settings/servers.h"
#include "settings/setting_flags.h"
#include "vectors/collection.h"

namespace {

using namespace crossover;
using namespace std::chrono_literals;

constexpr RetryPolicy kAMinute{.time = 60s};
constexpr auto kDrain = 25s;  // Kubernetes kills 30 s after SIGTERM
constexpr std::string_view kModePath = "storage.mode";
constexpr std::string_view kAgentdbPath = "agentdb.mode";

sigset_t handled_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, signal);
    return signals;
}

/// The arguments, kept to read the configuration again.
class Configuration {
  public:
    Configuration()
        : app_("Serves a recommender's media and searches while its storage moves from Neo4j to Milvus.",
               "recommendation-engine") {
        app_.allow_extras();
        app_.set_version_flag("--version", "recommendation-engine " CROSSOVER_VERSION,
                              "say the version and end");
        app_.get_formatter()->column_width(36);
        flags_.add(app_, "Service", {"service.listen", "service.tls_certificate", "service.tls_key"});
        flags_.add(
            app_, "Storage",
            {"storage.mode", "storage.shadow_share", "storage.outbox_alarm", "storage.anti_entropy_secs"});
        flags_.add(app_, "Learning",
                   {"agentdb.mode", "agentdb.key_prefix", "agentdb.fields.agent_id", "agentdb.fields.state",
                    "agentdb.fields.action", "agentdb.fields.reward", "agentdb.fields.next_state",
                    "agentdb.fields.done", "agentdb.fields.timestamp", "agentdb.fields.state_hash",
                    "agentdb.fields.q_value"});
        flags_.add(app_, "Cache", {"cache.secs"});
        flags_.add(app_, "Servers",
                   {"neo4j.uri", "neo4j.user", "neo4j.database", "neo4j.ca_file", "milvus.uri",
                    "milvus.database", "milvus.ca_file", "redis.ca_file"});
        flags_.add(app_, "Media",
                   {"media.label", "media.id_property", "media.embedding_property", "media.properties",
                    "media.collection", "media.metric", "media.dimension"});
        app_.add_option("--log-format", log_format_, "text or json, one line an event, on stderr")
            ->type_name("text|json")
            ->default_str("text")
            ->check(CLI::IsMember({"text", "json"}))
            ->group("General");
        flags_.add_config_file(app_, "General");
        app_.set_help_flag("-h,--help", "this text")->group("General");
        app_.footer(fmt::format(
            "\nSIGHUP reads the configuration file again and turns both modes; SIGTERM lets "
            "requests\nend. docs/api/openapi.yaml has the routes.\n\n{}\nSERVICE_TOKEN is the token "
            "that clients must bear; it is required off loopback.\n\n{}",
            cli::kSettingsHelp, cli::kExitCodesHelp));
    }

    /// False where help or the version was asked for, and printed.
    bool parse(int count, char** arguments) {
        try {
            app_.parse(count, arguments);
        } catch (const CLI::Success& asked) {
            app_.exit(asked, std::cout, std::cerr);
            return false;
        } catch (const CLI::ParseError& error) {
            throw Error(System::config, ErrorKind::usage,
                        fmt::format("{}. See 'recommendation-engine --help'.", error.what()));
        }
        cli::refuse_extras(app_, "recommendation-engine");
        return true;
    }

    Settings load() const {
        return load_settings(flags_.sources([](const char* name) { return std::getenv(name); }));
    }
    LogFormat log_format() const { return log_format_ == "json" ? LogFormat::json : LogFormat::text; }

  private:
    CLI::App app_;
    cli::SettingFlags flags_;
    std::string log_format_ = "text";
};

std::string origin_of(const Settings& settings, std::string_view path) {
    const auto found = settings.origins.find(path);
    return found == settings.origins.end() ? "default" : found->second;
}

service::ModeOrigins mode_origins(const Settings& settings) {
    return {origin_of(settings, kModePath), origin_of(settings, kAgentdbPath)};
}

/// Empty where nothing is to be learnt: there is neither a mode nor a Redis.
std::optional<learning::Mode> agentdb_mode_of(const Settings& settings) {
    if (!settings.agentdb_mode.empty()) return learning::parse_mode(settings.agentdb_mode);
    if (settings.redis_url.empty()) return std::nullopt;
    return learning::Mode::redis;
}

engine::StorageMode mode_of(const Settings& settings) {
    return *engine::parse_storage_mode(settings.storage_mode);  // one of its choices
}

/// Neo4j may come up after us, but not for ever: then whoever supervises us should know.
void wait_for_neo4j(bolt::Driver& driver, const Settings& settings) {
    const Retry patiently{kAMinute, {}, [](const Error& error) {
                              log_event(LogLevel::warning, "neo4j_wait", {{"error", error.what()}});
                          }};
    patiently([&] { driver.verify_connectivity(settings.neo4j_database, Deadline::after(10s)); });
}

/// A collection that is there says what its copy inferred, and spares a look at all of Neo4j's media.
bool adopt_collection(milvus::Client* client, const Settings& settings, sync::MediaMapping& mapping) {
    if (client == nullptr) return false;
    auto adopted = mapping;
    try {
        if (!vectors::adopt_mapping(*client, settings.collection, adopted, Deadline::after(5s))) return false;
    } catch (const Error& error) {
        log_event(LogLevel::warning, "milvus_error",
                  {{"kind", to_string(error.kind())}, {"error", error.what()}});
        return false;
    }
    mapping = std::move(adopted);
    return true;
}

void infer_from_neo4j(bolt::Driver& driver, const Settings& settings, sync::MediaMapping& mapping) {
    try {
        neo4j::infer_mapping(driver, settings.neo4j_database, mapping);
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::not_ready) throw;
        // An empty label is a beginning, as long as the dimension is known.
        if (mapping.dimension == 0) {
            throw Error(
                System::config, ErrorKind::usage,
                fmt::format("No node labelled {} has an embedding yet, so nothing tells its dimension. "
                            "Give --dimension to begin with no media, or check --label and "
                            "--embedding-property.",
                            mapping.label));
        }
    }
}

sync::MediaMapping read_mapping(bolt::Driver& driver, milvus::Client* client, const Settings& settings) {
    auto mapping = cli::make_mapping(settings);
    if (!adopt_collection(client, settings, mapping)) infer_from_neo4j(driver, settings, mapping);
    const auto support = neo4j::inspect_id_support(driver, settings.neo4j_database, mapping);
    if (!support.unique) {
        throw Error(
            System::neo4j, ErrorKind::not_ready,
            fmt::format("Two requests could create one id twice, since nothing in Neo4j makes {} of :{} "
                        "unique. Run: {}",
                        mapping.id_property, mapping.label, support.statement));
    }
    return mapping;
}

engine::EngineConfig engine_config(const Settings& settings, sync::MediaMapping mapping) {
    engine::EngineConfig config;
    config.database = settings.neo4j_database;
    config.index = {vectors::to_milvus(mapping.metric), static_cast<int>(settings.hnsw_m),
                    static_cast<int>(settings.ef_construction)};
    config.mapping = std::move(mapping);
    config.mode = mode_of(settings);
    config.shadow_share = settings.shadow_share;
    config.outbox_alarm_depth = settings.outbox_alarm;
    config.anti_entropy_every = std::chrono::seconds(settings.anti_entropy_secs);
    if (!settings.redis_url.empty()) config.redis = cli::redis_address(settings);
    if (const auto mode = agentdb_mode_of(settings)) {
        config.learning = {config.redis,
                           settings.postgres_url,
                           *mode,
                           !settings.agentdb_mode.empty(),
                           {settings.agentdb_key_prefix,
                            {settings.agent_id_field, settings.state_field, settings.action_field,
                             settings.reward_field, settings.next_state_field, settings.done_field,
                             settings.timestamp_field, settings.state_hash_field, settings.q_value_field}}};
    }
    if (settings.cache_secs > 0) {
        if (!config.redis) {
            throw Error(
                System::config, ErrorKind::usage,
                "--cache-secs needs Redis: set REDIS_URL (such as redis://:password@localhost:6379/0).");
        }
        config.keep_answers = std::chrono::seconds(settings.cache_secs);
    }
    return config;
}

http::ServerConfig server_config(const Settings& settings, engine::Metrics& metrics) {
    http::ServerConfig config;
    config.listen = settings.listen;
    config.workers = 32;
    config.token = settings.service_token;
    if (!settings.tls_certificate_file.empty() || !settings.tls_key_file.empty()) {
        config.tls = http::TlsFiles{settings.tls_certificate_file, settings.tls_key_file};
    }
    config.observe = [&metrics](const http::Observation& seen) {
        metrics.http_request(seen.pattern.empty() ? "unmatched" : seen.pattern, seen.method, seen.status,
                             seen.duration);
    };
    config.report = [](std::string_view where, const std::exception& error) {
        log_event(LogLevel::error, "http_error", {{"where", where}, {"error", error.what()}});
    };
    return config;
}

/// What can be told to be wrong before any server is asked. Throws Error(usage).
void require_sound(const Settings& settings) {
    engine::Metrics unused;
    http::Server(server_config(settings, unused), http::Router());
}

/// With the port that it really is.
std::string address_of(const Settings& settings, const http::Server& server) {
    return fmt::format("{}:{}", settings.listen.substr(0, settings.listen.rfind(':')), server.port());
}

/// What the configuration says of the mode, for /status; changes on SIGHUP.
class ModeOrigin {
  public:
    void set(service::ModeOrigins origins) {
        std::lock_guard lock(mutex_);
        origins_ = std::move(origins);
    }
    service::ModeOrigins get() const {
        std::lock_guard lock(mutex_);
        return origins_;
    }

  private:
    mutable std::mutex mutex_;
    service::ModeOrigins origins_;
};

/// The turn goes on in the engine, for as long as it takes.
void reload_agentdb(const Settings& settings, engine::Engine& engine) {
    const auto wanted = agentdb_mode_of(settings);
    auto* const learning = engine.learning();
    if (learning == nullptr) {
        if (!wanted) return;
        throw Error(System::config, ErrorKind::usage,
                    "Nothing was learnt so far: to begin with it, restart with AGENTDB_MODE.");
    }
    if (!wanted) {
        throw Error(System::config, ErrorKind::usage,
                    "AGENTDB_MODE and REDIS_URL are both gone; what is learnt stays where it is.");
    }
    if (*wanted != learning->wanted()) learning->turn(*wanted);
}

void reload(const Configuration& configuration, engine::Engine& engine, ModeOrigin& origin) {
    try {
        const auto settings = configuration.load();
        const auto wanted = mode_of(settings);
        const auto from = origin_of(settings, kModePath);
        if (wanted == engine.mode()) {
            log_event(LogLevel::info, "reload",
                      {{"storage_mode", to_string(wanted)}, {"from", from}, {"result", "unchanged"}});
        } else {
            engine.turn(wanted);
        }
        reload_agentdb(settings, engine);
        origin.set(mode_origins(settings));
    } catch (const Error& error) {
        log_event(
            LogLevel::error, "reload",
            {{"result", "failure"}, {"storage_mode", to_string(engine.mode())}, {"error", error.what()}});
    }
}

int serve(const Configuration& configuration, const Settings& settings) {
    const auto driver = cli::make_driver(settings);
    const bool without_milvus =
        settings.milvus_uri.empty() && mode_of(settings) == engine::StorageMode::neo4j_only;
    const auto client = without_milvus ? nullptr : cli::make_client(settings);
    require_sound(settings);
    wait_for_neo4j(*driver, settings);
    engine::Engine engine(*driver, client.get(),
                          engine_config(settings, read_mapping(*driver, client.get(), settings)));
    ModeOrigin origin;
    origin.set(mode_origins(settings));

    http::Server server(server_config(settings, engine.metrics()),
                        service::make_api(engine, [&] { return origin.get(); }));
    server.start();
    log_event(LogLevel::info, "listening",
              {{"storage_mode", to_string(engine.mode())},
               {"from", origin.get().storage},
               {"agentdb_mode", settings.agentdb_mode.empty() ? "default" : settings.agentdb_mode},
               {"address", address_of(settings, server)}});

    const auto signals = handled_signals();
    for (;;) {
        int received = 0;
        if (sigwait(&signals, &received) != 0) continue;
        if (received != SIGHUP) break;
        reload(configuration, engine, origin);
    }
    log_event(LogLevel::info, "draining");
    server.drain(Deadline::after(kDrain));
    log_event(LogLevel::info, "ended");
    return cli::kDone;
}

int run(int count, char** arguments) {
    try {
        Configuration configuration;
        if (!configuration.parse(count, arguments)) return cli::kDone;
        configure_logging(configuration.log_format(), LogLevel::info);
        return serve(configuration, configuration.load());
    } catch (const Error& error) {
        fmt::print(stderr, "error: {}\n", error.what());
        return cli::exit_code_of(error);
    } catch (const std::exception& error) {
        fmt::print(stderr, "error: An unexpected error, which is a bug: {}. Please report it.\n",
                   error.what());
        return cli::kFailed;
    }
}

}  // namespace

int main(int count, char** arguments) {
    // Before there is any other thread: all of them inherit it, so that only sigwait gets the signals.
    const auto signals = handled_signals();
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    signal(SIGPIPE, SIG_IGN);
    return run(count, arguments);
}
