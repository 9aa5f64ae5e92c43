#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "engine/engine.h"
#include "learning/store/experience.h"
#include "neo4j/media_writer.h"
#include "search/searcher.h"
#include "sync/mapping.h"

/// The bodies of the API, docs/api/openapi.yaml: read and judged here, so that what reaches the engine is
/// sound.
namespace crossover::service {

/// What a client sent and may mend. `status` is 400 for what is no JSON, else 422.
class BadRequest : public std::runtime_error {
  public:
    BadRequest(unsigned status, const std::string& detail) : std::runtime_error(detail), status_(status) {}
    unsigned status() const { return status_; }

  private:
    unsigned status_;
};

/// All throw BadRequest, which says what is wrong and what was expected.
ItemId read_id(std::string_view text, const sync::MediaMapping& mapping);
neo4j::MediaItem read_item(const ItemId& id, std::string_view body, const sync::MediaMapping& mapping);

struct SearchRequest {
    std::vector<float> vector;
    std::size_t k = 10;
    search::Filter filter;
};
SearchRequest read_search(std::string_view body, const sync::MediaMapping& mapping);
engine::RecommendationRequest read_recommendation(std::string_view body, const sync::MediaMapping& mapping);
/// With a key, but without a time.
learning::Experience read_feedback(std::string_view body);
/// The filter alone, as of the query parameter `filter`.
search::Filter read_filter(std::string_view text, const sync::MediaMapping& mapping);
std::size_t read_k(std::string_view text);

std::string to_json(const neo4j::MediaItem& item, const sync::MediaMapping& mapping);
std::string to_json(const engine::Answer& answer, const sync::MediaMapping& mapping);
std::string to_json(const engine::Recommended& recommended, const sync::MediaMapping& mapping);
std::string to_json(const ItemId& id, const neo4j::Written& written);
std::string to_json(const learning::Recorded& recorded);

}  // namespace crossover::service
