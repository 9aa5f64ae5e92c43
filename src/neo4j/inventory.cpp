#include "neo4j/inventory.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/address.h"
#include "base/error.h"
#include "neo4j/cypher.h"
#include "neo4j/label_sample.h"
#include "neo4j/media_query.h"
#include "neo4j/read_session.h"

namespace crossover::neo4j {
namespace {

std::string count_of(const std::string& condition) {
    return fmt::format("count(CASE WHEN {} THEN 1 END)", condition);
}

std::string constraint_statement(const sync::MediaMapping& mapping) {
    std::string name;
    for (const char c : mapping.label + "_" + mapping.id_property) {
        name += std::isalnum(static_cast<unsigned char>(c)) != 0 ? static_cast<char>(std::tolower(c)) : '_';
    }
    return fmt::format("CREATE CONSTRAINT {} IF NOT EXISTS FOR (m:{}) REQUIRE m.{} IS UNIQUE",
                       quote_name(name), quote_name(mapping.label), quote_name(mapping.id_property));
}

/// The items among the nodes of a sample, which may hold none though the label has some.
std::vector<std::string> sample_items(bolt::Session& session, const sync::MediaMapping& mapping,
                                      const LabelSample& sample) {
    const auto label = quote_name(mapping.label);
    const auto embedding = quote_name(mapping.embedding_property);
    const auto collect = [&](const std::string& condition, const bolt::Parameters& parameters) {
        std::vector<std::string> elements;
        auto result = session.run(fmt::format("MATCH (m:{}) WHERE {}m.{} IS NOT NULL RETURN elementId(m) "
                                              "LIMIT $limit",
                                              label, condition, embedding),
                                  parameters);
        while (const auto row = result.next()) elements.push_back(text_of(row->at(0)));
        return elements;
    };
    auto parameters = MediaQueries::elements_parameter(sample.elements);
    parameters.add("limit", static_cast<std::int64_t>(sample.elements.size()));
    auto items = collect("elementId(m) IN $elements AND ", parameters);
    if (items.empty() && !sample.whole()) {
        items = collect("", {{"limit", static_cast<std::int64_t>(kSampleNodes)}});
    }
    return items;
}

std::uint32_t most_frequent_dimension(bolt::Session& session, const sync::MediaMapping& mapping,
                                      const bolt::Parameters& elements) {
    auto result = session.run(
        fmt::format("MATCH (m:{0}) WHERE elementId(m) IN $elements AND m.{1} IS NOT NULL WITH m.{1} AS e "
                    "WITH CASE WHEN e IS :: LIST<ANY> THEN size(e) END AS dimension WHERE dimension > 0 "
                    "RETURN dimension, count(*) AS items ORDER BY items DESC, dimension DESC LIMIT 1",
                    quote_name(mapping.label), quote_name(mapping.embedding_property)),
        elements);
    const auto row = result.next();
    return row ? static_cast<std::uint32_t>(integer_of(row->at(0))) : 0;
}

}  // namespace

IdSupport inspect_id_support(bolt::Driver& driver, const std::string& database,
                             const sync::MediaMapping& mapping) {
    auto session = scan_session(driver, database);
    const bolt::Parameters parameters{{"label", mapping.label}, {"property", mapping.id_property}};
    IdSupport support;
    std::string index_to_drop;

    auto constraints = session.run(
        "SHOW CONSTRAINTS YIELD type, entityType, labelsOrTypes, properties "
        "WHERE entityType = 'NODE' AND labelsOrTypes = [$label] AND properties = [$property] "
        "AND type IN ['UNIQUENESS', 'NODE_PROPERTY_UNIQUENESS', 'NODE_KEY'] RETURN count(*)",
        parameters);
    support.unique = integer_of(constraints.single().at(0)) > 0;

    auto indexes = session.run(
        "SHOW INDEXES YIELD name, type, entityType, labelsOrTypes, properties, state, populationPercent, "
        "failureMessage, owningConstraint "
        "WHERE type = 'RANGE' AND entityType = 'NODE' AND labelsOrTypes = [$label] AND properties = "
        "[$property] "
        "RETURN name, state, populationPercent, failureMessage, owningConstraint",
        parameters);
    for (const auto& row : indexes.collect()) {
        const auto state = text_of(row.at(1));
        if (state == "ONLINE") {
            support.ordered = true;
        } else if (state == "POPULATING") {
            support.index_trouble = fmt::format("POPULATING {:.0f} %", number_of(row.at(2)));
        } else {
            auto message = text_of(row.at(3));
            message = message.substr(0, message.find('\n'));
            support.index_trouble = fmt::format("{}: {}", state, message);
        }
        // An index of its own stands in the way of the constraint, which brings one along.
        if (row.at(4).is_null()) index_to_drop = text_of(row.at(0));
    }
    if (support.ordered) support.index_trouble.clear();
    const bool waiting = support.index_trouble.starts_with("POPULATING");
    if (!support.unique || (!support.ordered && !waiting)) {
        if (!index_to_drop.empty())
            support.statement = fmt::format("DROP INDEX {}; ", quote_name(index_to_drop));
        support.statement += constraint_statement(mapping) + ";";
    }
    return support;
}

sync::PropertyType PropertyValues::common_type() const {
    if (all == 0) return sync::PropertyType::text;
    if (booleans == all) return sync::PropertyType::boolean;
    if (integers == all) return sync::PropertyType::int64;
    if (integers + floats == all && great == 0) return sync::PropertyType::float64;
    return sync::PropertyType::text;
}

std::vector<PropertyValues> infer_mapping(bolt::Driver& driver, const std::string& database,
                                          sync::MediaMapping& mapping) {
    auto session = scan_session(driver, database);
    return infer_mapping(driver, database, mapping, draw_sample(session, mapping.label));
}

std::vector<PropertyValues> infer_mapping(bolt::Driver& driver, const std::string& database,
                                          sync::MediaMapping& mapping, const LabelSample& sample) {
    auto session = scan_session(driver, database);
    const auto items = sample_items(session, mapping, sample);
    const auto elements = MediaQueries::elements_parameter(items);
    const auto id = "m." + quote_name(mapping.id_property);
    std::string columns = fmt::format("count(m), {}, {}", count_of(id + " IS :: STRING NOT NULL"),
                                      count_of(id + " IS :: INTEGER NOT NULL"));
    for (const auto& property : mapping.properties) {
        const auto value = "m." + quote_name(property.name);
        columns += fmt::format(
            ", count({0}), {1}, {2}, {3}, {4}, {5}", value, count_of(value + " IS :: BOOLEAN NOT NULL"),
            count_of(value + " IS :: INTEGER NOT NULL"), count_of(value + " IS :: FLOAT NOT NULL"),
            count_of(value + " IS :: STRING NOT NULL"),
            count_of(fmt::format("{0} IS :: INTEGER NOT NULL AND ({0} > {1} OR {0} < -{1})", value,
                                 sync::kMostExactInteger)));
    }
    auto result = session.run(fmt::format("MATCH (m:{}) WHERE elementId(m) IN $elements RETURN {}",
                                          quote_name(mapping.label), columns),
                              elements);
    const auto row = result.single();
    if (integer_of(row.at(0)) == 0) {
        throw Error(
            System::neo4j, ErrorKind::not_ready,
            fmt::format("No node labelled {} in database {} of {} has the property {}: there is nothing to "
                        "copy. Check --label, --embedding-property and --neo4j-database.",
                        mapping.label, database, shown_address(driver.uri().text),
                        mapping.embedding_property));
    }
    mapping.id_kind =
        integer_of(row.at(2)) > integer_of(row.at(1)) ? sync::IdKind::integer : sync::IdKind::string;
    std::size_t column = 3;
    std::vector<PropertyValues> seen;
    for (auto& property : mapping.properties) {
        const auto next = [&] { return integer_of(row.at(column++)); };
        PropertyValues& values = seen.emplace_back();
        for (auto* count : {&values.all, &values.booleans, &values.integers, &values.floats, &values.strings,
                            &values.great}) {
            *count = next();
        }
        if (property.type_source == sync::TypeSource::values) property.type = values.common_type();
    }
    if (mapping.dimension == 0) mapping.dimension = most_frequent_dimension(session, mapping, elements);
    if (mapping.dimension > sync::kMaxDimension) {
        throw Error(System::neo4j, ErrorKind::conflict,
                    fmt::format("The embeddings of {} in database {} of {} have {} values; Milvus takes "
                                "vectors of at most {}. Give the --dimension of those that are to be copied.",
                                mapping.label, database, shown_address(driver.uri().text), mapping.dimension,
                                sync::kMaxDimension));
    }
    if (mapping.dimension == 0) {
        throw Error(
            System::neo4j, ErrorKind::not_ready,
            fmt::format("No {}.{} in database {} of {} is a list with elements, so that the dimension can't "
                        "be found. Check --embedding-property, or give --dimension.",
                        mapping.label, mapping.embedding_property, database,
                        shown_address(driver.uri().text)));
    }
    return seen;
}

}  // namespace crossover::neo4j
