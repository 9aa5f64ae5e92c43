#include "learning/store/redis_store.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/error.h"
#include "base/unique_name.h"
#include "learning/store/redis_scripts.h"
#include "learning/store/store.h"

namespace crossover::learning {

namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr std::size_t kMostConnections = 32;
constexpr auto kReadTimeout = 100ms;
/// Connecting takes several round trips, for which a read has no time.
constexpr auto kConnectTimeout = 2s;
/// Beyond this a write's outcome counts as unknown; it is sent again, with the same key.
constexpr auto kWriteTimeout = 1'000ms;
/// A Q value with members of others' is merged here and compared there; two that do so at once take turns.
constexpr int kMergeAttempts = 20;

const std::string kPrimary(kPrimaryKey);
const std::string kMover(kMoverKey);
const std::string kOwed(kOwedKey);
const std::string kUncaptured(kUncapturedKey);

Pool<redis::Connection>::Connect connect_within(const redis::Address& address,
                                                std::chrono::milliseconds timeout) {
    return [address, timeout](Deadline deadline) {
        return std::make_unique<redis::Connection>(address, timeout, deadline);
    };
}

Deadline within(Deadline deadline) {
    return Deadline::after(kWriteTimeout).earlier(deadline);
}

template <class Number>
Number to_number(const std::string& text) {
    Number number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) {
        throw Error(System::redis, ErrorKind::protocol, fmt::format("Redis answered '{}', no number.", text));
    }
    return number;
}

const std::string& text_of(const redis::Reply& reply, std::size_t index) {
    if (index >= reply.elements.size() || !reply.elements[index].text) {
        throw Error(System::redis, ErrorKind::protocol, "Redis answered a script with less than expected.");
    }
    return *reply.elements[index].text;
}

/// The members of a stored Q value that are not ours, as they follow ours: `,"note":"x"`. Empty where it is
/// not what its key says.
std::optional<std::string> foreign_members(const std::string& stored, const FieldNames& names) {
    auto value = json::parse(stored, nullptr, false);
    if (!value.is_object()) return std::nullopt;
    for (const char* ours : {"agent_id", "state_hash", "action", "value", "visits", "version"}) {
        value.erase(ours);
    }
    for (const auto* ours : {&names.agent_id, &names.state_hash, &names.action, &names.q_value}) {
        value.erase(*ours);
    }
    std::string members;
    for (const auto& [name, member] : value.items()) {
        members += fmt::format(",{}:{}", json(name).dump(), member.dump());
    }
    return members;
}

/// What a client has stored of an arm; empty where that is no arm.
std::optional<Arm> to_arm(const redis::Reply& stored, const std::string& value_name) {
    if (stored.elements.size() == 2) {  // a hash
        if (!stored.elements[0].text) return std::nullopt;
        try {
            const auto visits = stored.elements[1].text.value_or("0");
            return Arm{to_number<double>(*stored.elements[0].text), to_number<std::int64_t>(visits)};
        } catch (const Error&) {
            return std::nullopt;
        }
    }
    if (!stored.text) return std::nullopt;
    const auto value = json::parse(*stored.text, nullptr, false);
    if (!value.is_object()) return std::nullopt;
    const auto held = value.contains(value_name) ? value.find(value_name) : value.find("value");
    if (held == value.end() || !held->is_number()) return std::nullopt;
    const auto visits = value.find("visits");
    const bool counted = visits != value.end() && visits->is_number();
    return Arm{held->get<double>(), counted ? visits->get<std::int64_t>() : 0};
}

}  // namespace

RedisStore::RedisStore(redis::Address address, Names names)
    : address_(std::move(address)),
      names_(std::move(names)),
      renamed_(names_.fields != FieldNames()),
      writes_(System::redis, kMostConnections, connect_within(address_, kWriteTimeout)),
      reads_(System::redis, kMostConnections, connect_within(address_, kConnectTimeout), kConnectTimeout) {}

redis::Reply RedisStore::run(const Script& script, const std::vector<std::string>& keys,
                             const std::vector<std::string>& arguments, Deadline deadline) {
    return writes_.with(deadline, [&](redis::Connection& connection) {
        return script.run(connection, keys, arguments, within(deadline));
    });
}

RecordOutcome RedisStore::record(const Experience& experience, bool owed, Deadline deadline) {
    const auto key = names_.key_prefix +
                     qvalue_key(experience.agent, experience.decision.state, experience.decision.action);
    const auto& fields = names_.fields;
    const std::vector<std::string> keys = {kPrimary, kOwed, kUncaptured, experience.key, key};
    std::vector<std::string> arguments = {owed ? "dual" : "redis",
                                          unique_name(),
                                          open_json(experience, fields),
                                          fmt::format("{}", experience.reward),
                                          open_qvalue_json(experience, fields),
                                          fmt::format("{}", kLeastStep),
                                          "",
                                          "",
                                          fields.q_value,
                                          json(fields.q_value).dump(),
                                          fields.agent_id,
                                          fields.state_hash,
                                          fields.action};
    for (int attempt = 0; attempt < kMergeAttempts; ++attempt) {
        const auto reply = run(scripts::record(), keys, arguments, deadline);
        const auto& outcome = text_of(reply, 0);
        if (outcome == "refused") return Refused{text_of(reply, 1)};
        if (outcome == "recorded" || outcome == "again") {
            return Recorded{
                {to_number<double>(text_of(reply, 1)), to_number<std::int64_t>(text_of(reply, 2))},
                outcome == "again",
                "redis"};
        }
        const auto members = outcome == "merge" ? foreign_members(text_of(reply, 1), fields) : std::nullopt;
        if (!members) break;
        arguments[6] = text_of(reply, 1);
        arguments[7] = *members;
    }
    throw Error(
        System::redis, ErrorKind::rejected,
        fmt::format("{} holds under {} what is no Q value, so nothing can be learnt there. Look at it "
                    "and remove or mend it.",
                    name(), key));
}

Knowledge RedisStore::knowledge(const std::string& agent) {
    std::vector<std::string> keys = {names_.key_prefix + policy_key(agent)};
    for (const auto state : kStates) {
        for (std::size_t action = 0; action < kActions; ++action) {
            keys.push_back(names_.key_prefix + qvalue_key(agent, state, static_cast<Action>(action)));
        }
    }
    const auto deadline = Deadline::after(kReadTimeout);
    const std::vector<std::string> arguments = {names_.fields.q_value};
    const auto reply = reads_.with(deadline, [&](redis::Connection& connection) {
        return scripts::read().run(connection, keys, arguments, deadline);
    });
    if (reply.elements.size() != keys.size()) {
        throw Error(System::redis, ErrorKind::protocol, "Redis answered a script with less than expected.");
    }
    Knowledge known{reply.elements[0].text, {}};
    for (std::size_t i = 0; i < kStates.size() * kActions; ++i) {
        known.arms[i / kActions][i % kActions] =
            to_arm(reply.elements[i + 1], names_.fields.q_value).value_or(Arm{});
    }
    return known;
}

RedisStore::Control RedisStore::control(Deadline deadline) {
    const auto reply = run(scripts::look(), {kPrimary, kOwed, kUncaptured}, {}, deadline);
    const auto& primary = text_of(reply, 0);
    return {primary.empty() ? std::nullopt : std::optional(primary),
            to_number<std::int64_t>(text_of(reply, 1)), text_of(reply, 2) == "1"};
}

void RedisStore::claim_control(Deadline deadline) {
    run(scripts::claim_control(), {kPrimary, kUncaptured}, {unique_name()}, deadline);
}

std::optional<std::string> RedisStore::appendfsync(Deadline deadline) {
    return writes_.with(deadline, [&](redis::Connection& connection) -> std::optional<std::string> {
        try {
            const auto enabled = connection.call({"CONFIG", "GET", "appendonly"}, within(deadline));
            const auto reply = connection.call({"CONFIG", "GET", "appendfsync"}, within(deadline));
            if (enabled.elements.size() != 2 || reply.elements.size() != 2) return std::nullopt;
            return text_of(enabled, 1) == "yes" ? text_of(reply, 1) : "no append-only file";
        } catch (const Error& error) {
            if (error.retryable()) throw;
            return std::nullopt;
        }
    });
}

void RedisStore::claim_steps(const std::string& mover, Deadline deadline) {
    writes_.with(deadline, [&](redis::Connection& connection) {
        return connection.call({"SET", kMover, mover}, within(deadline));
    });
}

RedisStore::Begun RedisStore::begin_handover(const std::string& mover, Deadline deadline) {
    const auto reply = run(scripts::begin_handover(), {kPrimary, kMover, kUncaptured}, {mover}, deadline);
    const auto& outcome = reply.text.value_or("");
    return outcome == "begun" ? Begun::yes : outcome == "uncaptured" ? Begun::uncaptured : Begun::elsewhere;
}

bool RedisStore::abandon_handover(const std::string& mover, Deadline deadline) {
    return run(scripts::turn_primary(), {kPrimary, kMover}, {mover, "moving", "redis"}, deadline).text == "1";
}

bool RedisStore::finish_handover(const std::string& mover, std::int64_t epoch, Deadline deadline) {
    const auto wanted = fmt::format("postgres:{}", epoch);
    return run(scripts::turn_primary(), {kPrimary, kMover}, {mover, "moving", wanted}, deadline).text == "1";
}

bool RedisStore::take_back(const std::string& mover, std::int64_t epoch, Deadline deadline) {
    const auto former = fmt::format("postgres:{}", epoch);
    return run(scripts::turn_primary(), {kPrimary, kMover}, {mover, former, "redis"}, deadline).text == "1";
}

bool RedisStore::restore(const std::string& mover, std::int64_t epoch, Deadline deadline) {
    const auto wanted = fmt::format("postgres:{}", epoch);
    return run(scripts::turn_primary(), {kPrimary, kMover}, {mover, "", wanted}, deadline).text == "1";
}

std::pair<std::vector<RedisStore::Owed>, std::string> RedisStore::owed(const std::string& cursor,
                                                                       std::size_t count, Deadline deadline) {
    const auto reply = writes_.with(deadline, [&](redis::Connection& connection) {
        return connection.call({"HSCAN", kOwed, cursor, "COUNT", std::to_string(count)}, within(deadline));
    });
    std::vector<Owed> owed;
    const auto& next = text_of(reply, 0);
    const auto& pairs = reply.elements.at(1);
    for (std::size_t i = 0; i + 1 < pairs.elements.size(); i += 2) {
        owed.push_back({text_of(pairs, i), text_of(pairs, i + 1)});
    }
    return {std::move(owed), next};
}

std::vector<std::optional<RedisStore::Stored>> RedisStore::fetch(const std::vector<Owed>& keys,
                                                                 Deadline deadline) {
    if (keys.empty()) return {};
    std::vector<std::string> names;
    for (const auto& one : keys) names.push_back(one.key);
    const auto reply = run(scripts::fetch(), names, {}, deadline);
    const auto now = unix_ms();
    std::vector<std::optional<Stored>> found(keys.size());
    for (std::size_t i = 0; i < keys.size() && i < reply.elements.size(); ++i) {
        const auto& one = reply.elements[i];
        if (one.elements.size() != 3) continue;
        Stored stored;
        if (text_of(one, 0) == "string") {
            stored.json = text_of(one, 1);
        } else {
            json members = json::object();
            const auto& pairs = one.elements[1];
            for (std::size_t n = 0; n + 1 < pairs.elements.size(); n += 2) {
                members[text_of(pairs, n)] = text_of(pairs, n + 1);
            }
            stored.json = members.dump(-1, ' ', false, json::error_handler_t::replace);
        }
        if (renamed_) {
            const auto kind = find_kind(keys[i].key).value_or(KindAt{}).kind;
            stored.json = with_usual_names(stored.json, kind, names_.fields);
        }
        const auto left = to_number<std::int64_t>(text_of(one, 2));
        if (left >= 0) stored.expires_ms = now + left;
        found[i] = std::move(stored);
    }
    return found;
}

std::int64_t RedisStore::carry(const std::vector<Carried>& rows, Deadline deadline) {
    std::vector<std::string> keys, arguments;
    for (const auto& row : rows) {
        keys.push_back(row.key);
        const auto kind = find_kind(row.key).value_or(KindAt{}).kind;
        arguments.push_back(row.version);
        arguments.push_back(renamed_ ? with_user_names(row.json, kind, names_.fields) : row.json);
        arguments.push_back(row.expires_ms);
    }
    if (keys.empty()) return 0;
    arguments.push_back(names_.fields.q_value);
    arguments.push_back(names_.fields.state_hash);
    return to_number<std::int64_t>(run(scripts::carry(), keys, arguments, deadline).text.value_or(""));
}

std::int64_t RedisStore::forget_owed(const std::vector<Owed>& delivered, Deadline deadline) {
    if (delivered.empty()) return 0;
    std::vector<std::string> arguments;
    for (const auto& one : delivered) {
        arguments.push_back(one.key);
        arguments.push_back(one.version);
    }
    return to_number<std::int64_t>(
        run(scripts::forget_owed(), {kOwed}, arguments, deadline).text.value_or(""));
}

}  // namespace crossover::learning
