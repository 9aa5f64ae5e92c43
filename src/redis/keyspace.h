#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "redis/cluster.h"
#include "redis/connection.h"
#include "redis/pipeline.h"

namespace crossover::redis {

/// All keys of a Redis server or of a Redis cluster, which it tells apart by itself. One thread at a time;
/// several of them may work side by side.
///
/// Throws crossover::Error of System::redis. Connections that failed are dropped and made again by the next
/// call, so that whoever rides out an error simply calls again; reads lose nothing by it, writes of a call
/// that threw may or may not have been carried out.
class Keyspace {
  public:
    /// Connects to one server, which names the rest. `connect_timeout` is for each connection, now and later.
    explicit Keyspace(Address address, std::chrono::milliseconds connect_timeout = std::chrono::seconds(5));
    ~Keyspace();
    Keyspace(const Keyspace&) = delete;
    Keyspace& operator=(const Keyspace&) = delete;

    bool is_cluster() const { return cluster_; }
    /// "7.0.15", of the server that was named; empty where it does not say.
    const std::string& version() const { return version_; }
    /// The address that was given, for messages.
    const std::string& name() const { return name_; }
    /// Addresses of the masters, as known now; of a single server its own.
    std::vector<std::string> masters() const;

    /// Sends each command to the master of its key and returns the answers in the order of the commands;
    /// errors are values. A command that a server refuses for now, and so has not carried out (MOVED, ASK,
    /// TRYAGAIN, CLUSTERDOWN, LOADING, MASTERDOWN, NOSCRIPT of a loaded script), is sent again, a bounded
    /// number of times: what remains after that is its answer.
    ///
    /// Commands of one key go in their order; but where one of them has to be sent again, a later one may
    /// come before it. Whatever must be one is one command: SET … PXAT, or a script.
    std::vector<Reply> run(const Pipeline& commands, Deadline deadline);

    /// Loads a Lua script everywhere and returns its digest, for "EVALSHA digest 1 key …". run() loads it
    /// again where a server has lost it.
    std::string load_script(std::string_view script, Deadline deadline);

  private:
    friend class KeyScan;

    struct Node {
        Address address;
        std::unique_ptr<Connection> connection;
        std::uint64_t serial = 0;  ///< of the connection: another number, another connection
    };
    /// A command that has no final answer yet.
    struct Open {
        std::size_t command;
        std::int32_t node;  ///< -1 = nobody has its slot
        bool asking;        ///< the node is to answer though it does not own the slot yet
    };
    struct Attempt;

    void discover();
    void ask_mode(Connection& connection, Deadline deadline);
    void refresh(Deadline deadline);
    bool adopt(const std::vector<ClusterNode>& cluster, const std::string& asked_host);
    std::vector<ClusterNode> ask_nodes(std::size_t node, Deadline deadline);
    Connection& connection(std::size_t node, Deadline deadline);
    std::size_t node_at(const std::string& host, int port);
    std::int32_t owner(std::string_view key) const;

    std::vector<Reply> run_all(const Pipeline& commands, Deadline deadline);
    void send_all(const Pipeline& commands, Attempt& attempt, Deadline deadline);
    void receive_all(Attempt& attempt, std::vector<Reply>& replies, Deadline deadline);
    void judge(const Open& open, const Reply& reply, Attempt& attempt);
    void prepare_next(const Pipeline& commands, Attempt& attempt, Deadline deadline);
    void load_scripts(std::size_t node, Deadline deadline);

    const Address address_;
    const std::chrono::milliseconds connect_timeout_;
    const std::string name_;
    std::string version_;
    bool cluster_ = false;
    bool stale_ = false;       ///< what is known of the cluster: a node has failed
    std::vector<Node> nodes_;  ///< all that were ever met; [0] is the address that was given
    std::vector<std::int32_t> masters_;
    std::vector<std::int32_t> owners_;            ///< of each slot; -1 = nobody
    std::map<std::string, std::string> scripts_;  ///< by digest
    std::uint64_t serial_ = 0;
};

}  // namespace crossover::redis
