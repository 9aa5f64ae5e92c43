#include "redis/cluster.h"

#include <array>
#include <charconv>

namespace crossover::redis {

namespace {

constexpr std::array<std::uint16_t, 256> make_crc_table() {
    std::array<std::uint16_t, 256> table{};
    for (unsigned byte = 0; byte < 256; ++byte) {
        unsigned crc = byte << 8;
        for (int bit = 0; bit < 8; ++bit) crc = (crc & 0x8000) != 0 ? (crc << 1) ^ 0x1021 : crc << 1;
        table[byte] = static_cast<std::uint16_t>(crc);
    }
    return table;
}

/// CRC-16/XMODEM
std::uint16_t crc16(std::string_view bytes) {
    static constexpr auto kTable = make_crc_table();
    unsigned crc = 0;
    for (const unsigned char byte : bytes) crc = ((crc << 8) ^ kTable[((crc >> 8) ^ byte) & 0xFF]) & 0xFFFF;
    return static_cast<std::uint16_t>(crc);
}

template <class Number>
bool parse_number(std::string_view text, Number& number) {
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && stop == text.data() + text.size();
}

/// What stands before the separator, which is taken off with it.
std::string_view take(std::string_view& text, char separator) {
    const auto end = text.find(separator);
    const auto part = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    return part;
}

/// "127.0.0.1:6379@16379,host.example,shard-id=…"; an IPv6 address stands there without brackets.
bool parse_address(std::string_view text, ClusterNode& node) {
    const auto endpoint = take(text, ',');
    node.hostname = take(text, ',');
    if (node.hostname.find('=') != std::string::npos) node.hostname.clear();
    const auto with_port = endpoint.substr(0, endpoint.find('@'));
    const auto colon = with_port.rfind(':');
    if (colon == std::string_view::npos) return false;
    node.ip = with_port.substr(0, colon);
    return parse_number(with_port.substr(colon + 1), node.port);
}

void parse_flags(std::string_view text, ClusterNode& node) {
    while (!text.empty()) {
        const auto flag = take(text, ',');
        node.master = node.master || flag == "master";
        node.myself = node.myself || flag == "myself";
        node.failed = node.failed || flag == "fail" || flag == "noaddr" || flag == "handshake";
    }
}

/// "5460", "0-5460", "[93->-<id>]" (migrating) or "[93-<-<id>]" (importing).
bool parse_slots(std::string_view text, ClusterNode& node) {
    std::size_t first = 0;
    if (text.starts_with('[')) {
        const auto dash = text.find('-');
        if (dash == std::string_view::npos || !parse_number(text.substr(1, dash - 1), first)) return false;
        const auto way = text.substr(dash, 3);
        if (first >= kSlots || (way != "->-" && way != "-<-")) return false;
        (way == "->-" ? node.migrating : node.importing).push_back(first);
        return true;
    }
    const auto dash = text.find('-');
    if (!parse_number(text.substr(0, dash), first)) return false;
    auto last = first;
    if (dash != std::string_view::npos && !parse_number(text.substr(dash + 1), last)) return false;
    if (first > last || last >= kSlots) return false;
    node.slots.emplace_back(first, last);
    return true;
}

/// id address flags master ping-sent pong-received config-epoch link-state slot…
std::optional<ClusterNode> parse_node(std::string_view line) {
    ClusterNode node;
    node.id = take(line, ' ');
    if (node.id.empty() || !parse_address(take(line, ' '), node)) return std::nullopt;
    parse_flags(take(line, ' '), node);
    for (int skipped = 0; skipped < 3; ++skipped) take(line, ' ');
    if (!parse_number(take(line, ' '), node.config_epoch)) return std::nullopt;
    take(line, ' ');
    while (!line.empty()) {
        if (!parse_slots(take(line, ' '), node)) return std::nullopt;
    }
    return node;
}

}  // namespace

std::size_t key_slot(std::string_view key) {
    const auto open = key.find('{');
    if (open != std::string_view::npos) {
        const auto close = key.find('}', open + 1);
        if (close != std::string_view::npos && close > open + 1) key = key.substr(open + 1, close - open - 1);
    }
    return crc16(key) % kSlots;
}

std::optional<std::vector<ClusterNode>> parse_cluster_nodes(std::string_view text) {
    std::vector<ClusterNode> nodes;
    while (!text.empty()) {
        auto line = take(text, '\n');
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line.empty()) continue;
        auto node = parse_node(line);
        if (!node) return std::nullopt;
        nodes.push_back(std::move(*node));
    }
    return nodes;
}

std::optional<Redirection> parse_redirection(const Reply& reply) {
    const auto code = reply.error_code();
    if (code != "MOVED" && code != "ASK") return std::nullopt;
    Redirection found;
    found.ask = code == "ASK";
    std::string_view rest(*reply.text);
    take(rest, ' ');
    if (!parse_number(take(rest, ' '), found.slot) || found.slot >= kSlots) return std::nullopt;
    const auto colon = rest.rfind(':');
    if (colon == std::string_view::npos || !parse_number(rest.substr(colon + 1), found.port))
        return std::nullopt;
    if (found.port <= 0 || found.port > 65'535) return std::nullopt;
    found.host = rest.substr(0, colon);
    return found;
}

}  // namespace crossover::redis
