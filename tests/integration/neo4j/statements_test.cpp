#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <future>
#include <limits>
#include <optional>
#include <random>
#include <set>
#include <sstream>

#include "integration/bolt/server.h"
#include "integration/neo4j/recorder.h"
#include "neo4j/change_log.h"
#include "neo4j/inventory.h"
#include "neo4j/label_sample.h"
#include "neo4j/lease.h"
#include "neo4j/media_query.h"
#include "neo4j/media_store.h"
#include "neo4j/media_writer.h"
#include "neo4j/neo4j_searcher.h"
#include "neo4j/refused_items.h"
#include "neo4j/replicas.h"
#include "neo4j/source_mark.h"
#include "neo4j/viewing_graph.h"

/// docs/statements.md holds every statement that src/neo4j sends, the operators of its plan that would hurt
/// with a hundred million nodes, and whether its work grows with them. Here all of src/neo4j is called, what
/// it sends is read along on the wire, and planned and profiled on labels of 10⁴ and 10⁵ items; what is sent
/// over Bolt 6 only, on the server of BOLT6_URI.
///
/// CROSSOVER_UPDATE_DOCS=1 writes the file anew and keeps what was said by hand of statements it knows.
namespace crossover::neo4j {
namespace {

using namespace std::chrono_literals;
using test::Recorder;

constexpr std::int64_t kFew = 10'000;
constexpr std::int64_t kMany = 100'000;
constexpr const char* kLabel = "MediaContent";  // as which labels of the test stand in the file

struct Row {
    std::string plan;
    std::string work;
    std::string remark;
    std::string text;
};
using Rows = std::vector<std::pair<std::string, Row>>;

// ---- the file ----

const std::string kFile = std::string(CROSSOVER_SOURCE_DIR) + "/docs/statements.md";
constexpr const char* kHead =
    "| statement | operators to mind | work | with 10⁸ items |\n| --- | --- | --- | --- |\n";

Rows read_file() {
    Rows rows;
    std::ifstream file(kFile);
    std::string line;
    std::map<std::string, std::string> texts;
    std::string name;
    bool in_table = false;
    while (std::getline(file, line)) {
        if (line.starts_with("| --- ")) {
            in_table = true;
        } else if (in_table && line.starts_with("| ")) {
            std::vector<std::string> cells;
            for (std::size_t begin = 2, end = 0; (end = line.find(" |", begin)) != std::string::npos;) {
                cells.push_back(line.substr(begin, end - begin));
                begin = std::min(end + 3, line.size());
            }
            if (cells.size() == 4) rows.push_back({cells[0], {cells[1], cells[2], cells[3], ""}});
        } else if (line.starts_with("### ")) {
            name = line.substr(4);
        } else if (!name.empty() && !line.empty() && !line.starts_with("```")) {
            texts[name] = line;
        }
    }
    for (auto& [key, row] : rows) row.text = texts[key];
    return rows;
}

void write_file(const Rows& rows) {
    std::ifstream old(kFile);
    std::stringstream all;
    all << old.rdbuf();
    const auto before = all.str().substr(0, all.str().find(kHead));
    std::ofstream file(kFile);
    file << before << kHead;
    for (const auto& [name, row] : rows) {
        file << "| " << name << " | " << row.plan << " | " << row.work << " | " << row.remark << " |\n";
    }
    file << "\n## The statements\n";
    for (const auto& [name, row] : rows)
        file << "\n### " << name << "\n\n```cypher\n" << row.text << "\n```\n";
}

// ---- plans ----

/// Operators whose cost is that of all nodes, or which hold all rows at once.
bool is_minded(const std::string& type) {
    static const std::set<std::string> kMinded = {"NodeByLabelScan",
                                                  "AllNodesScan",
                                                  "NodeIndexScan",
                                                  "NodeUniqueIndexScan",
                                                  "UnionNodeByLabelsScan",
                                                  "IntersectionNodeByLabelsScan",
                                                  "SubtractionNodeByLabelsScan",
                                                  "Sort",
                                                  "PartialSort",
                                                  "Eager",
                                                  "EagerAggregation",
                                                  "Distinct",
                                                  "NodeHashJoin",
                                                  "ValueHashJoin",
                                                  "CartesianProduct"};
    return kMinded.contains(type);
}

void walk(const bolt::Map& plan, std::set<std::string>& operators, std::int64_t& hits) {
    std::string type = *plan.get_if<std::string>("operatorType");
    type = type.substr(0, type.find('@'));
    if (is_minded(type)) operators.insert(type);
    if (const auto* own = plan.get_if<std::int64_t>("dbHits")) hits += *own;
    if (const auto* children = plan.get_if<bolt::List>("children")) {
        for (const auto& child : *children) walk(*child.get_if<bolt::Map>(), operators, hits);
    }
}

class Statements : public testing::Test {
  protected:
    Statements() {
        std::random_device random;
        few_label_ = "Few" + std::to_string(random());
        many_label_ = "Many" + std::to_string(random());
    }
    ~Statements() override {
        for (auto* driver : {&driver_, &bolt6_}) {
            for (const auto& label : {few_label_, many_label_}) {
                cypher("DROP INDEX " + label + "_vectors IF EXISTS", {}, driver);
                cypher("DROP CONSTRAINT " + label + "_id IF EXISTS", {}, driver);
                cypher(
                    "MATCH (m:" + label + ") CALL { WITH m DETACH DELETE m } IN TRANSACTIONS OF 10000 ROWS",
                    {}, driver);
            }
            cypher("MATCH (u:User) WHERE u.id STARTS WITH 'statements-' DETACH DELETE u", {}, driver);
        }
        cypher("DROP CONSTRAINT statements_user IF EXISTS");
        cypher("MATCH (c:EmbeddingChange) WHERE c.key STARTS WITH 'statements-' DELETE c");
    }

    void cypher(const std::string& text, const bolt::Parameters& parameters = {},
                bolt::Driver* driver = nullptr) {
        (driver == nullptr ? driver_ : *driver)
            .session({.database = "neo4j", .timeout = 300s})
            .run(text, parameters)
            .consume();
    }

    /// Items of two dimensions; titles, directors and genres repeat; three users have seen fifty each.
    void load(const std::string& label, std::int64_t items, bolt::Driver* driver = nullptr) {
        cypher("CREATE CONSTRAINT " + label + "_id FOR (m:" + label + ") REQUIRE m.id IS UNIQUE", {}, driver);
        cypher(
            "UNWIND range(0, $items - 1) AS i CALL { WITH i CREATE (:" + label +
                " {id: 'm' + toString(1000000 + i), title: 't' + toString(i % 1000), director: 'd' + "
                "toString(i % 1000), genre: 'g' + toString(i % 20), embedding: [toFloat(i % 97) + 1, 1.0], "
                "embedding_version: i}) } IN TRANSACTIONS OF 10000 ROWS",
            {{"items", items}}, driver);
        cypher(
            "UNWIND range(1, 3) AS u MERGE (user:User {id: 'statements-' + toString(u)}) WITH user, u "
            "UNWIND range(0, 49) AS i MATCH (m:" +
                label +
                " {id: 'm' + toString(1000000 + i * u)}) "
                "MERGE (user)-[:VIEWED {rating: 5, at: i}]->(m)",
            {}, driver);
        cypher("CALL db.awaitIndexes(300)", {}, driver);
    }

    /// Entries of the outbox whose lease has ended long ago, half of them another collection's.
    void load_outbox(std::int64_t entries) {
        cypher(
            "UNWIND range(0, $entries - 1) AS i CALL { WITH i CREATE (:EmbeddingChange {key: 'statements-' + "
            "toString($entries + i), collection: CASE WHEN i % 2 = 0 THEN $collection ELSE 'another' END, "
            "media_id: 'm' + toString(1000000 + i), version: i, op: 'put', created_at: timestamp(), owner: "
            "'gone', lease: i}) } IN TRANSACTIONS OF 10000 ROWS",
            {{"entries", entries}, {"collection", sync::MediaMapping().collection}});
        cypher("CALL db.awaitIndexes(300)");
    }

    static sync::MediaMapping mapping_of(const std::string& label) {
        sync::MediaMapping mapping;
        mapping.label = label;
        mapping.dimension = 2;
        mapping.properties = {{"title", sync::PropertyType::text}};
        return mapping;
    }

    void call_everything(Recorder& recorder, const std::string& label, std::int64_t items);
    void read_pages_over_bolt6(Recorder& recorder, const std::string& label);
    void search_all(Recorder& recorder, bolt::Driver& driver, const sync::MediaMapping& mapping, bool bad);
    static std::string normal(std::string text, const std::string& label) {
        for (std::size_t at = 0; (at = text.find(label, at)) != std::string::npos; at += 1) {
            text.replace(at, label.size(), kLabel);
        }
        return text;
    }

    /// "PROFILE" or "EXPLAIN"; nothing that it writes stays.
    bolt::Map plan(const std::string& how, const Recorder::Statement& statement, bolt::Driver& driver) {
        auto parameters = statement.parameters;
        if (parameters.find("key") != nullptr) parameters.set("key", "statements-again");
        auto session = driver.session({.database = "neo4j", .fetch_size = -1, .timeout = 300s});
        auto transaction = session.begin();
        auto found = transaction.run(how + " " + statement.text, bolt::Parameters(std::move(parameters)))
                         .consume()
                         .plan;
        transaction.rollback();
        return found;
    }

    static bolt::AuthToken bolt6_credentials() {
        return bolt::AuthToken::basic(bolt::test::environment("BOLT6_USER"),
                                      bolt::test::environment("BOLT6_PASSWORD"));
    }

    bolt::Driver driver_ = bolt::test::connect();
    bolt::Driver bolt6_{bolt::parse_uri(bolt::test::environment("BOLT6_URI")), bolt6_credentials()};
    std::string few_label_, many_label_;
};

/// Exact searches under each metric. `bad`: the label has an embedding that can't be compared, and it is
/// counted.
void Statements::search_all(Recorder& recorder, bolt::Driver& driver, const sync::MediaMapping& mapping,
                            bool bad) {
    const std::vector<float> wanted = {1, 0.5F};
    for (const auto metric : {sync::Metric::cosine, sync::Metric::inner_product, sync::Metric::l2}) {
        auto searched = mapping;
        searched.metric = metric;
        const std::string under =
            metric == sync::Metric::cosine ? "" : " under " + std::string(sync::to_string(metric));
        recorder.now("vector index" + under);
        recorder.apart("AS flaw ", "count of what exact searches leave out" + under);
        std::promise<void> counted;
        Neo4jSearcher searcher(driver, "neo4j", searched, [&](std::int64_t) { counted.set_value(); });
        searcher.index_name(Deadline::after(300s));
        recorder.now((bad ? "exact search of a label with a bad embedding" : "exact search") + under);
        searcher.nearest({wanted, 10, {}}, Deadline::after(300s));
        if (bad) counted.get_future().wait();
    }
}

/// The page reads that differ from those over Bolt 5.
void Statements::read_pages_over_bolt6(Recorder& recorder, const std::string& label) {
    bolt::Driver driver(bolt::parse_uri(bolt::test::environment("BOLT6_URI")), bolt6_credentials(), {},
                        recorder.connector());
    MediaStore store(driver, "neo4j", mapping_of(label), true);
    const auto stop_at_once = [](sync::ScannedBatch&&) { return false; };
    recorder.now("the first page of a copy, over Bolt 6");
    store.scan({}, 1000, stop_at_once);
    recorder.now("a page of a copy, over Bolt 6");
    store.scan({ItemId("m1000001"), ItemId("m1000003")}, 1000, stop_at_once);
}

void Statements::call_everything(Recorder& recorder, const std::string& label, std::int64_t items) {
    bolt::Driver driver(bolt::parse_uri(bolt::test::environment("NEO4J_URI")), bolt::test::credentials(), {},
                        recorder.connector());
    const std::string database = "neo4j";
    const auto soon = Deadline::after(300s);
    auto mapping = mapping_of(label);

    recorder.now("index on ids");
    inspect_id_support(driver, database, mapping);
    recorder.now("inferred types");
    auto unknown = mapping;
    unknown.dimension = 0;
    infer_mapping(driver, database, unknown);
    recorder.now("inferred types of a label with few embeddings");
    auto sparse = unknown;
    sparse.embedding_property = "nowhere";
    EXPECT_THROW(infer_mapping(driver, database, sparse), Error);

    const std::vector<ItemId> ids = {"m1000001", "m1000002", "m1000003"};
    const auto stop_at_once = [](sync::ScannedBatch&&) { return false; };
    for (const bool ordered : {true, false}) {
        MediaStore store(driver, database, mapping, ordered);
        const std::string how = ordered ? "" : ", without an index";
        recorder.now("versions by id" + how);
        const auto seen = store.read_versions(ids, soon);
        recorder.now("items by id" + how);
        sync::ItemBatch valid;
        std::vector<sync::Rejected> rejected;
        store.read_items(ids, seen, valid, rejected, soon);
        recorder.now(ordered ? "the first page of a copy" : "a copy" + how);
        store.scan({}, 1000, stop_at_once);
        if (!ordered) continue;
        recorder.now("a page of a copy");
        store.scan({ids[0], ids[2]}, 1000, stop_at_once);
        recorder.now("the last page of a copy");
        store.scan({ids[0], {}}, 1000, stop_at_once);
        recorder.now("versions of all ids");
        store.scan_versions({}, [](const ItemId&, sync::Presence) { return false; });
        recorder.now("versions behind an id");
        store.scan_versions({ids[0], {}}, [](const ItemId&, sync::Presence) { return false; });
        recorder.now("ids of another kind");
        store.scan_foreign_ids([](const sync::Rejected&) {});
        recorder.now("number of items");
        store.count_with_embedding();
        recorder.now("number of nodes without an embedding");
        store.count_without_embedding();
        recorder.now("boundaries of ranges");
        const auto boundaries = store.range_boundaries(4);
        ASSERT_EQ(boundaries.size(), 3U);
        for (int i = 0; i < 3; ++i) {  // 'm1000000' and so on: a sample of 10,000 is not off by a twentieth
            const auto place = std::stod(std::get<std::string>(boundaries[i]).substr(1)) - 1'000'000;
            EXPECT_NEAR(place / static_cast<double>(items), (i + 1) / 4.0, 0.05) << label;
        }
        recorder.now("preflight's sample");
        auto session = driver.session({.database = database, .fetch_size = -1});
        store.judge(draw_sample(session, label, 1000).elements, [](const sync::Rejected&) {});
        recorder.now("a sample of the whole label");
        draw_sample(session, label, static_cast<std::size_t>(items) + 1);
        recorder.now("versions by element id");
        session
            .run(MediaQueries(mapping).versions_by_element(),
                 {{"elements", bolt::List{"4:00000000-0000-0000-0000-000000000000:1"}}})
            .consume();
    }

    search_all(recorder, driver, mapping, false);
    const std::vector<float> wanted = {1, 0.5F};
    const search::Filter filter = {{"title", search::Comparison::equal, {std::string("t7")}}};
    recorder.now("exact search with a filter");
    Neo4jSearcher(driver, database, mapping).nearest({wanted, 10, filter}, soon);
    cypher("CREATE (:" + label + " {id: 'bad', embedding: [0.0 / 0.0, 0.0]})");
    search_all(recorder, driver, mapping, true);
    cypher("MATCH (m:" + label + " {id: 'bad'}) DELETE m");
    cypher("CREATE VECTOR INDEX " + label + "_vectors FOR (m:" + label +
           ") ON m.embedding OPTIONS {indexConfig: {`vector.dimensions`: 2, `vector.similarity_function`: "
           "'cosine'}}");
    cypher("CALL db.awaitIndexes(300)");
    recorder.now("search by the vector index");
    Neo4jSearcher(driver, database, mapping).nearest({wanted, 10, {}}, soon);
    recorder.now("search by the vector index with a filter");
    Neo4jSearcher(driver, database, mapping).nearest({wanted, 1, filter}, soon);

    recorder.now("viewings of a user");
    ViewingGraph graph(driver, database, mapping);
    graph.count_of("statements-1", soon);
    recorder.now("best liked of a user");
    graph.best_liked("statements-1", 10, soon);
    recorder.now("seen by a user");
    graph.seen_among("statements-1", ids, soon);
    recorder.now("candidates of a recommendation");
    graph.candidates("statements-1", 10, soon);
    recorder.now("most viewed");
    graph.most_viewed(10, soon);

    MediaWriter writer(driver, database, mapping, "statements");
    std::vector<ChangeEntry> entries;
    for (const auto capture : {Capture::off, Capture::on}) {
        const std::string how = capture == Capture::on ? ", captured" : "";
        recorder.now("write" + how);
        writer.put({"statements", std::vector<double>{1, 2}, {bolt::Value("t")}}, capture, soon);
        recorder.now("write of properties" + how);
        writer.put({"statements", std::nullopt, {bolt::Value("t")}}, capture, soon);
        recorder.now("read of an item");
        writer.read("statements", soon);
        recorder.now("deletion" + how);
        const auto gone = writer.erase("statements", capture, soon);
        if (gone && gone->entry) entries.push_back(*gone->entry);
    }
    ChangeLog log(driver, database, mapping);
    recorder.now("outbox: indexes");
    log.prepare();
    recorder.now("outbox: owed");
    log.owe(std::vector<ItemId>{"statements"});
    recorder.now("outbox: settled");
    const std::vector<ItemId> written = {"statements"};
    log.version_check(entries)->changed(written, std::vector<sync::Presence>(1), {}, soon);
    recorder.now("refused items: recorded");
    const sync::Rejected refused{"statements", {}, sync::RejectionReason::refused_by_server, {}};
    log.version_check({})->changed(written, std::vector<sync::Presence>(1), std::span(&refused, 1), soon);
    recorder.now("refused items: asked for");
    MediaStore(driver, database, mapping, true).quarantined(written, std::vector<sync::Presence>(1), soon);
    recorder.now("refused items: forgotten");
    log.version_check({})->changed(written, std::vector<sync::Presence>(1), {}, soon);
    recorder.now("refused items: looked at, without an index");
    driver.session({.database = database}).execute_write([&](bolt::Transaction& transaction) {
        RefusedItems(mapping).look(transaction, MediaQueries(mapping), written, false);
    });
    recorder.now("refused items: all forgotten");
    driver.session({.database = database}).execute_write([&](bolt::Transaction& transaction) {
        return RefusedItems(mapping).forget_some(transaction);
    });
    recorder.now("outbox: claimed");
    log.claim(100);
    recorder.now("outbox: discarded");
    cypher(
        "CREATE (:EmbeddingChange {key: 'statements-of-another-kind', collection: $collection, media_id: "
        "7, version: 1, op: 'put', created_at: 0, owner: 'gone', lease: -1})",
        {{"collection", mapping.collection}});
    EXPECT_EQ(log.claim(1).discarded, 1);
    recorder.now("outbox: depth");
    log.depth(soon);

    recorder.now("outbox: entries of an earlier release");
    log.take_in_unowned();
    recorder.now("mark of the source");
    source_mark(driver, database, mapping);
    recorder.now("mark of the source, looked at");
    known_source_mark(driver, database, mapping);
    recorder.now("epochs: constraint");
    prepare_epochs(driver, database);

    recorder.now("lease");
    {
        const auto lease = Lease::acquire(driver, database, {"statements-" + label, mapping.collection}, 10s,
                                          [](const std::string&) {}, {});
        recorder.now("barrier");
        lease->transact(
            soon, [&](bolt::Transaction& transaction) { look_at_barrier(transaction, mapping.collection); });
        lease->writes_begin();
        recorder.now("lease given up");
    }
    {
        const auto lease =
            Lease::acquire(driver, database, {"statements-" + label + "-2", mapping.collection}, 10s,
                           [](const std::string&) {}, {});
        recorder.now("lease given up with everything settled");
    }
    recorder.now("right to take a lease");
    Lease::require_right_to_take(driver, database);
    cypher("MATCH (l:CrossoverLease) WHERE l.name STARTS WITH 'statements-' DELETE l");
    recorder.now("heartbeat");
    Heartbeat heartbeat(driver, database, mapping.collection, "statements");
    heartbeat.beat("dual_write", soon);
    recorder.now("heartbeat that begins an epoch");
    heartbeat.beat("neo4j_only", soon);
    recorder.now("last heartbeat");
    heartbeat.withdraw(soon);
    recorder.now("burial of an earlier release's replica, uncaptured");
    cypher("CREATE (:EngineReplica {id: 'statements-unowned', mode: 'neo4j_only', seen_at: 0})");
    driver.session({.database = database}).execute_write([&](bolt::Transaction& transaction) {
        look_at_barrier(transaction, mapping.collection);
    });
}

TEST_F(Statements, AreWhatTheFileSays) {
    cypher("CREATE CONSTRAINT statements_user IF NOT EXISTS FOR (u:User) REQUIRE u.id IS UNIQUE");
    ChangeLog(driver_, "neo4j", mapping_of(few_label_)).prepare();
    Rows seen;
    std::map<std::string, std::int64_t> few;
    const auto observe = [&](const Recorder& recorder, const std::string& label, std::int64_t items,
                             bolt::Driver& driver) {
        for (const auto& statement : recorder.statements()) {
            const auto text = normal(statement.text, label);
            Row row{"–", "–", "", text};
            std::set<std::string> operators;
            std::int64_t hits = 0;
            // Of the schema there is no plan.
            if (!text.starts_with("SHOW") && !text.starts_with("CREATE CONSTRAINT") &&
                !text.starts_with("CREATE INDEX") && !text.starts_with("DROP")) {
                SCOPED_TRACE(statement.name);
                try {
                    walk(plan("PROFILE", statement, driver), operators, hits);
                } catch (const Error& error) {
                    // What can't be repeated has a plan all the same.
                    ASSERT_EQ(error.native_code(), "Neo.ClientError.Schema.ConstraintValidationFailed")
                        << error.what();
                    walk(plan("EXPLAIN", statement, driver), operators, hits);
                }
                if (!operators.empty()) {
                    row.plan.clear();
                    for (const auto& one : operators) row.plan += (row.plan.empty() ? "" : ", ") + one;
                }
            }
            if (items == kFew) {
                few[text] = hits;
                continue;
            }
            const auto before = few.find(text);
            if (before != few.end() && hits > 0)
                row.work = hits <= 2 * before->second + 1000 ? "the same" : "grows";
            seen.push_back({statement.name, row});
        }
    };
    for (const auto& [label, items] : {std::pair{few_label_, kFew}, {many_label_, kMany}}) {
        load(label, items);
        load_outbox(items);
        Recorder recorder;
        call_everything(recorder, label, items);
        cypher("CALL db.prepareForReplanning(60)");
        observe(recorder, label, items, driver_);
    }
    for (const auto& [label, items] : {std::pair{few_label_, kFew}, {many_label_, kMany}}) {
        load(label, items, &bolt6_);
        Recorder recorder;
        read_pages_over_bolt6(recorder, label);
        cypher("CALL db.prepareForReplanning(60)", {}, &bolt6_);
        Recorder pages;  // the others are those of Bolt 5
        for (const auto& statement : recorder.statements()) {
            if (!statement.text.starts_with("CYPHER 25")) continue;
            pages.now(statement.name.substr(0, statement.name.find(" (")));
            pages.add(statement.text, statement.parameters);
        }
        observe(pages, label, items, bolt6_);
    }

    // A page's versions are read beside the page before, so that two may come in either order: names go by
    // text.
    const auto said = read_file();
    for (auto& [name, row] : seen) {
        for (const auto& [known, old] : said) {
            if (old.text == row.text) name = known;
        }
        for (const auto& [known, old] : said) {
            if (known == name) row.remark = old.remark;
        }
    }
    if (std::getenv("CROSSOVER_UPDATE_DOCS") != nullptr) return write_file(seen);
    const auto names = [](const Rows& rows) {
        std::multiset<std::string> all;
        for (const auto& [name, row] : rows) all.insert(name);
        return all;
    };
    const std::string help =
        "docs/statements.md is behind the code: see statements_test.cpp for how to write it";
    EXPECT_EQ(names(seen), names(said)) << help;
    for (const auto& [name, row] : seen) {
        for (const auto& [known, old] : said) {
            if (known != name) continue;
            EXPECT_EQ(row.text, old.text) << name << ": " << help;
            EXPECT_EQ(row.plan, old.plan) << name;
            EXPECT_EQ(row.work, old.work) << name;
            EXPECT_NE(old.remark, "") << name << ": say what it costs with 10⁸ items";
        }
    }
}

}  // namespace
}  // namespace crossover::neo4j
