#include "settings/servers.h"

#include <fmt/format.h>

#include "base/address.h"
#include "base/error.h"
#include "log/log.h"
#include "milvus/endpoint.h"
#include "settings/media_settings.h"

namespace crossover::cli {
namespace {

bolt::Uri neo4j_uri(const Settings& settings) {
    if (settings.neo4j_uri.empty()) {
        throw Error(
            System::config, ErrorKind::usage,
            "Neo4j is not configured. Set NEO4J_URI (such as bolt://localhost:7687), or give --neo4j-uri.");
    }
    return bolt::parse_uri(settings.neo4j_uri);
}

milvus::Endpoint milvus_endpoint(const Settings& settings) {
    if (settings.milvus_uri.empty()) {
        throw Error(System::config, ErrorKind::usage,
                    "Milvus is not configured. Set MILVUS_URI (such as http://localhost:19530), or give "
                    "--milvus-uri.");
    }
    return milvus::parse_endpoint(settings.milvus_uri);
}

}  // namespace

std::unique_ptr<bolt::Driver> make_driver(const Settings& settings) {
    auto token = settings.neo4j_password.empty()
                     ? bolt::AuthToken::none()
                     : bolt::AuthToken::basic(settings.neo4j_user, settings.neo4j_password);
    bolt::DriverConfig config;
    config.ca_file = settings.neo4j_ca_file;
    auto uri = neo4j_uri(settings);
    if (!settings.neo4j_password.empty() && uri.encryption == bolt::Encryption::none) {
        warn_of_open_secret("Neo4j", uri.address.host, bolt::to_string(uri.address),
                            "let NEO4J_URI begin with bolt+s:// or neo4j+s://");
    }
    return std::make_unique<bolt::Driver>(std::move(uri), std::move(token), std::move(config));
}

std::unique_ptr<milvus::Client> make_client(const Settings& settings) {
    const auto endpoint = milvus_endpoint(settings);
    if (!settings.milvus_token.empty() && !endpoint.tls) {
        warn_of_open_secret("Milvus", endpoint.host, endpoint.authority(),
                            "let MILVUS_URI begin with https://");
    }
    milvus::ClientConfig config;
    config.uri = settings.milvus_uri;
    config.token = settings.milvus_token;
    config.database = settings.milvus_database;
    config.ca_file = settings.milvus_ca_file;
    return std::make_unique<milvus::Client>(std::move(config));
}

redis::Address redis_address(const Settings& settings) {
    if (settings.redis_url.empty()) {
        throw Error(System::config, ErrorKind::usage,
                    "Redis is not configured. Set REDIS_URL (such as redis://:password@localhost:6379/0).");
    }
    auto address = redis::parse_url(settings.redis_url);
    address.ca_file = settings.redis_ca_file;
    if (!address.password.empty() && !address.tls) {
        warn_of_open_secret("Redis", address.host, redis::to_string(address),
                            "let REDIS_URL begin with rediss://");
    }
    return address;
}

std::string source_address(const Settings& settings) {
    const auto uri = neo4j_uri(settings);
    return fmt::format("{}://{}/{}", uri.text.substr(0, uri.text.find("://")), bolt::to_string(uri.address),
                       settings.neo4j_database);
}

std::string target_address(const Settings& settings) {
    const auto endpoint = milvus_endpoint(settings);
    return fmt::format("{}://{}/{}", endpoint.tls ? "https" : "http", endpoint.authority(),
                       settings.milvus_database);
}

sync::MediaMapping make_mapping(const Settings& settings) {
    sync::MediaMapping mapping;
    mapping.collection = settings.collection;
    mapping.label = settings.label;
    mapping.id_property = settings.id_property;
    mapping.embedding_property = settings.embedding_property;
    for (const auto& text : settings.properties) {
        auto setting = parse_property(text);
        sync::CarriedProperty property{std::move(setting.name)};
        property.field = std::move(setting.field);
        if (const auto type = sync::parse_property_type(setting.type)) {
            property.type = *type;
            property.type_source = sync::TypeSource::setting;
        }
        mapping.properties.push_back(std::move(property));
    }
    mapping.dimension = static_cast<std::uint32_t>(settings.dimension);
    mapping.metric = settings.metric == "IP"   ? sync::Metric::inner_product
                     : settings.metric == "L2" ? sync::Metric::l2
                                               : sync::Metric::cosine;
    return mapping;
}

}  // namespace crossover::cli
