/// The servers' own ceiling: how fast Neo4j gives and Milvus takes (or gives back) when the client does next
/// to nothing, each alone and both at once on this machine. `migrate` is measured against the slower of the
/// two sides while both run; see docs/performance.md.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <functional>
#include <iostream>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <stop_token>
#include <thread>
#include <vector>

#include "bolt/connection.h"
#include "bolt/driver.h"
#include "milvus/client.h"
#include "neo4j/inventory.h"
#include "neo4j/media_query.h"
#include "neo4j/row_decoder.h"
#include "net/tcp.h"
#include "vectors/collection.h"

namespace crossover {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kCallTimeout{120};
Deadline soon() {
    return Deadline::after(kCallTimeout);
}

struct Options {
    std::string neo4j_uri, neo4j_user = "neo4j", neo4j_password, neo4j_database;
    milvus::ClientConfig milvus;
    sync::MediaMapping mapping;
    std::vector<std::string> properties = {"title", "genre", "year"};
    std::string collection = "media_embeddings";
    std::size_t batch_rows = 1000;
    int in_flight = 4;
    std::size_t page_rows = 8192;
    int page_streams = 2;
};

/// What keeps one server busy: goes over the whole data set again and again.
class Load {
  public:
    virtual ~Load() = default;
    /// Blocks until stopped; adds to `items` what was transferred, as it comes.
    virtual void run(const std::stop_token& stop, std::atomic<std::size_t>& items) = 0;
};

/// Neo4j as the copy reads it, over one connection with nothing to wait for; records are counted and thrown
/// away undecoded.
class Drain : public Load {
  public:
    explicit Drain(const Options& options)
        : database_(options.neo4j_database),
          query_(neo4j::MediaQueries(options.mapping).items_in_range({})),
          connection_(connect(options)) {}

    void run(const std::stop_token& stop, std::atomic<std::size_t>& items) override {
        while (!stop.stop_requested()) {
            pass([&](bolt::Decoder) {
                items.fetch_add(1, std::memory_order_relaxed);
                return !stop.stop_requested();
            });
        }
    }

    /// One pass over all records; `sink` returns false to end it early. The fields are in the receive buffer.
    void pass(const std::function<bool(bolt::Decoder)>& sink) {
        constexpr bolt::WaitLimits limits{kCallTimeout, std::nullopt};
        bolt::TransactionExtra extra;
        extra.database = database_;
        extra.access = bolt::AccessMode::read;
        extra.timeout = std::chrono::hours(1);
        connection_->protocol().run(query_, {}, &extra);
        connection_->protocol().pull(-1);
        connection_->flush(soon());
        connection_->expect_success(limits, database_);
        for (;;) {
            const auto& response = connection_->receive(limits).response;
            if (response.kind == bolt::Response::Kind::success) return;
            if (response.kind != bolt::Response::Kind::record) {
                throw connection_->to_error(response.metadata, database_);
            }
            if (!sink(response.fields)) break;
        }
        connection_->reset(soon());
    }

  private:
    static std::unique_ptr<bolt::Connection> connect(const Options& options) {
        const auto address = bolt::parse_uri(options.neo4j_uri).address;
        bolt::ConnectionOptions how;
        how.user_agent = "crossover-bench";
        how.auth = bolt::AuthToken::basic(options.neo4j_user, options.neo4j_password);
        return bolt::Connection::open(net::tcp_connect(address.host, address.port, soon(), System::neo4j),
                                      address, how, soon());
    }

    std::string database_;
    std::string query_;
    std::unique_ptr<bolt::Connection> connection_;
};

/// Runs `body(worker)` in `workers` threads and throws what the first of them threw.
void in_parallel(int workers, const std::function<void(int)>& body) {
    std::mutex mutex;
    std::exception_ptr failure;
    {
        std::vector<std::jthread> threads;
        for (int worker = 0; worker < workers; ++worker) {
            threads.emplace_back([&, worker] {
                try {
                    body(worker);
                } catch (...) {
                    const std::lock_guard lock(mutex);
                    if (!failure) failure = std::current_exception();
                }
            });
        }
    }
    if (failure) std::rethrow_exception(failure);
}

/// The requests that the copy would send to Milvus, made beforehand, some of them in flight all the time.
class Replay : public Load {
  public:
    Replay(milvus::Client& client, std::vector<milvus::SerializedUpsert> requests, int in_flight)
        : client_(client), requests_(std::move(requests)), in_flight_(in_flight) {}

    std::size_t rows() const {
        std::size_t rows = 0;
        for (const auto& request : requests_) rows += request.rows();
        return rows;
    }

    void run(const std::stop_token& stop, std::atomic<std::size_t>& items) override {
        std::atomic<std::size_t> next = 0;
        in_parallel(in_flight_, [&](int) {
            while (!stop.stop_requested()) {
                const auto& request = requests_[next++ % requests_.size()];
                const auto result = client_.send(request, soon());
                if (result.upserted != static_cast<std::int64_t>(request.rows())) {
                    throw Error(System::milvus, ErrorKind::rejected,
                                fmt::format("{} took {} of {} rows", client_.address(), result.upserted,
                                            request.rows()));
                }
                items += request.rows();
            }
        });
    }

  private:
    milvus::Client& client_;
    std::vector<milvus::SerializedUpsert> requests_;
    int in_flight_;
};

/// Whole rows out of Milvus in large pages, as a full validation has to read them.
class Scan : public Load {
  public:
    Scan(milvus::Client& client, const milvus::CollectionRef& collection, const Options& options)
        : client_(client), collection_(collection), page_rows_(options.page_rows) {
        fields_.vector = fields_.version = true;
        fields_.properties = options.properties;
        divide(options.page_streams);
    }

    std::size_t rows() const { return rows_; }

    void run(const std::stop_token& stop, std::atomic<std::size_t>& items) override {
        in_parallel(static_cast<int>(ranges_.size()), [&](int worker) {
            const auto& range = ranges_[static_cast<std::size_t>(worker)];
            while (!stop.stop_requested()) {
                auto rest = range;
                for (std::size_t rows = 1; rows > 0 && !stop.stop_requested();) {
                    const auto page = client_.query_page(collection_, rest, page_rows_, fields_,
                                                         milvus::Consistency::strong, soon());
                    rows = page.size();
                    items += rows;
                    if (rows > 0) rest.after = page.ids.back();
                }
            }
        });
    }

  private:
    /// Ranges of equally many ids, one for each stream.
    void divide(int streams) {
        std::vector<ItemId> ids;
        for (milvus::IdRange rest;;) {
            auto page = client_.query_page(collection_, rest, milvus::kMaxQueryRows, {},
                                           milvus::Consistency::strong, soon());
            if (page.empty()) break;
            rest.after = page.ids.back();
            ids.insert(ids.end(), std::make_move_iterator(page.ids.begin()),
                       std::make_move_iterator(page.ids.end()));
        }
        rows_ = ids.size();
        if (ids.empty()) {
            throw Error(System::milvus, ErrorKind::not_ready,
                        collection_.name + " is empty: copy something first");
        }
        const auto parts = static_cast<std::size_t>(streams);
        for (std::size_t part = 0; part < parts; ++part) {
            milvus::IdRange range;
            if (part > 0) range.after = ids[part * ids.size() / parts];
            if (part + 1 < parts) range.up_to = ids[(part + 1) * ids.size() / parts];
            ranges_.push_back(range);
        }
    }

    milvus::Client& client_;
    milvus::CollectionRef collection_;
    milvus::ReadFields fields_;
    std::size_t page_rows_;
    std::size_t rows_ = 0;
    std::vector<milvus::IdRange> ranges_;
};

/// Runs all loads at once until each has transferred `data_set` items; items per second of each over that one
/// span of time.
std::vector<double> measure(const std::vector<Load*>& loads, std::size_t data_set) {
    std::vector<std::atomic<std::size_t>> items(loads.size());
    std::vector<double> rates;
    std::stop_source stop;
    in_parallel(static_cast<int>(loads.size()) + 1, [&](int worker) {
        const auto index = static_cast<std::size_t>(worker);
        if (index < loads.size()) {
            try {
                loads[index]->run(stop.get_token(), items[index]);
            } catch (...) {
                stop.request_stop();
                throw;
            }
            return;
        }
        const auto started = Clock::now();
        const auto at_work = [&](const auto& count) { return count < data_set; };
        while (!stop.stop_requested() && std::any_of(items.begin(), items.end(), at_work)) {
            std::this_thread::sleep_for(2ms);
        }
        const double seconds = std::chrono::duration<double>(Clock::now() - started).count();
        for (const auto& count : items) rates.push_back(static_cast<double>(count) / seconds);
        stop.request_stop();
    });
    return rates;
}

/// A collection of the copy's own shape that is there for one measurement.
class Scratch {
  public:
    Scratch(milvus::Client& client, const sync::MediaMapping& mapping) : client_(client) {
        drop();
        ref_ = vectors::Collection::open_or_create(client, kAlias, mapping, {{mapping.label, "", "bench"}},
                                                   soon())
                   .ref();
    }
    ~Scratch() {
        try {
            drop();
        } catch (const std::exception& error) {
            std::cerr << "left behind in Milvus: " << ref_.name << ": " << error.what() << '\n';
        }
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

    const milvus::CollectionRef& ref() const { return ref_; }

  private:
    static constexpr const char* kAlias = "bench_ceiling";

    void drop() {
        const auto name = client_.describe_alias(kAlias, soon());
        if (!name) return;
        client_.drop_alias(kAlias, soon());
        client_.drop_collection(*name, soon());
    }

    milvus::Client& client_;
    milvus::CollectionRef ref_{""};
};

milvus::ColumnBatch to_columns(sync::ItemBatch&& batch, const sync::MediaMapping& mapping) {
    milvus::ColumnBatch columns;
    columns.ids = std::move(batch.ids);
    columns.vectors = std::move(batch.vectors);
    columns.dimension = batch.dimension;
    columns.versions = std::move(batch.versions);
    for (std::size_t i = 0; i < batch.properties.size(); ++i) {
        columns.properties.push_back({mapping.properties[i].name, std::move(batch.properties[i].values)});
    }
    return columns;
}

/// Neo4j's items as the requests that put them into `collection`.
std::vector<milvus::SerializedUpsert> read_requests(Drain& drain, milvus::Client& client,
                                                    const milvus::CollectionRef& collection,
                                                    const Options& options) {
    const neo4j::RowDecoder decoder(options.mapping);
    std::vector<milvus::SerializedUpsert> requests;
    auto batch = sync::make_batch(options.mapping);
    const auto finish = [&] {
        if (batch.empty()) return;
        requests.push_back(
            client.serialize_upsert(collection, to_columns(std::move(batch), options.mapping)));
        batch = sync::make_batch(options.mapping);
    };
    drain.pass([&](bolt::Decoder fields) {
        decoder.decode(fields, 1, batch);
        if (batch.rows() == options.batch_rows) finish();
        return true;
    });
    finish();
    return requests;
}

nlohmann::json pair(const char* first, const char* second, const std::vector<double>& rates) {
    return {{first, rates[0]}, {second, rates[1]}};
}

nlohmann::json measure_copy(const Options& options) {
    milvus::Client client(options.milvus);
    Drain drain(options);
    auto scratch = std::make_unique<Scratch>(client, options.mapping);
    Replay replay(client, read_requests(drain, client, scratch->ref(), options), options.in_flight);
    const std::size_t items = replay.rows();
    const auto drained = measure({&drain}, items);
    const auto replayed = measure({&replay}, items);
    scratch.reset();
    scratch = std::make_unique<Scratch>(client, options.mapping);
    const auto both = measure({&drain, &replay}, items);
    return {{"items", items},
            {"alone", {{"drain", drained[0]}, {"upserts", replayed[0]}}},
            {"together", pair("drain", "upserts", both)},
            {"ceiling", std::min(both[0], both[1])}};
}

nlohmann::json measure_validate(const Options& options) {
    milvus::Client client(options.milvus);
    Drain drain(options);
    const auto name = client.describe_alias(options.collection, soon());
    Scan scan(client, name.value_or(options.collection), options);
    const auto drained = measure({&drain}, scan.rows());
    const auto scanned = measure({&scan}, scan.rows());
    const auto both = measure({&drain, &scan}, scan.rows());
    return {{"items", scan.rows()},
            {"alone", {{"drain", drained[0]}, {"scan", scanned[0]}}},
            {"together", pair("drain", "scan", both)},
            {"ceiling", std::min(both[0], both[1])}};
}

void complete_mapping(Options& options) {
    for (const auto& name : options.properties) options.mapping.properties.push_back({name});
    bolt::Driver driver(bolt::parse_uri(options.neo4j_uri),
                        bolt::AuthToken::basic(options.neo4j_user, options.neo4j_password));
    neo4j::infer_mapping(driver, options.neo4j_database, options.mapping);
}

int run(int argc, char** argv) {
    Options options;
    CLI::App app("Measures what the servers can do by themselves; prints JSON, in items per second.");
    app.add_option("--neo4j-uri", options.neo4j_uri)->envname("NEO4J_URI")->required();
    app.add_option("--neo4j-user", options.neo4j_user)->envname("NEO4J_USER");
    app.add_option("--neo4j-password", options.neo4j_password)->envname("NEO4J_PASSWORD");
    app.add_option("--neo4j-database", options.neo4j_database)->envname("NEO4J_DATABASE");
    app.add_option("--milvus-uri", options.milvus.uri)->envname("MILVUS_URI")->required();
    app.add_option("--milvus-token", options.milvus.token)->envname("MILVUS_TOKEN");
    app.add_option("--milvus-database", options.milvus.database)->envname("MILVUS_DATABASE");
    app.add_option("--label", options.mapping.label, "of the nodes to read");
    app.add_option("--properties", options.properties, "carried beside id and embedding")->delimiter(',');
    app.require_subcommand(1);

    auto* copy =
        app.add_subcommand("copy", "Neo4j drained and prepared upserts replayed into a scratch collection");
    copy->add_option("--batch-size", options.batch_rows, "rows of an upsert")->capture_default_str();
    copy->add_option("--in-flight", options.in_flight, "upserts at once")->capture_default_str();

    auto* validate = app.add_subcommand("validate", "Neo4j drained and a loaded collection read back");
    validate->add_option("--collection", options.collection, "alias or collection")->capture_default_str();
    validate->add_option("--page-rows", options.page_rows, "rows of a query")->capture_default_str();
    validate->add_option("--streams", options.page_streams, "queries at once")->capture_default_str();

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error);
    }
    try {
        complete_mapping(options);
        std::cout << (copy->parsed() ? measure_copy(options) : measure_validate(options)).dump(2) << '\n';
        return EXIT_SUCCESS;
    } catch (const std::exception& error) {
        std::cerr << "error: " << error.what() << '\n';
        return EXIT_FAILURE;
    }
}

}  // namespace
}  // namespace crossover

int main(int argc, char** argv) {
    return crossover::run(argc, argv);
}
