#include "milvus/types.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

namespace crossover::milvus {

std::string_view to_string(DataType type) {
    static constexpr std::array<std::string_view, 4> kNames = {"BOOL", "INT64", "DOUBLE", "VARCHAR"};
    return kNames[static_cast<std::size_t>(type)];
}

std::size_t Column::size() const {
    return std::visit([](const auto& all) { return all.size(); }, values);
}

std::string_view to_string(Metric metric) {
    static constexpr std::array<std::string_view, 3> kNames = {"COSINE", "IP", "L2"};
    return kNames[static_cast<std::size_t>(metric)];
}

std::optional<Metric> parse_metric(std::string_view text) {
    for (const Metric metric : {Metric::cosine, Metric::inner_product, Metric::l2}) {
        const auto name = to_string(metric);
        const bool same = std::equal(text.begin(), text.end(), name.begin(), name.end(), [](char a, char b) {
            return std::toupper(static_cast<unsigned char>(a)) == b;
        });
        if (same) return metric;
    }
    return std::nullopt;
}

bool ServerVersion::at_least(int want_major, int want_minor, int want_patch) const {
    return std::array{major, minor, patch} >= std::array{want_major, want_minor, want_patch};
}

std::optional<ServerVersion> parse_server_version(std::string_view text) {
    ServerVersion version;
    version.text = text;
    const char* at = text.data();
    const char* const end = at + text.size();
    if (at != end && *at == 'v') ++at;
    for (int* part : {&version.major, &version.minor, &version.patch}) {
        if (part != &version.major) {
            if (at == end || *at != '.') return std::nullopt;
            ++at;
        }
        const auto [next, error] = std::from_chars(at, end, *part);
        if (error != std::errc() || *part < 0) return std::nullopt;
        at = next;
    }
    return version;
}

bool server_supports_nullable(const ServerVersion& version) {
    return version.at_least(2, 5);
}

}  // namespace crossover::milvus
