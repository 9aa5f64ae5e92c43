#include "neo4j/neo4j_searcher.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "base/background.h"
#include "base/error.h"
#include "base/retry.h"
#include "log/log.h"
#include "neo4j/cypher.h"
#include "neo4j/read_session.h"
#include "neo4j/scalar.h"
#include "neo4j/value_text.h"

namespace crossover::neo4j {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t kMostCandidates = 10'000;

/// How often the bad embeddings of a label are counted while searches know of one. The count that finds none
/// any more lets searches compare without a look at each one.
constexpr auto kCountEvery = 60s;
/// It looks at each embedding, as a search does that is wary.
constexpr auto kCountTimeout = 30s;

// What Neo4j's functions say of an embedding that they can't compare, and with it of the whole statement.
constexpr const char* kNoVector = "Neo.ClientError.Statement.ArgumentError";
constexpr const char* kNoList = "Neo.ClientError.Statement.TypeError";

std::string_view operator_of(search::Comparison comparison) {
    using search::Comparison;
    switch (comparison) {
        case Comparison::equal:
            return "=";
        case Comparison::not_equal:
            return "<>";
        case Comparison::less:
            return "<";
        case Comparison::less_or_equal:
            return "<=";
        case Comparison::greater:
            return ">";
        case Comparison::greater_or_equal:
            return ">=";
        case Comparison::one_of:
            return "IN";
    }
    return "=";
}

/// "m.`year` >= $f0 AND …"; its parameters are f0, f1, …
std::string condition_of(const search::Filter& filter, const sync::MediaMapping& mapping) {
    std::vector<std::string> conditions;
    for (std::size_t i = 0; i < filter.size(); ++i) {
        const auto* property = sync::find_property(mapping, filter[i].property);
        const bool text = property != nullptr && property->type == sync::PropertyType::text;
        conditions.push_back(fmt::format(
            "{} {} $f{}", text ? text_expression("m", *property) : "m." + quote_name(filter[i].property),
            operator_of(filter[i].comparison), i));
    }
    return fmt::format("{}", fmt::join(conditions, " AND "));
}

bolt::Parameters parameters_of(const search::Query& query) {
    bolt::Parameters parameters;
    parameters.add("vector", [vector = query.vector](bolt::Encoder& encoder) {
        encoder.write_list_header(vector.size());
        for (const float element : vector) encoder.write_float(element);
    });
    for (std::size_t i = 0; i < query.filter.size(); ++i) {
        const auto& condition = query.filter[i];
        if (condition.comparison == search::Comparison::one_of) {
            bolt::List operands;
            for (const auto& operand : condition.operands) operands.push_back(to_value(operand));
            parameters.add(fmt::format("f{}", i), std::move(operands));
        } else {
            parameters.add(fmt::format("f{}", i), to_value(condition.operands.front()));
        }
    }
    return parameters.add("k", static_cast<std::int64_t>(query.k));
}

std::string embedding_of(const sync::MediaMapping& mapping) {
    return "m." + quote_name(mapping.embedding_property);
}

/// True for lists of numbers.
std::string is_list(const sync::MediaMapping& mapping) {
    return fmt::format(
        "({0} IS :: LIST<FLOAT NOT NULL> NOT NULL OR {0} IS :: LIST<INTEGER NOT NULL> NOT NULL)",
        embedding_of(mapping));
}

/// True for lists of numbers that a row of Milvus could have: finite as float32 and, under COSINE, of a
/// length that float32 can hold. Costs about as much as comparing, for each element is looked at.
std::string is_sound(const sync::MediaMapping& mapping) {
    const auto embedding = embedding_of(mapping);
    if (mapping.metric == sync::Metric::cosine) {
        return fmt::format(
            "1.1754943508222875e-38 <= reduce(sum = 0.0, x IN {} | sum + 1.0 * x * x) <= "
            "3.4028234663852886e38",
            embedding);
    }
    return fmt::format("all(x IN {} WHERE -3.4028235677973366e38 < x < 3.4028235677973366e38)", embedding);
}

/// An expression that is larger the nearer m is, of Neo4j's own scale.
std::string nearness(const sync::MediaMapping& mapping) {
    const auto embedding = embedding_of(mapping);
    switch (mapping.metric) {
        case sync::Metric::cosine:
            return fmt::format("vector.similarity.cosine({}, $vector)", embedding);
        case sync::Metric::l2:
            return fmt::format("vector.similarity.euclidean({}, $vector)", embedding);
        case sync::Metric::inner_product:
            return fmt::format("reduce(sum = 0.0, i IN range(0, {} - 1) | sum + {}[i] * $vector[i])",
                               mapping.dimension, embedding);
    }
    return {};
}

/// The same, and null where m can't be compared. CASE goes from branch to branch; WHERE promises no order.
std::string wary_nearness(const sync::MediaMapping& mapping) {
    return fmt::format("CASE WHEN NOT {} THEN null WHEN size({}) <> {} THEN null WHEN {} THEN {} END",
                       is_list(mapping), embedding_of(mapping), mapping.dimension, is_sound(mapping),
                       nearness(mapping));
}

/// Neo4j's scale, in Milvus's terms: it has (1 + cosine) / 2 and 1 / (1 + squared distance).
double to_score(double nearness, sync::Metric metric) {
    switch (metric) {
        case sync::Metric::cosine:
            return 2 * nearness - 1;
        case sync::Metric::l2:
            return 1 / nearness - 1;
        case sync::Metric::inner_product:
            break;
    }
    return nearness;
}

std::string returned(const sync::MediaMapping& mapping) {
    std::string columns = "m." + quote_name(mapping.id_property) + ", score";
    for (const auto& property : mapping.properties) columns += ", " + text_column("m", property);
    return columns;
}

}  // namespace

Neo4jSearcher::Neo4jSearcher(bolt::Driver& driver, std::string database, const sync::MediaMapping& mapping,
                             std::function<void(std::int64_t)> on_left_out)
    : driver_(driver),
      database_(std::move(database)),
      mapping_(mapping),
      on_left_out_(std::move(on_left_out)),
      counting_(in_background(
          "exact_search", [this](const std::stop_token& stop) { keep_count(stop); },
          log_background_failure)) {}

std::vector<search::Neighbour> Neo4jSearcher::nearest(const search::Query& query, Deadline deadline) {
    if (const auto index = index_name(deadline); !index.empty()) {
        try {
            auto found = nearest_by_index(index, query, deadline);
            if (query.filter.empty() || found.size() == query.k) return found;
        } catch (const Error& error) {
            // It may have been dropped since it was found.
            if (error.retryable() || look_again(deadline) == index) throw;
        }
    }
    return nearest_of_all(query, deadline);
}

std::vector<search::Neighbour> Neo4jSearcher::nearest_by_index(const std::string& index,
                                                               const search::Query& query,
                                                               Deadline deadline) {
    const auto condition = condition_of(query.filter, mapping_);
    const std::size_t candidates =
        query.filter.empty() ? query.k : std::min(kMostCandidates, 10 * query.k + 100);
    return run(fmt::format(
                   "CALL db.index.vector.queryNodes($index, $candidates, $vector) YIELD node AS m, score "
                   "{} RETURN {} ORDER BY score DESC LIMIT $k",
                   condition.empty() ? "" : "WHERE " + condition, returned(mapping_)),
               query, candidates, index, deadline)
        .neighbours;
}

/// One bad embedding fails a statement that compares it, and looking at each one first doubles the time. So
/// labels are taken for sound until one is found not to be. That is remembered before the wary statement is
/// sent: where a label is so large that both don't fit one deadline, the next search has it for the wary one
/// alone.
std::vector<search::Neighbour> Neo4jSearcher::nearest_of_all(const search::Query& query, Deadline deadline) {
    const auto condition = condition_of(query.filter, mapping_);
    const auto match =
        fmt::format("MATCH (m:{}) WHERE {}{}", quote_name(mapping_.label),
                    condition.empty() ? "" : condition + " AND ", embedding_of(mapping_) + " IS NOT NULL");
    if (!is_wary()) {
        try {
            auto found = run(
                fmt::format("{} AND {} AND size({}) = {} WITH m, {} AS score ORDER BY score DESC LIMIT $k "
                            "RETURN {}, {}",
                            match, is_list(mapping_), embedding_of(mapping_), mapping_.dimension,
                            nearness(mapping_), returned(mapping_), is_sound(mapping_)),
                query, 0, {}, deadline, true);
            if (found.all_sound) return std::move(found.neighbours);
        } catch (const Error& error) {
            if (error.native_code() != kNoVector && error.native_code() != kNoList) throw;
        }
    }
    become_wary();
    auto found = run(fmt::format("{} WITH m, {} AS score WHERE score IS NOT NULL "
                                 "RETURN {} ORDER BY score DESC LIMIT $k",
                                 match, wary_nearness(mapping_), returned(mapping_)),
                     query, 0, {}, deadline);
    return std::move(found.neighbours);
}

Neo4jSearcher::Found Neo4jSearcher::run(const std::string& text, const search::Query& query,
                                        std::size_t candidates, const std::string& index, Deadline deadline,
                                        bool with_soundness) {
    auto parameters = parameters_of(query);
    if (!index.empty()) {
        parameters.add("index", index).add("candidates", static_cast<std::int64_t>(candidates));
    }
    auto session = read_session(driver_, database_, deadline);
    auto result = session.run(text, parameters);
    Found found;
    while (const auto row = result.next()) {
        auto end = row->end();
        if (with_soundness) {
            --end;  // of each row, whatever those before it were
            found.all_sound = found.all_sound && *end == bolt::Value(true);
        }
        auto id = to_item_id(row->at(0));
        if (!id) continue;  // of the other kind: no row of Milvus either
        const auto score = to_score(number_of(row->at(1)), mapping_.metric);
        if (!std::isfinite(score)) continue;
        found.neighbours.push_back({*std::move(id), score, to_scalars({row->begin() + 2, end}, mapping_)});
    }
    return found;
}

bool Neo4jSearcher::is_wary() {
    const std::lock_guard lock(mutex_);
    return wary_;
}

void Neo4jSearcher::become_wary() {
    const std::lock_guard lock(mutex_);
    wary_ = true;
    if (!next_count_.passed()) return;
    count_wanted_ = true;
    count_again_.notify_all();
}

void Neo4jSearcher::keep_count(const std::stop_token& stop) {
    Backoff backoff(1s, kCountEvery);
    for (std::unique_lock lock(mutex_); count_again_.wait(lock, stop, [&] { return count_wanted_; });) {
        lock.unlock();
        std::chrono::milliseconds pause = kCountEvery;
        try {
            count_left_out();
            backoff.reset();
        } catch (const Error& error) {
            pause = backoff.next();
            log_event(LogLevel::warning, "exact_search",
                      {{"result", "not counted"}, {"label", mapping_.label}, {"error", error.what()}});
        }
        lock.lock();
        count_wanted_ = false;  // until the next search that is wary
        next_count_ = Deadline::after(pause);
    }
}

void Neo4jSearcher::count_left_out() {
    auto session = read_session(driver_, database_, Deadline::after(kCountTimeout));
    // The first column counts what searches leave out; the second what they must be wary of.
    auto result = session.run(
        fmt::format("MATCH (m:{}) WHERE {} IS NOT NULL WITH CASE WHEN NOT {} THEN 1 WHEN size({}) <> {} THEN "
                    "1 WHEN NOT {} THEN 2 END AS flaw "
                    "RETURN count(flaw), count(CASE WHEN flaw = 2 THEN 1 END)",
                    quote_name(mapping_.label), embedding_of(mapping_), is_list(mapping_),
                    embedding_of(mapping_), mapping_.dimension, is_sound(mapping_)));
    const auto row = result.single();
    {
        const std::lock_guard lock(mutex_);
        wary_ = integer_of(row.at(1)) > 0;
    }
    if (on_left_out_) on_left_out_(integer_of(row.at(0)));
}

std::string Neo4jSearcher::index_name(Deadline deadline) {
    {
        const std::lock_guard lock(mutex_);
        if (index_ && !look_again_.passed()) return *index_;
        // The others go on with what is known while this one looks.
        look_again_ = Deadline::after(60s);
    }
    try {
        auto found = find_index(deadline);
        const std::lock_guard lock(mutex_);
        index_ = found;
        return found;
    } catch (const Error&) {
        const std::lock_guard lock(mutex_);
        look_again_ = Deadline::at({});
        throw;
    }
}

std::string Neo4jSearcher::look_again(Deadline deadline) {
    {
        const std::lock_guard lock(mutex_);
        look_again_ = Deadline::at({});
    }
    return index_name(deadline);
}

std::string Neo4jSearcher::find_index(Deadline deadline) {
    if (mapping_.metric == sync::Metric::inner_product) return {};
    auto session = read_session(driver_, database_, deadline);
    auto result = session.run(
        "SHOW VECTOR INDEXES YIELD name, state, labelsOrTypes, properties, options "
        "WHERE state = 'ONLINE' AND labelsOrTypes = [$label] AND properties = [$property] "
        "AND toLower(options.indexConfig[\"vector.similarity_function\"]) = $similarity "
        "AND options.indexConfig[\"vector.dimensions\"] = $dimension RETURN name ORDER BY name LIMIT 1",
        {{"label", mapping_.label},
         {"property", mapping_.embedding_property},
         {"similarity", mapping_.metric == sync::Metric::cosine ? "cosine" : "euclidean"},
         {"dimension", static_cast<std::int64_t>(mapping_.dimension)}});
    const auto row = result.next();
    return row ? text_of(row->at(0)) : std::string();
}

}  // namespace crossover::neo4j
