#include "bolt/routing.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace crossover::bolt {

namespace {

/// True of failures that are the client's, so that the next router would answer the same: what the official
/// drivers do not repeat either (neo4j-python-driver 5 and 6, "fatal during discovery").
bool same_everywhere(const std::string& code) {
    constexpr std::string_view kCodes[] = {
        "Neo.ClientError.Database.DatabaseNotFound",   "Neo.ClientError.Request.Invalid",
        "Neo.ClientError.Statement.ArgumentError",     "Neo.ClientError.Statement.TypeError",
        "Neo.ClientError.Transaction.InvalidBookmark", "Neo.ClientError.Transaction.InvalidBookmarkMixture",
    };
    if (code == kAuthorizationExpired) return false;
    return code.starts_with("Neo.ClientError.Security.") ||
           std::ranges::find(kCodes, code) != std::end(kCodes);
}

}  // namespace

std::optional<RoutingTable> parse_routing_table(const Map& metadata) {
    const Map* map = metadata.get_if<Map>("rt");
    if (map == nullptr) return std::nullopt;
    const auto* seconds = map->get_if<std::int64_t>("ttl");
    const List* servers = map->get_if<List>("servers");
    if (seconds == nullptr || servers == nullptr) return std::nullopt;
    RoutingTable table;
    if (const auto* name = map->get_if<std::string>("db")) table.database = *name;
    constexpr std::int64_t kLongest = 365LL * 24 * 3600;
    table.time_to_live = std::chrono::seconds(std::clamp<std::int64_t>(*seconds, 0, kLongest));
    for (const Value& server : *servers) {
        const Map* entry = server.get_if<Map>();
        if (entry == nullptr) return std::nullopt;
        const auto* role = entry->get_if<std::string>("role");
        const List* addresses = entry->get_if<List>("addresses");
        if (role == nullptr || addresses == nullptr) return std::nullopt;
        auto* list = *role == "ROUTE"   ? &table.routers
                     : *role == "READ"  ? &table.readers
                     : *role == "WRITE" ? &table.writers
                                        : nullptr;
        if (list == nullptr) continue;  // A role of the future.
        for (const Value& address : *addresses) {
            const auto* text = address.get_if<std::string>();
            if (text == nullptr) return std::nullopt;
            list->push_back(parse_address(*text));
        }
    }
    return table;
}

Router::Router(Address seed, Ask ask, Load load, Now now)
    : seed_(std::move(seed)), ask_(std::move(ask)), load_(std::move(load)), now_(std::move(now)) {}

Router::Server Router::choose(const std::string& database, AccessMode access,
                              const std::vector<std::string>& bookmarks, Deadline deadline) {
    if (auto server = pick(database, access)) return *server;
    // Not under the lock: others may still use what they know. Two fetches at once do no harm.
    RoutingTable table = fetch(database, bookmarks, deadline);
    {
        std::lock_guard lock(mutex_);
        // Who asked for the home database goes on by its name.
        if (database.empty() && !table.database.empty()) tables_[table.database] = Entry{table, now_()};
        tables_[database] = Entry{std::move(table), now_()};
    }
    if (auto server = pick(database, access)) return *server;
    throw Error(
        System::neo4j, ErrorKind::unavailable,
        fmt::format(
            "The cluster of Neo4j at {} has no server that can {} database '{}' now. Try again later.",
            to_string(seed_), access == AccessMode::read ? "read" : "write",
            database.empty() ? "of the user" : database));
}

std::optional<Router::Server> Router::pick(const std::string& database, AccessMode access) {
    std::lock_guard lock(mutex_);
    const auto found = tables_.find(database);
    if (found == tables_.end() || found->second.expired) return std::nullopt;
    const Entry& entry = found->second;
    // A table of no duration is good for the transaction that fetched it.
    const auto time_to_live = std::max(entry.table.time_to_live, std::chrono::seconds(1));
    if (now_() - entry.fetched >= time_to_live) return std::nullopt;
    const auto& candidates = access == AccessMode::read ? entry.table.readers : entry.table.writers;
    std::optional<Address> best;
    std::size_t least = std::numeric_limits<std::size_t>::max();
    ++turn_;  // Equals take turns.
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        const Address& candidate = candidates[(i + turn_) % candidates.size()];
        const std::size_t load = load_(candidate);
        if (load < least) {
            least = load;
            best = candidate;
        }
    }
    if (!best) return std::nullopt;
    return Server{*best, database.empty() ? entry.table.database : database};
}

RoutingTable Router::fetch(const std::string& database, const std::vector<std::string>& bookmarks,
                           Deadline deadline) {
    std::vector<Address> routers;
    {
        std::lock_guard lock(mutex_);
        const auto found = tables_.find(database);
        if (found != tables_.end()) routers = found->second.table.routers;
    }
    std::erase(routers, seed_);
    routers.push_back(seed_);
    for (std::size_t i = 0;; ++i) {
        const std::size_t left = routers.size() - i;
        const bool last = left == 1;
        try {
            // One that is silent must leave time for the others.
            const Deadline share = Deadline::after(deadline.remaining() / static_cast<long>(left));
            RoutingTable table =
                ask_(routers[i], database, bookmarks, last ? deadline : share.earlier(deadline));
            const bool useful = !table.routers.empty() && !(table.readers.empty() && table.writers.empty());
            if (useful || last) return table;
        } catch (const Error& error) {
            const bool ours = error.kind() == ErrorKind::cancelled || same_everywhere(error.native_code());
            if (last || ours || deadline.passed()) throw;
            forget(routers[i]);
        }
    }
}

void Router::forget(const Address& address) {
    std::lock_guard lock(mutex_);
    for (auto& [database, entry] : tables_) {
        std::erase(entry.table.routers, address);
        std::erase(entry.table.readers, address);
        std::erase(entry.table.writers, address);
    }
}

void Router::expire(const std::string& database) {
    std::lock_guard lock(mutex_);
    for (auto& [name, entry] : tables_) {
        if (name == database || entry.table.database == database) entry.expired = true;
    }
}

}  // namespace crossover::bolt
