#include "neo4j/label_sample.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <random>
#include <unordered_set>

#include "neo4j/cypher.h"

namespace crossover::neo4j {
namespace {

/// How often as many numbers as nodes are wanted are tried: a label that is one node in ten still gives
/// enough.
constexpr int kDraws = 20;

/// "4:0a1b…:1234": what comes before the number, and the number.
struct Element {
    std::string prefix;
    std::uint64_t number = 0;
};

std::optional<Element> parse(const std::string& element) {
    const auto colon = element.rfind(':');
    if (colon == std::string::npos) return std::nullopt;
    Element parsed{element.substr(0, colon + 1), 0};
    const char* end = element.data() + element.size();
    const auto [stop, error] = std::from_chars(element.data() + colon + 1, end, parsed.number);
    if (error != std::errc() || stop != end) return std::nullopt;
    return parsed;
}

std::vector<std::string> texts(bolt::Session& session, const std::string& query,
                               const bolt::Parameters& parameters = {}) {
    std::vector<std::string> found;
    auto result = session.run(query, parameters);
    bolt::RecordView row;  // no object for each of ten thousand rows
    std::string_view text;
    while (result.next(row)) {
        if (!row.fields.read_string(text)) throw undecodable(row.fields);
        found.emplace_back(text);
    }
    return found;
}

}  // namespace

LabelSample draw_sample(bolt::Session& session, const std::string& label, std::size_t size) {
    const auto match = fmt::format("MATCH (m:{}) ", quote_name(label));
    LabelSample sample;
    sample.nodes = integer_of(session.run(match + "RETURN count(m)").single().at(0));
    std::unordered_set<std::string> elements;
    if (sample.nodes > static_cast<std::int64_t>(size)) {
        // The label's index is in the order of these numbers: both ends are looked up.
        const auto first = texts(session, match + "RETURN elementId(m) ORDER BY m LIMIT 1");
        const auto last = texts(session, match + "RETURN elementId(m) ORDER BY m DESC LIMIT 1");
        const auto from = first.empty() ? std::nullopt : parse(first.front());
        const auto to = last.empty() ? std::nullopt : parse(last.front());
        if (from && to && from->prefix == to->prefix && from->number < to->number) {
            std::mt19937_64 random(1);  // the same job must find the same when it is begun again
            std::uniform_int_distribution<std::uint64_t> any(from->number, to->number);
            for (int draw = 0; draw < kDraws && elements.size() < size; ++draw) {
                bolt::List drawn;
                drawn.reserve(size);
                for (std::size_t i = 0; i < size; ++i) {
                    drawn.emplace_back(from->prefix + std::to_string(any(random)));
                }
                for (auto& element :
                     texts(session, match + "WHERE elementId(m) IN $elements RETURN elementId(m)",
                           {{"elements", std::move(drawn)}})) {
                    elements.insert(std::move(element));
                }
            }
        }
    }
    if (elements.size() < size) {
        for (auto& element : texts(session, match + "RETURN elementId(m) LIMIT $limit",
                                   {{"limit", static_cast<std::int64_t>(size)}})) {
            elements.insert(std::move(element));
        }
    }
    sample.elements.assign(elements.begin(), elements.end());
    if (sample.elements.size() > size) sample.elements.resize(size);
    return sample;
}

}  // namespace crossover::neo4j
