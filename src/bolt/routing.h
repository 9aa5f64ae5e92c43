#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "bolt/messages.h"
#include "bolt/uri.h"

namespace crossover::bolt {

/// Which servers of a cluster do what for one database.
struct RoutingTable {
    std::string database;  ///< the user's home database where none was asked for; empty where not said
    std::vector<Address> routers;
    std::vector<Address> readers;
    std::vector<Address> writers;
    std::chrono::seconds time_to_live{0};
};

/// Of the answer to ROUTE; empty where it has no table.
std::optional<RoutingTable> parse_routing_table(const Map& metadata);

/// Keeps a routing table for each database and chooses servers: of those with the role, the one with the
/// fewest connections in use. Thread-safe.
class Router {
  public:
    /// Asks one server for the table.
    using Ask = std::function<RoutingTable(const Address& router, const std::string& database,
                                           const std::vector<std::string>& bookmarks, Deadline deadline)>;
    using Load = std::function<std::size_t(const Address&)>;
    using Now = std::function<Deadline::Clock::time_point()>;
    struct Server {
        Address address;
        std::string database;  ///< the one asked for; the user's home database by its name
    };

    Router(
        Address seed, Ask ask, Load load, Now now = [] { return Deadline::Clock::now(); });

    /// Fetches the table first where there is none, it is too old or lacks the role: from the routers it
    /// names, at last from the seed; one that fails is forgotten, unless by a failure that all would give.
    /// Throws `unavailable` where the database has no such server now.
    Server choose(const std::string& database, AccessMode access, const std::vector<std::string>& bookmarks,
                  Deadline deadline);

    /// The server cannot be reached: out of all tables.
    void forget(const Address& address);
    /// The server does not write this database, or does not serve it: fetch the table anew next time.
    void expire(const std::string& database);

  private:
    struct Entry {
        RoutingTable table;
        Deadline::Clock::time_point fetched;
        bool expired = false;
    };
    std::optional<Server> pick(const std::string& database, AccessMode access);
    RoutingTable fetch(const std::string& database, const std::vector<std::string>& bookmarks,
                       Deadline deadline);

    const Address seed_;
    const Ask ask_;
    const Load load_;
    const Now now_;
    std::mutex mutex_;
    std::map<std::string, Entry> tables_;
    std::size_t turn_ = 0;
};

}  // namespace crossover::bolt
