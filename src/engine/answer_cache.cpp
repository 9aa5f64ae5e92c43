#include "engine/answer_cache.h"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <array>

#include "base/encodings.h"
#include "base/unique_name.h"

namespace crossover::engine {

namespace {

/// Between the generation and the answer; a generation has none.
constexpr char kSeparator = '|';

}  // namespace

AnswerCache::AnswerCache(Config config, OptionalRedis& redis, Metrics& metrics)
    : config_(std::move(config)),
      generation_key_("crossover:generation:" + config_.scope),
      search_lag_key_("crossover:settling:" + config_.scope),
      redis_(redis),
      metrics_(metrics) {}

std::string AnswerCache::key_of(std::string_view request) const {
    std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
    SHA256(reinterpret_cast<const unsigned char*>(request.data()), request.size(), digest.data());
    return fmt::format("crossover:answer:{}:{}", config_.scope,
                       hex({reinterpret_cast<const char*>(digest.data()), digest.size()}));
}

AnswerCache::Found AnswerCache::find(std::string_view request) {
    Found found;
    const bool asked = redis_.ask([&](redis::Connection& connection) {
        const auto reply = connection.call({"MGET", generation_key_, search_lag_key_, key_of(request)});
        const auto generation = reply.elements.at(0).text;
        if (!generation) {
            // The first to come, or Redis lost it: a new one, since an old one might speak for old answers.
            found.generation = unique_name();
            if (!connection.call({"SET", generation_key_, found.generation, "NX"}).text)
                found.generation.clear();
            return;
        }
        if (reply.elements.at(1).text) return;
        found.generation = *generation;
        const auto& kept = reply.elements.at(2).text;
        if (kept && kept->starts_with(*generation + kSeparator)) {
            found.answer = kept->substr(generation->size() + 1);
        }
    });
    metrics_.cache(!asked ? "unavailable" : found.answer ? "hit" : "miss");
    return found;
}

void AnswerCache::keep(std::string_view request, std::string_view answer, const std::string& generation) {
    if (generation.empty()) return;
    redis_.ask([&](redis::Connection& connection) {
        connection.call({"SET", key_of(request), generation + kSeparator + std::string(answer), "EX",
                         std::to_string(config_.keep.count())});
    });
}

void AnswerCache::invalidate(std::chrono::seconds search_lag) {
    redis_.ask([&](redis::Connection& connection) {
        if (search_lag.count() > 0) {
            connection.call({"SET", search_lag_key_, "1", "EX", std::to_string(search_lag.count())});
        }
        connection.call({"SET", generation_key_, unique_name()});
    });
}

}  // namespace crossover::engine
