#include <gtest/gtest.h>
#include <libpq-fe.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <random>

#include "base/address.h"
#include "base/error.h"
#include "bolt/uri.h"
#include "log/log.h"
#include "milvus/endpoint.h"
#include "redis/connection.h"
#include "settings/servers.h"

/// What shown_address() lets through, held against what each client's own parser makes of the same text.
namespace crossover::cli {
namespace {

/// A client's reading of an address: where it is, and what else it says. Nothing where the client refuses it.
struct Reading {
    std::string place;
    bool only_place = false;
};
using Reader = std::optional<Reading> (*)(const std::string&);

std::optional<Reading> read_by_libpq(const std::string& text) {
    char* words = nullptr;
    const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(
        PQconninfoParse(text.c_str(), &words), PQconninfoFree);
    if (words != nullptr) PQfreemem(words);
    if (!options) return std::nullopt;
    std::map<std::string, std::string> values;
    for (const auto* option = options.get(); option->keyword != nullptr; ++option) {
        if (option->val != nullptr && *option->val != '\0') values[option->keyword] = option->val;
    }
    auto& host = values["host"];
    if (host.empty()) host = values["hostaddr"];
    values.erase("hostaddr");
    // One port is that of all hosts.
    const auto hosts = std::ranges::count(host, ',') + 1;
    auto ports = values["port"];
    if (ports.find(',') == std::string::npos) {
        const auto port = ports;
        for (auto more = hosts; more > 1; --more) ports += "," + port;
    }
    Reading reading{host + " " + ports + " " + values["dbname"]};
    reading.only_place = values.size() == 3;
    return reading;
}

template <class Parse>
std::optional<Reading> unless_refused(Parse&& parse) {
    try {
        return parse();
    } catch (const Error&) {
        return std::nullopt;
    }
}

std::optional<Reading> read_by_redis(const std::string& text) {
    return unless_refused([&] {
        const auto address = redis::parse_url(text);
        return Reading{redis::to_string(address), address.user.empty() && address.password.empty()};
    });
}
std::optional<Reading> read_by_bolt(const std::string& text) {
    return unless_refused([&] {
        const auto uri = bolt::parse_uri(text);
        return Reading{bolt::to_string(uri.address) + (uri.routing ? " routing" : ""), true};
    });
}
std::optional<Reading> read_by_milvus(const std::string& text) {
    return unless_refused([&] {
        const auto endpoint = milvus::parse_endpoint(text);
        return Reading{endpoint.authority() + (endpoint.tls ? " tls" : ""), true};
    });
}

struct Client {
    const char* name;
    Reader read;
    std::vector<std::string> samples;
};

const std::vector<Client>& clients() {
    static const std::vector<Client> all = {
        {"libpq",
         read_by_libpq,
         {"postgresql://me:s3cret@db.example.org:5432/agent?sslmode=require",
          "postgres://me@h1:1,[::1]:2/agent", "postgresql:///agent?host=/run/postgresql&password=s3cret",
          "postgresql://h?dbname=a&port=1", "host=db port=5432 dbname=agent user=me password=s3cret",
          "hostaddr=::1 password='s \\' x' dbname = a"}},
        {"redis",
         read_by_redis,
         {"redis://:s3cret@host:6379/1", "rediss://me:s3cret@[::1]:6380", "redis://host"}},
        {"bolt", read_by_bolt, {"bolt://host:7687", "neo4j+s://host?policy=eu", "bolt+ssc://[::1]:7688"}},
        {"milvus", read_by_milvus, {"http://host:19530", "https://[::1]:443/", "host:19530", "https://host"}},
    };
    return all;
}

class Addresses : public testing::Test {
  protected:
    Addresses() { std::cout << "seed " << seed_ << "\n"; }
    std::size_t below(std::size_t end) {
        return std::uniform_int_distribution<std::size_t>(0, end - 1)(random_);
    }
    char some_char() {
        static constexpr std::string_view kChars = "@@::/?#[]%&==, '\\.-_012aZ\t2F";
        return kChars[below(kChars.size())];
    }
    std::string changed(std::string text) {
        for (auto changes = below(5); changes > 0; --changes) {
            const auto at = below(text.size() + 1);
            switch (below(3)) {
                case 0:
                    text.insert(at, 1, some_char());
                    break;
                case 1:
                    if (at < text.size()) text[at] = some_char();
                    break;
                default:
                    text.erase(at, 1 + below(3));
            }
        }
        return text;
    }
    /// Words with whatever between them.
    std::string some_secret() {
        std::string secret;
        for (auto parts = 1 + below(4); parts > 0; --parts) {
            for (auto chars = below(3); chars > 0; --chars) secret += some_char();
            secret += "Sesame";
        }
        return secret;
    }

    const unsigned seed_ = std::random_device{}();
    std::mt19937 random_{seed_};
};

TEST_F(Addresses, WhatIsShownIsWhereTheClientGoesAndNothingElse) {
    for (const auto& client : clients()) {
        int shown_at_all = 0, read_at_all = 0;
        for (int i = 0; i < 50'000; ++i) {
            const auto text = changed(client.samples[below(client.samples.size())]);
            const auto reading = client.read(text);
            if (!reading) continue;
            ++read_at_all;
            const auto shown = understood_address(text);
            if (!shown) continue;
            ++shown_at_all;
            const auto again = client.read(*shown);
            ASSERT_TRUE(again) << client.name << ": " << text << " is shown as " << *shown;
            ASSERT_EQ(again->place, reading->place)
                << client.name << ": " << text << " is shown as " << *shown;
            ASSERT_TRUE(again->only_place) << client.name << ": " << text << " is shown as " << *shown;
        }
        EXPECT_GT(shown_at_all, read_at_all / 4) << client.name;
    }
}

TEST_F(Addresses, APasswordIsNeverShownWhateverItHolds) {
    for (int i = 0; i < 50'000; ++i) {
        const auto secret = some_secret();
        for (const auto& text :
             {"postgresql://me:" + secret + "@host:5432/db", "redis://:" + secret + "@host/0",
              "redis://" + secret + "@host", "http://root:" + secret + "@host:19530",
              "bolt://neo4j:" + secret + "@host:7687", "postgresql://host/db?password=" + secret,
              "postgresql://host?password=" + secret, "postgresql://me@host/db?password=" + secret,
              "host=h dbname=d password=" + secret, "password='" + secret + "' host=h"}) {
            ASSERT_EQ(shown_address(text).find("Sesame"), std::string::npos)
                << text << ": " << shown_address(text);
        }
    }
}

TEST_F(Addresses, ASecretOnItsWayOverTheNetworkInTheOpenIsWarnedOf) {
    std::vector<std::string> lines;
    set_log_writer([&](std::string_view line) { lines.emplace_back(line); });
    Settings settings;
    settings.neo4j_password = settings.milvus_token = "s3cret";
    const auto make_all = [&] {
        make_driver(settings);
        make_client(settings);
        redis_address(settings);
    };
    settings.neo4j_uri = "bolt://127.0.0.1:7687";
    settings.milvus_uri = "http://localhost:19530";
    settings.redis_url = "redis://:s3cret@127.0.0.1";
    make_all();
    settings.neo4j_uri = "bolt+s://10.1.1.1:7687";
    settings.milvus_uri = "https://10.1.1.1:19530";
    settings.redis_url = "rediss://:s3cret@10.1.1.1";
    make_all();
    EXPECT_EQ(lines.size(), 0u);
    settings.neo4j_uri = "neo4j://10.1.1.1:7687";
    settings.milvus_uri = "http://10.1.1.1:19530";
    settings.redis_url = "redis://:s3cret@10.1.1.1";
    make_all();
    make_all();
    set_log_writer({});
    EXPECT_EQ(lines.size(), 3u);
    for (const auto& line : lines) {
        EXPECT_NE(line.find("event=open_secret"), std::string::npos) << line;
        EXPECT_EQ(line.find("s3cret"), std::string::npos) << line;
    }
}

}  // namespace
}  // namespace crossover::cli
