#include <fmt/format.h>

#include <future>

#include "base/address.h"
#include "base/text.h"
#include "commands.h"
#include "learning_settings.h"
#include "migration/preflight/obstacles.h"
#include "milvus/endpoint.h"
#include "preflight_report.h"
#include "progress_view.h"
#include "settings/exit_code.h"
#include "settings/servers.h"
#include "vectors/collection.h"

namespace crossover::cli {
namespace {

using migration::PreflightReport;
using migration::ServerState;

class Preflight : public Command {
  public:
    explicit Preflight(CLI::App& parent) {
        declare(
            parent, "preflight", "See what is there and whether it is enough. Writes nothing.",
            "  migrate preflight --check-connectivity   only whether the servers answer, and their versions\n"
            "  migrate preflight                        looks at a sample, in seconds\n"
            "  migrate preflight --full                 reads every embedding once: exact counts, measured "
            "estimate\n"
            "  migrate preflight --output json | jq .inventory.bad");
        app->add_flag("--check-connectivity", only_connectivity_, "only ask the servers for their versions")
            ->group("Looking");
        app->add_flag("--full", full_, "read every embedding, not only a sample")->group("Looking");
        add_settings("Looking", {"migration.hnsw_m", "migration.ef_construction"});
        add_media_settings();
        add_learning_settings();
        add_server_settings();
        add_general_flags();
    }

    int run(const Context& context) override {
        const auto& settings = context.settings;
        PreflightReport report;
        report.only_connectivity = only_connectivity_;
        report.label = settings.label;
        report.servers = check_servers(settings);
        if (!only_connectivity_ && report.servers[0].reached) {
            report.source = source_address(settings);
            look_inside(report, context);
        }
        if (!only_connectivity_ && report.servers[3].reached) {
            for (auto& fault : learning_faults(settings)) report.reasons.push_back(std::move(fault));
        }
        migration::judge(report);
        if (context.json) {
            fmt::print("{}\n", preflight_json(report));
        } else {
            print_preflight(report);
        }
        if (report.ready()) return kDone;
        return report.only_unreachable ? kUnreachable : kNotReady;
    }

  private:
    /// Neo4j, Milvus, PostgreSQL, Redis, in this order; all at once, so that one that hangs does not delay
    /// the rest.
    static std::vector<ServerState> check_servers(const Settings& settings) {
        std::vector<std::future<ServerState>> checks;
        const auto add = [&](System system, const std::string& address, auto check) {
            checks.push_back(std::async(std::launch::async, [system, address, check]() -> ServerState {
                if (address.empty()) return migration::not_configured(system);
                try {
                    return check();
                } catch (const Error& error) {
                    return migration::misconfigured(system, shown_address(address), error);
                }
            }));
        };
        add(System::neo4j, settings.neo4j_uri, [&settings] {
            return migration::check_neo4j(*make_driver(settings), source_address(settings),
                                          settings.neo4j_database);
        });
        add(System::milvus, settings.milvus_uri, [&settings] {
            return migration::check_milvus(*make_client(settings), target_address(settings));
        });
        add(System::postgres, settings.postgres_url,
            [&settings] { return migration::check_postgres(settings.postgres_url); });
        add(System::redis, settings.redis_url,
            [&settings] { return migration::check_redis(settings.redis_url, settings.redis_ca_file); });
        std::vector<ServerState> servers;
        for (auto& check : checks) servers.push_back(check.get());
        return servers;
    }

    void look_inside(PreflightReport& report, const Context& context) const {
        const auto& settings = context.settings;
        auto driver = make_driver(settings);
        const auto client = report.servers[1].reached ? make_client(settings) : nullptr;
        auto mapping = make_mapping(settings);
        if (client) {
            vectors::adopt_fields(*client, mapping.collection, mapping,
                                  Deadline::after(std::chrono::seconds(10)));
        }
        try {
            ProgressView view;
            report.inventory = migration::take_inventory(
                *driver, settings.neo4j_database, mapping, full_,
                [&](std::int64_t read, std::int64_t expected) {
                    ProgressMoment moment;
                    moment.done = read;
                    moment.expected = expected;
                    moment.state = "reading";
                    view.show(moment);
                },
                context.stop);
        } catch (const Error& error) {
            // Nothing to copy, or nothing that can be, is a finding; anything else ends the command.
            if (error.kind() != ErrorKind::not_ready && error.kind() != ErrorKind::conflict) throw;
            report.reasons.push_back(error.what());
            return;
        }
        const auto& inventory = *report.inventory;
        for (auto& reason :
             migration::obstacles(*driver, client.get(), settings.neo4j_database, inventory.mapping)) {
            report.reasons.push_back(std::move(reason));
        }
        if (client) {
            const auto endpoint = milvus::parse_endpoint(settings.milvus_uri);
            report.capacity = migration::ask_capacity(*client, is_loopback(endpoint.host));
        }
        report.forecast = migration::forecast(
            inventory.valid, inventory.mapping.dimension, static_cast<int>(settings.hnsw_m),
            static_cast<int>(settings.ef_construction), inventory.read_seconds, report.capacity.index_cores);
    }

    bool only_connectivity_ = false;
    bool full_ = false;
};

}  // namespace

std::unique_ptr<Command> make_preflight(CLI::App& parent) {
    return std::make_unique<Preflight>(parent);
}

}  // namespace crossover::cli
