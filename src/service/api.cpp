#include "service/api.h"

#include <fmt/format.h>

#include <chrono>

#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "log/log.h"
#include "metrics/names.h"
#include "service/console.h"
#include "service/json.h"

namespace crossover::service {
namespace {

using http::problem;
using http::Request;
using http::Response;

Response json_response(unsigned status, std::string body) {
    return {status, "application/json", std::move(body), {}};
}

std::string ready_json(const engine::Readiness& readiness) {
    nlohmann::json object = {{"status", "ready"}};
    if (!readiness.why.empty()) object["note"] = readiness.why;
    return object.dump();
}

std::string_view name_of(System system) {
    switch (system) {
        case System::milvus:
            return "Milvus";
        case System::redis:
            return "Redis";
        case System::postgres:
            return "PostgreSQL";
        default:
            return "Neo4j";
    }
}

/// What a client may know of a failure: neither addresses nor statements.
Response failure(const Error& error, bool writes) {
    switch (error.kind()) {
        case ErrorKind::unreachable:
        case ErrorKind::timeout:
        case ErrorKind::overloaded:
        case ErrorKind::unavailable: {
            auto detail = fmt::format("{} does not answer now. Try again.", name_of(error.system()));
            if (writes && error.outcome_unknown()) {
                detail = fmt::format(
                    "{} did not answer in time: the change may have been made, or not. Send it again.",
                    name_of(error.system()));
            }
            auto response = problem(503, detail);
            response.headers.emplace_back("Retry-After", "1");
            return response;
        }
        case ErrorKind::too_large:
            return problem(413, fmt::format("That is more than {} takes.", name_of(error.system())));
        default:
            return problem(500, "The request could not be answered. The service's log says why.");
    }
}

/// Bad requests and failed stores as problem documents.
template <class Handler>
http::Router::Handler guarded(bool writes, Handler handler) {
    return [=](const Request& request) -> Response {
        try {
            return handler(request);
        } catch (const BadRequest& refused) {
            return problem(refused.status(), refused.what());
        } catch (const engine::UnfitEmbedding& unfit) {
            return problem(
                409,
                fmt::format("The item's own embedding {}, so that nothing is near to it. PUT a sound one.",
                            unfit.what()));
        } catch (const Error& error) {
            log_event(LogLevel::warning, "request_failed",
                      {{"system", to_string(error.system())},
                       {"kind", to_string(error.kind())},
                       {"error", error.what()}});
            return failure(error, writes);
        }
    };
}

/// What the answer to a request depends on, beside the data.
std::string identity_of(std::string_view route, const Request& request, engine::StorageMode mode) {
    nlohmann::json parts = {route, to_string(mode), request.body};
    for (const auto& [name, value] : request.parameters) parts.push_back({name, value});
    for (const auto& [name, value] : request.query) parts.push_back({name, value});
    return parts.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// Handlers whose answers may be kept; says in a header whether one was.
http::Router::Handler kept(engine::Engine& engine, std::string_view route, http::Router::Handler handler) {
    return [=, &engine](const Request& request) -> Response {
        auto* const cache = engine.answer_cache();
        if (cache == nullptr) return handler(request);
        const auto identity = identity_of(route, request, engine.mode());
        auto found = cache->find(identity);
        if (found.answer) {
            auto response = json_response(200, *std::move(found.answer));
            response.headers.emplace_back("X-Cache", "hit");
            return response;
        }
        auto response = handler(request);
        if (response.status == 200) {
            cache->keep(identity, response.body, found.generation);
            response.headers.emplace_back("X-Cache", "miss");
        }
        return response;
    };
}

Response no_such_item() {
    return problem(404, "There is no such item.");
}

Response record_feedback(engine::Engine& engine, const Request& request) {
    auto experience = read_feedback(request.body);
    auto* const learning = engine.learning();
    if (learning == nullptr) {
        return problem(503,
                       "Nothing is learnt here: set REDIS_URL, and AGENTDB_MODE to redis, dual or postgres.");
    }
    experience.occurred_us = unix_us();
    return json_response(200, to_json(learning->record(experience)));
}

void add_learning(nlohmann::json& object, const learning::LearningStatus& status, const std::string& from) {
    object["agentdb_mode"] = to_string(status.in_effect);
    object["agentdb_wanted"] = to_string(status.wanted);
    object["agentdb_mode_from"] = from;
    object["agentdb_primary"] = nullptr;
    if (status.primary) object["agentdb_primary"] = to_string(*status.primary);
    object["agentdb_owed"] = nullptr;
    if (status.owed) object["agentdb_owed"] = *status.owed;
    object["agentdb_refused"] = nullptr;
    if (!status.refused.empty()) object["agentdb_refused"] = status.refused;
}

std::string to_json(const engine::Status& status, const ModeOrigins& from) {
    nlohmann::json object = {
        {"replica", status.replica},         {"storage_mode", to_string(status.mode)},
        {"storage_mode_from", from.storage}, {"milvus_asked", status.milvus_admitted},
        {"outbox_depth", nullptr},           {"outbox_oldest_seconds", status.outbox_oldest_seconds},
        {"neo4j_vector_index", nullptr},     {"version", CROSSOVER_VERSION}};
    if (status.outbox_depth) object["outbox_depth"] = *status.outbox_depth;
    if (!status.neo4j_vector_index.empty()) object["neo4j_vector_index"] = status.neo4j_vector_index;
    object["agentdb_mode"] = nullptr;
    if (status.learning) add_learning(object, *status.learning, from.agentdb);
    return object.dump(2);
}

}  // namespace

http::Router make_api(engine::Engine& engine, std::function<ModeOrigins()> mode_from) {
    http::Router router;
    const auto id_of = [&engine](const Request& request) {
        return read_id(request.parameter("id"), engine.mapping());
    };

    router.add("PUT /v1/media/{id}", guarded(true, [&engine, id_of](const Request& request) {
                   const auto id = id_of(request);
                   const auto written = engine.put(read_item(id, request.body, engine.mapping()));
                   return json_response(written.created ? 201 : 200, to_json(id, written));
               }));
    router.add("GET /v1/media/{id}", guarded(false, [&engine, id_of](const Request& request) {
                   const auto item = engine.read(id_of(request));
                   return item ? json_response(200, to_json(*item, engine.mapping())) : no_such_item();
               }));
    router.add("DELETE /v1/media/{id}", guarded(true, [&engine, id_of](const Request& request) {
                   return engine.erase(id_of(request)) ? Response{204, {}, {}, {}} : no_such_item();
               }));
    const auto add_kept = [&](std::string_view route, http::Router::Handler handler) {
        router.add(route, kept(engine, route, std::move(handler)));
    };
    add_kept("GET /v1/media/{id}/similar", guarded(false, [&engine, id_of](const Request& request) {
                 const auto k = request.query_value("k");
                 const auto filter = request.query_value("filter");
                 const auto answer =
                     engine.similar(id_of(request), k ? read_k(*k) : 10,
                                    filter ? read_filter(*filter, engine.mapping()) : search::Filter{});
                 if (!answer) return problem(404, "There is no such item, or it has no embedding.");
                 return json_response(200, to_json(*answer, engine.mapping()));
             }));
    add_kept("POST /v1/search", guarded(false, [&engine](const Request& request) {
                 const auto wanted = read_search(request.body, engine.mapping());
                 const auto answer = engine.search({wanted.vector, wanted.k, wanted.filter});
                 return json_response(200, to_json(answer, engine.mapping()));
             }));
    add_kept("POST /v1/recommendations", guarded(false, [&engine](const Request& request) {
                 const auto wanted = read_recommendation(request.body, engine.mapping());
                 return json_response(200, to_json(engine.recommend(wanted), engine.mapping()));
             }));
    router.add("POST /v1/feedback",
               guarded(true, [&engine](const Request& request) { return record_feedback(engine, request); }));
    router.add("GET /status", guarded(false, [&engine, mode_from](const Request&) {
                   return json_response(200, to_json(engine.status(), mode_from()));
               }));
    router.add(
        "GET /", [](const Request&) { return console_page(); }, http::Access::anyone);
    router.add(
        "GET /healthz", [](const Request&) { return json_response(200, R"({"status":"alive"})"); },
        http::Access::anyone);
    router.add("GET /readyz",
               guarded(false,
                       [&engine](const Request&) {
                           const auto readiness = engine.readiness();
                           return readiness.ready ? json_response(200, ready_json(readiness))
                                                  : problem(503, readiness.why);
                       }),
               http::Access::anyone);
    router.add("GET /metrics", [&engine](const Request&) {
        return Response{200, metrics::kContentType, engine.metrics().text(), {}};
    });
    return router;
}

}  // namespace crossover::service
