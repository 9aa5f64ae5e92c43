#include "learning/store/keys.h"

#include <fmt/format.h>

#include <iterator>

#include "learning/store/json_text.h"

namespace crossover::learning {

std::string_view name_of(Kind kind) {
    static constexpr std::array<std::string_view, 4> kNames = {"experience", "qvalue", "policy", "agent"};
    return kNames[index_of(kind)];
}

std::string_view table_of(Kind kind) {
    static constexpr std::array<std::string_view, 4> kTables = {"rl_experiences", "q_values", "policies",
                                                                "agent_metadata"};
    return kTables[index_of(kind)];
}

std::string_view prefix_of(Kind kind) {
    static constexpr std::array<std::string_view, 4> kPrefixes = {
        "rl:experience:", "rl:qvalue:", "rl:policy:", "rl:agent:"};
    return kPrefixes[index_of(kind)];
}

std::optional<Kind> kind_of_key(std::string_view key, std::string_view prefix) {
    if (!key.starts_with(prefix)) return std::nullopt;
    key.remove_prefix(prefix.size());
    for (const auto kind : kKinds) {
        if (key.starts_with(prefix_of(kind))) return kind;
    }
    return std::nullopt;
}

std::optional<KindAt> find_kind(std::string_view key) {
    for (auto at = key.find("rl:"); at != std::string_view::npos; at = key.find("rl:", at + 1)) {
        if (const auto kind = kind_of_key(key.substr(at))) return KindAt{*kind, at};
    }
    return std::nullopt;
}

std::string key_text(std::string_view key) {
    std::string out;
    for (std::size_t at = 0; at < key.size();) {
        std::size_t length = 1;
        while (length <= 4 && at + length <= key.size() && !is_text(key.substr(at, length))) ++length;
        const bool good = length <= 4 && at + length <= key.size();
        const auto byte = static_cast<unsigned char>(key[at]);
        if (!good || byte < 0x20 || byte == 0x7F) {
            fmt::format_to(std::back_inserter(out), "\\x{:02x}", byte);
            ++at;
        } else {
            out += key.substr(at, length);
            at += length;
        }
    }
    return out;
}

}  // namespace crossover::learning
