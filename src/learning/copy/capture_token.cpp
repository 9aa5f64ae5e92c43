#include "learning/copy/capture_token.h"

namespace crossover::learning {

std::optional<std::string> read_capture_token(Stores& stores) {
    return stores.redis([](redis::Keyspace& keyspace) {
        redis::Pipeline pipeline;
        pipeline.add({"GET", kUncapturedKey});
        auto reply = keyspace.run(pipeline, call_deadline()).front();
        // Who may not read it is not the engine's Redis.
        return reply.is_error() ? std::nullopt : std::move(reply.text);
    });
}

bool release_capture_token(Stores& stores, const std::string& token) {
    return stores.redis([&](redis::Keyspace& keyspace) {
        redis::Pipeline pipeline;
        pipeline.add({"EVAL",
                      "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end "
                      "return redis.call('EXISTS', KEYS[1])",
                      "1", kUncapturedKey, token},
                     3);
        const auto reply = keyspace.run(pipeline, call_deadline()).front();
        if (reply.is_error()) throw redis::to_error(keyspace.name(), reply);
        return reply.integer == 0;
    });
}

}  // namespace crossover::learning
