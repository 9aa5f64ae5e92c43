#include "redis/keyspace.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/retry.h"

namespace crossover::redis {

namespace {

/// How often a command is sent again that a server can't carry out for now: about six seconds.
constexpr int kMostAttempts = 16;
constexpr int kMostHops = 4;  ///< without a wait between
constexpr std::chrono::milliseconds kFirstWait{20}, kLongestWait{500};
/// No cluster has more; a server that names ever new ones is not followed for ever.
constexpr std::size_t kMostNodes = 2'000;

/// Errors are values.
Reply ask(Connection& connection, std::initializer_list<std::string_view> words, Deadline deadline) {
    Pipeline one;
    one.add(words);
    return std::move(one.run(connection, deadline).front());
}

/// The value of a name in "name, value, name, value, …".
std::string field(const Reply& flat, std::string_view name) {
    for (std::size_t i = 0; i + 1 < flat.elements.size(); i += 2) {
        if (flat.elements[i].text == name) return flat.elements[i + 1].text.value_or("");
    }
    return {};
}

/// The value of "name:value\r\n".
std::string line(std::string_view info, std::string_view name) {
    const auto at = info.find(fmt::format("\n{}:", name));
    if (at == std::string_view::npos) return {};
    const auto begin = at + name.size() + 2;
    return std::string(info.substr(begin, std::min(info.find_first_of("\r\n", begin), info.size()) - begin));
}

/// The server is sure that it did nothing, and that this will pass.
bool passes(std::string_view code) {
    return code == "TRYAGAIN" || code == "CLUSTERDOWN" || code == "LOADING" || code == "MASTERDOWN";
}

Reply no_master() {
    Reply reply;
    reply.kind = Reply::Kind::error;
    reply.text = "CLUSTERDOWN No master of this key's slot is known";
    return reply;
}

}  // namespace

/// One sending of what is open, to all nodes concerned, and what has to be sent again after it.
struct Keyspace::Attempt {
    std::vector<Open> open;
    std::map<std::int32_t, std::vector<Open>> by_node;
    std::vector<Open> again;
    std::vector<std::int32_t> without_script;
    std::vector<std::int32_t> given_scripts;  ///< in this run
    bool wait = false;
    bool stale = false;  ///< what is known of the cluster
};

Keyspace::Keyspace(Address address, std::chrono::milliseconds connect_timeout)
    : address_(std::move(address)), connect_timeout_(connect_timeout), name_(to_string(address_)) {
    nodes_.push_back({address_, nullptr, 0});
    discover();
}

Keyspace::~Keyspace() = default;

std::vector<std::string> Keyspace::masters() const {
    std::vector<std::string> names;
    for (const auto node : masters_)
        names.push_back(to_string(nodes_[static_cast<std::size_t>(node)].address));
    return names;
}

void Keyspace::discover() {
    const auto deadline = Deadline::after(connect_timeout_);
    ask_mode(connection(0, deadline), deadline);
    owners_.assign(kSlots, cluster_ ? -1 : 0);
    if (cluster_) {
        refresh(deadline);
    } else {
        masters_ = {0};
    }
}

/// HELLO is what a user without any rights may ask; Redis before 6.2 and some proxies don't answer it.
void Keyspace::ask_mode(Connection& server, Deadline deadline) {
    std::string mode;
    const auto hello = ask(server, {"HELLO", "2"}, deadline);
    if (hello.is_error()) {
        const auto info = server.call({"INFO", "server"}, deadline).text.value_or("");
        version_ = line(info, "redis_version");
        mode = line(info, "redis_mode");
    } else {
        version_ = field(hello, "version");
        mode = field(hello, "mode");
    }
    if (mode == "sentinel") {
        throw Error(System::redis, ErrorKind::usage,
                    fmt::format("{} is a Sentinel, which has no data: name the server itself.", name_));
    }
    cluster_ = mode == "cluster";
}

Connection& Keyspace::connection(std::size_t node, Deadline deadline) {
    auto& found = nodes_[node];
    if (found.connection && !found.connection->usable()) found.connection.reset();
    if (!found.connection) {
        found.connection =
            std::make_unique<Connection>(found.address, std::min(connect_timeout_, deadline.remaining()));
        found.serial = ++serial_;
    }
    return *found.connection;
}

std::size_t Keyspace::node_at(const std::string& host, int port) {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        if (nodes_[i].address.port == port && nodes_[i].address.host == host) return i;
    }
    if (nodes_.size() >= kMostNodes) {
        throw Error(System::redis, ErrorKind::protocol,
                    fmt::format("The cluster of {} names more than {} servers.", name_, kMostNodes));
    }
    auto address = address_;
    address.host = host;
    address.port = port;
    nodes_.push_back({std::move(address), nullptr, 0});
    return nodes_.size() - 1;
}

std::vector<ClusterNode> Keyspace::ask_nodes(std::size_t node, Deadline deadline) {
    auto& server = connection(node, deadline);
    const auto text = server.call({"CLUSTER", "NODES"}, deadline).text.value_or("");
    auto nodes = parse_cluster_nodes(text);
    if (!nodes) {
        throw Error(System::redis, ErrorKind::protocol,
                    fmt::format("{} describes its cluster in a way that is not understood.", server.name()));
    }
    return std::move(*nodes);
}

/// False where nobody has a slot: a node that was taken out of its cluster says so.
bool Keyspace::adopt(const std::vector<ClusterNode>& cluster, const std::string& asked_host) {
    std::vector<std::int32_t> masters, owners(kSlots, -1);
    bool any = false;
    for (const auto& node : cluster) {
        if (!node.master || (node.slots.empty() && node.failed) || node.port <= 0) continue;
        // Certificates are for names.
        const auto& host = address_.tls && !node.hostname.empty() ? node.hostname
                           : node.ip.empty()                      ? asked_host
                                                                  : node.ip;
        const auto index = static_cast<std::int32_t>(node_at(host, node.port));
        masters.push_back(index);
        for (const auto& [first, last] : node.slots) {
            any = true;
            for (auto slot = first; slot <= last; ++slot) owners[slot] = index;
        }
    }
    if (!any) return false;
    masters_ = std::move(masters);
    owners_ = std::move(owners);
    stale_ = false;
    return true;
}

/// Asks one after the other, first those to whom there is a connection.
void Keyspace::refresh(Deadline deadline) {
    std::vector<std::size_t> candidates(masters_.begin(), masters_.end());
    std::stable_partition(candidates.begin(), candidates.end(), [this](std::size_t node) {
        return nodes_[node].connection && nodes_[node].connection->usable();
    });
    candidates.push_back(0);
    Error last(
        System::redis, ErrorKind::unavailable,
        fmt::format("{} belongs to a cluster in which nobody has any keys. See CLUSTER INFO there.", name_));
    for (const auto node : candidates) {
        try {
            if (adopt(ask_nodes(node, deadline), nodes_[node].address.host)) return;
        } catch (const Error& error) {
            if (!error.retryable() || deadline.passed()) throw;
            last = error;
        }
    }
    throw last;
}

std::int32_t Keyspace::owner(std::string_view key) const {
    return cluster_ ? owners_[key_slot(key)] : 0;
}

std::vector<Reply> Keyspace::run(const Pipeline& commands, Deadline deadline) {
    try {
        if (stale_) refresh(deadline);
        return run_all(commands, deadline);
    } catch (...) {
        // Another may have taken the place of the one that failed.
        stale_ = cluster_;
        throw;
    }
}

std::vector<Reply> Keyspace::run_all(const Pipeline& commands, Deadline deadline) {
    std::vector<Reply> replies(commands.size());
    Attempt attempt;
    attempt.open.reserve(commands.size());
    for (std::size_t i = 0; i < commands.size(); ++i)
        attempt.open.push_back({i, owner(commands.key(i)), false});
    Backoff backoff(kFirstWait, kLongestWait);
    for (int attempts = 1; !attempt.open.empty(); ++attempts) {
        send_all(commands, attempt, deadline);
        receive_all(attempt, replies, deadline);
        if (attempt.again.empty() || attempts == kMostAttempts || deadline.passed()) break;
        // Two that send us to each other will agree in a moment.
        if (attempt.wait || attempts > kMostHops)
            sleep_for(std::min(backoff.next(), deadline.remaining()), {});
        prepare_next(commands, attempt, deadline);
    }
    return replies;
}

/// To all nodes before the first answer is read: they work side by side.
void Keyspace::send_all(const Pipeline& commands, Attempt& attempt, Deadline deadline) {
    static constexpr std::array<std::string_view, 1> kAskingWords{"ASKING"};
    Pipeline asking;
    asking.add(kAskingWords);
    attempt.by_node.clear();
    attempt.again.clear();
    for (const auto& open : attempt.open) attempt.by_node[open.node].push_back(open);
    std::string bytes;
    for (const auto& [node, all] : attempt.by_node) {
        if (node < 0) continue;
        auto& server = connection(static_cast<std::size_t>(node), deadline);
        if (!cluster_ && all.size() == commands.size()) {
            server.send(commands.encoded(), commands.size(), deadline);
            continue;
        }
        bytes.clear();
        std::size_t count = 0;
        for (const auto& open : all) {
            if (open.asking) bytes += asking.encoded();
            bytes += commands.encoded(open.command);
            count += open.asking ? 2 : 1;
        }
        server.send(bytes, count, deadline);
    }
}

void Keyspace::receive_all(Attempt& attempt, std::vector<Reply>& replies, Deadline deadline) {
    attempt.wait = attempt.stale = false;
    attempt.without_script.clear();
    for (const auto& [node, all] : attempt.by_node) {
        for (const auto& open : all) {
            auto& reply = replies[open.command];
            if (node < 0) {
                reply = no_master();
            } else {
                auto& server = *nodes_[static_cast<std::size_t>(node)].connection;
                if (open.asking) server.receive(deadline);
                reply = server.receive(deadline);
            }
            if (reply.is_error()) judge(open, reply, attempt);
        }
    }
    // In the order in which they were given.
    std::sort(attempt.again.begin(), attempt.again.end(),
              [](const Open& a, const Open& b) { return a.command < b.command; });
}

void Keyspace::judge(const Open& open, const Reply& reply, Attempt& attempt) {
    const auto code = reply.error_code();
    if (const auto to = cluster_ ? parse_redirection(reply) : std::nullopt) {
        const auto& by = nodes_[static_cast<std::size_t>(open.node)].address.host;
        const auto node = static_cast<std::int32_t>(node_at(to->host.empty() ? by : to->host, to->port));
        attempt.again.push_back({open.command, node, to->ask});
        if (to->ask) return;
        owners_[to->slot] = node;
        if (std::find(masters_.begin(), masters_.end(), node) == masters_.end()) masters_.push_back(node);
    } else if (passes(code)) {
        attempt.again.push_back({open.command, -1, false});
        attempt.wait = true;
        attempt.stale = cluster_;
    } else if (code == "NOSCRIPT" && !scripts_.empty() &&
               std::find(attempt.given_scripts.begin(), attempt.given_scripts.end(), open.node) ==
                   attempt.given_scripts.end()) {
        attempt.again.push_back(open);
        attempt.without_script.push_back(open.node);
    }
}

void Keyspace::prepare_next(const Pipeline& commands, Attempt& attempt, Deadline deadline) {
    auto& lacking = attempt.without_script;
    std::sort(lacking.begin(), lacking.end());
    lacking.erase(std::unique(lacking.begin(), lacking.end()), lacking.end());
    for (const auto node : lacking) load_scripts(static_cast<std::size_t>(node), deadline);
    attempt.given_scripts.insert(attempt.given_scripts.end(), lacking.begin(), lacking.end());
    if (attempt.stale) refresh(deadline);
    attempt.open = attempt.again;
    for (auto& open : attempt.open) {
        if (open.node < 0) open.node = owner(commands.key(open.command));
    }
}

std::string Keyspace::load_script(std::string_view script, Deadline deadline) {
    std::string digest;
    for (const auto node : masters_) {
        auto& server = connection(static_cast<std::size_t>(node), deadline);
        digest = server.call({"SCRIPT", "LOAD", script}, deadline).text.value_or("");
    }
    scripts_[digest] = script;
    return digest;
}

void Keyspace::load_scripts(std::size_t node, Deadline deadline) {
    auto& server = connection(node, deadline);
    for (const auto& [digest, script] : scripts_) server.call({"SCRIPT", "LOAD", script}, deadline);
}

}  // namespace crossover::redis
