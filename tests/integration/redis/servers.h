#pragma once

#include <gmock/gmock.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "redis/keyspace.h"
#include "support/error_of.h"

/// Real Redis servers of the tests' own: on free ports of loopback, in a folder that goes away with them.
namespace crossover::redis::test {

using namespace std::chrono_literals;

inline Deadline soon() {
    return Deadline::after(60s);
}

/// The values of the keys, in their order; "" of one that is not there.
inline std::vector<std::string> texts_of(Keyspace& keyspace, const std::vector<std::string>& keys,
                                         Deadline deadline = soon()) {
    Pipeline pipeline;
    for (const auto& key : keys) pipeline.add({"GET", key});
    std::vector<std::string> texts;
    for (auto& reply : keyspace.run(pipeline, deadline)) {
        if (reply.is_error()) throw to_error(keyspace.name(), reply);
        texts.push_back(std::move(reply.text).value_or(""));
    }
    return texts;
}

inline int free_port() {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    const bool bound = ::bind(socket, generic, size) == 0 && ::getsockname(socket, generic, &size) == 0;
    ::close(socket);
    if (!bound) throw std::runtime_error("no free port");
    return ntohs(address.sin_port);
}

/// Asks until it holds, at most a minute.
inline bool eventually(const std::function<bool()>& holds) {
    const auto end = soon();
    while (!end.passed()) {
        try {
            if (holds()) return true;
        } catch (const Error& error) {
            if (!error.retryable()) throw;
        }
        std::this_thread::sleep_for(20ms);
    }
    return false;
}

class Server {
  public:
    /// `lines` of redis.conf, to which address, port, folder and log are added.
    explicit Server(std::vector<std::string> lines = {}, bool tls = false)
        : port_(free_port()), folder_(std::filesystem::temp_directory_path() / "crossover-redis-XXXXXX") {
        if (::mkdtemp(folder_.data()) == nullptr) throw std::runtime_error("no scratch folder");
        std::ofstream conf(folder_ + "/redis.conf");
        conf << "bind 127.0.0.1\n"
             << (tls ? "port 0\ntls-port " : "port ") << port_ << "\ndir " << folder_ << "\nlogfile "
             << folder_ << "/log\nsave \"\"\n";
        for (const auto& line : lines) conf << line << "\n";
        conf.close();
        start();
    }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    ~Server() {
        kill();
        std::filesystem::remove_all(folder_);
    }

    /// Returns when it listens.
    void start() {
        const auto conf = folder_ + "/redis.conf";
        pid_ = ::fork();
        if (pid_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            ::execlp("redis-server", "redis-server", conf.c_str(), nullptr);
            ::_exit(127);
        }
        if (!eventually([this] { return listens(); }))
            throw std::runtime_error("redis-server did not start: see " + folder_ + "/log");
    }
    void kill() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = 0;
    }

    int port() const { return port_; }
    Address address() const {
        Address address;
        address.host = "127.0.0.1";
        address.port = port_;
        return address;
    }
    std::unique_ptr<Connection> connect() const { return std::make_unique<Connection>(address(), 10s); }

  private:
    bool listens() const {
        const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(port_));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const bool open = ::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
        ::close(socket);
        return open;
    }

    const int port_;
    std::string folder_;
    pid_t pid_ = 0;
};

/// Three masters, each with a third of the slots.
class Cluster {
  public:
    Cluster() {
        for (int i = 0; i < 3; ++i) {
            servers.push_back(std::make_unique<Server>(std::vector<std::string>{
                "cluster-enabled yes", "cluster-node-timeout 2000", "appendonly yes", "appendfsync always",
                "cluster-port " + std::to_string(free_port())}));
            admins.push_back(servers.back()->connect());
            ids.push_back(admin(i).call({"CLUSTER", "MYID"}).text.value());
        }
        const char* bounds[] = {"0", "5460", "5461", "10922", "10923", "16383"};
        for (int i = 0; i < 3; ++i) {
            admin(i).call({"CLUSTER", "SET-CONFIG-EPOCH", std::to_string(i + 1)});
            admin(i).call({"CLUSTER", "ADDSLOTSRANGE", bounds[2 * i], bounds[2 * i + 1]});
            const auto bus = admin(i).call({"CONFIG", "GET", "cluster-port"}).elements.at(1).text.value();
            const auto port = std::to_string(servers[static_cast<std::size_t>(i)]->port());
            if (i > 0) admin(0).call({"CLUSTER", "MEET", "127.0.0.1", port, bus});
        }
        if (!eventually([this] { return agreed(); })) throw std::runtime_error("the cluster did not form");
    }

    /// As one of them sees them.
    std::vector<ClusterNode> nodes(int node) {
        return parse_cluster_nodes(admin(node).call({"CLUSTER", "NODES"}).text.value()).value();
    }
    Connection& admin(int node) { return *admins.at(static_cast<std::size_t>(node)); }

    /// As redis-cli --cluster reshard does, but for the step that is left to finish_move.
    void begin_move(std::size_t slot, int from, int to) {
        const auto number = std::to_string(slot);
        admin(to).call({"CLUSTER", "SETSLOT", number, "IMPORTING", id(from)});
        admin(from).call({"CLUSTER", "SETSLOT", number, "MIGRATING", id(to)});
    }
    void move_keys(std::size_t slot, int from, int to, std::size_t most = 1'000'000) {
        const auto keys = admin(from)
                              .call({"CLUSTER", "GETKEYSINSLOT", std::to_string(slot), std::to_string(most)})
                              .elements;
        const auto port = std::to_string(servers[static_cast<std::size_t>(to)]->port());
        for (const auto& key : keys)
            admin(from).call({"MIGRATE", "127.0.0.1", port, *key.text, "0", "10000"});
    }
    void finish_move(std::size_t slot, int from, int to) {
        for (const int node : {to, from, 3 - from - to})
            admin(node).call({"CLUSTER", "SETSLOT", std::to_string(slot), "NODE", id(to)});
        // The next move must not meet what was still under way: then two masters may each hold that it is the
        // other's.
        if (!eventually([&] { return same_view(); })) throw std::runtime_error("the cluster does not agree");
    }
    void move(std::size_t slot, int from, int to) {
        begin_move(slot, from, to);
        move_keys(slot, from, to);
        finish_move(slot, from, to);
    }
    /// The master that says it owns the slot.
    int owner(std::size_t slot) {
        for (int node = 0; node < 3; ++node) {
            for (const auto& one : nodes(node)) {
                for (const auto& [first, last] : one.slots) {
                    if (one.myself && first <= slot && slot <= last) return node;
                }
            }
        }
        throw std::runtime_error("a slot without an owner");
    }
    const std::string& id(int node) const { return ids.at(static_cast<std::size_t>(node)); }

    std::vector<std::unique_ptr<Server>> servers;
    std::vector<std::unique_ptr<Connection>> admins;
    std::vector<std::string> ids;

  private:
    /// All three say the same of everyone's slots and epochs.
    bool same_view() {
        std::vector<std::vector<std::string>> views;
        for (int i = 0; i < 3; ++i) {
            auto& view = views.emplace_back();
            for (const auto& node : nodes(i)) {
                view.push_back(node.id + " " + std::to_string(node.config_epoch));
                for (const auto& [first, last] : node.slots)
                    view.back() += " " + std::to_string(first) + "-" + std::to_string(last);
            }
            std::sort(view.begin(), view.end());
        }
        return views[0] == views[1] && views[1] == views[2];
    }
    bool agreed() {
        for (int i = 0; i < 3; ++i) {
            const auto info = admin(i).call({"CLUSTER", "INFO"}).text.value();
            if (info.find("cluster_state:ok") == std::string::npos ||
                info.find("cluster_known_nodes:3") == std::string::npos ||
                info.find("cluster_slots_assigned:16384") == std::string::npos)
                return false;
        }
        return true;
    }
};

}  // namespace crossover::redis::test
