/// Asks for the nearest items, again and again, either of Milvus by the bare client or of a
/// recommendation-engine (or anything with its POST /v1/search), and says how fast it was answered. One JSON
/// object on stdout.
///
///     bench_search bare   --collection media_embeddings --properties title,genre,year --vectors FILE
///     bench_search http   --address 127.0.0.1:8080 --vectors FILE
///     bench_search puts   --address 127.0.0.1:8080 --vectors FILE --rate 100
///
/// FILE holds float32 vectors, one after the other. `puts` sends each request at its time, whether or not
/// earlier ones were answered, and counts from that time: a slow answer does not hide the wait of those
/// behind it.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <latch>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "milvus/client.h"

namespace {

using namespace crossover;
using Clock = std::chrono::steady_clock;
namespace beast = boost::beast;
using boost::asio::ip::tcp;

struct Options {
    std::string collection = "media_embeddings";
    std::vector<std::string> properties = {"title", "genre", "year"};
    std::string address;
    std::string vectors_file;
    std::size_t dimension = 768;
    std::size_t k = 10;
    int connections = 1;
    double seconds = 10;
    double rate = 100;
    bool neighbours = false;
};

class Vectors {
  public:
    Vectors(const std::string& file, std::size_t dimension) : dimension_(dimension) {
        std::ifstream in(file, std::ios::binary);
        const std::string bytes(std::istreambuf_iterator<char>(in), {});
        values_.resize(bytes.size() / sizeof(float));
        std::memcpy(values_.data(), bytes.data(), values_.size() * sizeof(float));
        if (size() == 0) throw std::runtime_error("no vectors in " + file);
    }
    std::size_t size() const { return values_.size() / dimension_; }
    std::span<const float> at(std::size_t i) const {
        return std::span(values_).subspan((i % size()) * dimension_, dimension_);
    }

  private:
    std::size_t dimension_;
    std::vector<float> values_;
};

/// A keep-alive connection.
class HttpClient {
  public:
    explicit HttpClient(const std::string& address) : socket_(context_) {
        const auto colon = address.rfind(':');
        socket_.connect({boost::asio::ip::make_address(address.substr(0, colon)),
                         static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1)))});
        socket_.set_option(tcp::no_delay(true));
    }
    std::string ask(beast::http::verb verb, const std::string& path, std::string body) {
        beast::http::request<beast::http::string_body> request(verb, path, 11, std::move(body));
        request.set(beast::http::field::host, "bench");
        request.set(beast::http::field::content_type, "application/json");
        request.prepare_payload();
        beast::http::write(socket_, request);
        beast::http::response<beast::http::string_body> response;
        beast::http::read(socket_, buffer_, response);
        if (response.result_int() >= 300) {
            throw std::runtime_error(
                fmt::format("{} was answered {}: {}", path, response.result_int(), response.body()));
        }
        return std::move(response.body());
    }

  private:
    boost::asio::io_context context_;
    tcp::socket socket_;
    beast::flat_buffer buffer_;
};

std::string search_body(std::span<const float> vector, std::size_t k) {
    return nlohmann::json({{"embedding", std::vector<float>(vector.begin(), vector.end())}, {"k", k}}).dump();
}

nlohmann::json summary(std::vector<double> took, double seconds) {
    std::sort(took.begin(), took.end());
    const auto quantile = [&](double share) {
        return took.empty()
                   ? 0
                   : 1000 * took[std::min(took.size() - 1, static_cast<std::size_t>(
                                                               share * static_cast<double>(took.size())))];
    };
    return {{"requests", took.size()},
            {"per_second", static_cast<double>(took.size()) / seconds},
            {"p50_ms", quantile(0.5)},
            {"p95_ms", quantile(0.95)},
            {"p99_ms", quantile(0.99)}};
}

/// `make()` gives each connection a function that asks with the n-th vector.
template <class Make>
nlohmann::json closed_loop(const Options& options, Make make) {
    std::vector<std::vector<double>> took(static_cast<std::size_t>(options.connections));
    std::latch ready(options.connections + 1);
    std::atomic<bool> stop = false;
    std::atomic<std::size_t> next = 0;
    std::vector<std::jthread> threads;
    for (auto& mine : took) {
        threads.emplace_back([&] {
            auto ask = make();
            ask(next++);  // connects
            ready.arrive_and_wait();
            while (!stop) {
                const auto from = Clock::now();
                ask(next++);
                mine.push_back(std::chrono::duration<double>(Clock::now() - from).count());
            }
        });
    }
    ready.arrive_and_wait();
    const auto from = Clock::now();
    std::this_thread::sleep_for(std::chrono::duration<double>(options.seconds));
    stop = true;
    threads.clear();
    const double seconds = std::chrono::duration<double>(Clock::now() - from).count();
    std::vector<double> all;
    for (const auto& mine : took) all.insert(all.end(), mine.begin(), mine.end());
    return summary(std::move(all), seconds);
}

nlohmann::json bare(const Options& options, const Vectors& vectors) {
    const auto text = [](const char* name) {
        return std::getenv(name) != nullptr ? std::string(std::getenv(name)) : std::string();
    };
    milvus::Client client(
        {.uri = text("MILVUS_URI"), .token = text("MILVUS_TOKEN"), .database = text("MILVUS_DATABASE")});
    milvus::SearchOptions search;
    search.limit = options.k;
    search.properties = options.properties;
    return closed_loop(options, [&] {
        return [&](std::size_t n) {
            client.search(options.collection.c_str(), vectors.at(n), search,
                          Deadline::after(std::chrono::seconds(10)));
        };
    });
}

nlohmann::json http(const Options& options, const Vectors& vectors) {
    std::vector<std::string> bodies;
    for (std::size_t n = 0; n < vectors.size(); ++n) bodies.push_back(search_body(vectors.at(n), options.k));
    if (options.neighbours) {
        HttpClient client(options.address);
        auto answers = nlohmann::json::array();
        for (const auto& body : bodies) {
            auto ids = nlohmann::json::array();
            const auto answer =
                nlohmann::json::parse(client.ask(beast::http::verb::post, "/v1/search", body));
            for (const auto& hit : answer["results"]) ids.push_back(hit["id"]);
            answers.push_back(std::move(ids));
        }
        return {{"neighbours", std::move(answers)}};
    }
    return closed_loop(options, [&] {
        return [&, client = std::make_shared<HttpClient>(options.address)](std::size_t n) {
            client->ask(beast::http::verb::post, "/v1/search", bodies[n % bodies.size()]);
        };
    });
}

nlohmann::json puts(const Options& options, const Vectors& vectors) {
    const auto count = static_cast<std::size_t>(options.rate * options.seconds);
    std::vector<double> took(count);
    std::atomic<std::size_t> next = 0;
    std::vector<std::jthread> threads;
    const auto from = Clock::now() + std::chrono::milliseconds(200);
    for (int n = 0; n < options.connections; ++n) {
        threads.emplace_back([&] {
            HttpClient client(options.address);
            for (std::size_t i = next++; i < count; i = next++) {
                const auto due =
                    from + std::chrono::duration_cast<Clock::duration>(
                               std::chrono::duration<double>(static_cast<double>(i) / options.rate));
                std::this_thread::sleep_until(due);
                const auto vector = vectors.at(i);
                client.ask(beast::http::verb::put, fmt::format("/v1/media/bench-{}", i % 1000),
                           nlohmann::json({{"title", "Bench"},
                                           {"year", 2000},
                                           {"embedding", std::vector<float>(vector.begin(), vector.end())}})
                               .dump());
                took[i] = std::chrono::duration<double>(Clock::now() - due).count();
            }
        });
    }
    threads.clear();
    return summary(std::move(took), options.seconds);
}

}  // namespace

int main(int count, char** arguments) {
    Options options;
    CLI::App app("Loads a search service and says how fast it answers.");
    app.require_subcommand(1);
    const auto add = [&](const char* name, const char* help) {
        auto* command = app.add_subcommand(name, help);
        command->add_option("--vectors", options.vectors_file, "float32 vectors to ask with")->required();
        command->add_option("--dimension", options.dimension);
        command->add_option("--k", options.k);
        command->add_option("--connections", options.connections);
        command->add_option("--seconds", options.seconds);
        return command;
    };
    auto* bare_command =
        add("bare", "Milvus, by the bare client (MILVUS_URI, MILVUS_TOKEN, MILVUS_DATABASE)");
    bare_command->add_option("--collection", options.collection);
    bare_command->add_option("--properties", options.properties)->delimiter(',');
    auto* http_command = add("http", "POST /v1/search");
    http_command->add_option("--address", options.address)->required();
    http_command->add_flag("--neighbours", options.neighbours, "ask once with each vector and print the ids");
    auto* put_command = add("puts", "PUT /v1/media/{id} at a fixed rate");
    put_command->add_option("--address", options.address)->required();
    put_command->add_option("--rate", options.rate, "requests a second");
    CLI11_PARSE(app, count, arguments);
    try {
        const Vectors vectors(options.vectors_file, options.dimension);
        const auto result = bare_command->parsed()   ? bare(options, vectors)
                            : http_command->parsed() ? http(options, vectors)
                                                     : puts(options, vectors);
        fmt::print("{}\n", result.dump());
    } catch (const std::exception& error) {
        fmt::print(stderr, "error: {}\n", error.what());
        return 1;
    }
}
