#include "learning/store/postgres_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/encodings.h"
#include "base/error.h"
#include "base/unique_name.h"
#include "learning/store/lease.h"
#include "learning/store/schema.h"
#include "learning/store/session.h"

namespace crossover::learning {

namespace {

using namespace std::chrono_literals;
using postgres::Parameter;

constexpr std::size_t kMostConnections = 16;
constexpr auto kReadTimeout = 100ms;
/// Connecting takes several round trips, for which a read has no time.
constexpr auto kConnectTimeout = 2s;

/// $1 redis_key, $2 agent, $3 state, $4 action, $5 reward, $6 next state, $7 done, $8 occurred (us), $9
/// extra, $10 the Q value's key, $11 least step. Answers whether PostgreSQL is the primary, whether the
/// experience is new, value and visits. The state's row stays locked until the commit: a handover waits for
/// it. A version is greater than all that a `--reverse` has carried, whatever the clock says.
constexpr const char* kRecord = R"sql(
WITH state AS (
  SELECT reverse_through FROM agentdb_state WHERE primary_store = 'postgres' FOR SHARE
), clock AS (
  SELECT greatest((extract(epoch FROM clock_timestamp()) * 1000000)::bigint, coalesce(reverse_through, 0) + 1) AS version FROM state
), experience AS (
  INSERT INTO rl_experiences (redis_key, agent_id, state, action, reward, next_state, done, occurred_at, extra, version)
  SELECT $1::bytea, $2::text, to_jsonb($3::text), to_jsonb($4::text), $5::float8, to_jsonb($6::text), $7::boolean,
         timestamptz 'epoch' + $8::bigint * interval '1 microsecond', $9::jsonb, version FROM clock
  ON CONFLICT (redis_key) DO NOTHING RETURNING version
), learnt AS (
  INSERT INTO q_values AS q (agent_id, state_hash, action, value, visits, redis_key, version)
  SELECT $2, $3, $4, $5, 1, $10::bytea, version FROM experience
  ON CONFLICT (agent_id, state_hash, action) DO UPDATE SET
    value = q.value + greatest(1::float8 / (q.visits + 1), $11::float8) * ($5 - q.value), visits = q.visits + 1,
    version = greatest(excluded.version, q.version + 1), content_hash = NULL,
    extra = nullif(q.extra - '{value,visits,version}'::text[], '{}')
  RETURNING value, visits
)
SELECT EXISTS (SELECT FROM state), EXISTS (SELECT FROM learnt),
  coalesce((SELECT value FROM learnt), (SELECT value FROM q_values WHERE agent_id = $2 AND state_hash = $3 AND action = $4), 0),
  coalesce((SELECT visits FROM learnt), (SELECT visits FROM q_values WHERE agent_id = $2 AND state_hash = $3 AND action = $4), 0)
)sql";

/// $1 agent, $2 the policy's key. One row for each Q value, and one for the policy.
constexpr const char* kKnowledge = R"sql(
SELECT state_hash, action, value, visits, NULL::text FROM q_values WHERE agent_id = $1
  AND state_hash IN ('viewings=1-4', 'viewings=5-19', 'viewings=20-') AND action IN ('vector', 'graph', 'hybrid')
  AND (expires_at IS NULL OR expires_at > now())
UNION ALL
SELECT NULL, NULL, NULL, NULL, encode(policy, 'hex') FROM policies WHERE redis_key = $2
  AND (expires_at IS NULL OR expires_at > now())
)sql";

/// $1: a JSON array of {k: key in hex, v: what Redis holds, x: time of expiry in ms}.
constexpr const char* kBringExperiences = R"sql(
INSERT INTO rl_experiences AS old
  (redis_key, agent_id, state, action, reward, next_state, done, occurred_at, extra, version, expires_at)
SELECT decode(k, 'hex'), v->>'agent_id', v->'state', v->'action', (v->>'reward')::float8, v->'next_state',
  (v->>'done')::boolean, timestamptz 'epoch' + round((v->>'timestamp')::numeric * 1000000)::bigint * interval '1 microsecond',
  nullif(v - '{agent_id,state,action,reward,next_state,done,timestamp,version}'::text[], '{}'),
  (v->>'version')::bigint, timestamptz 'epoch' + x * interval '1 millisecond'
FROM jsonb_to_recordset($1::jsonb) AS changed(k text, v jsonb, x bigint) ORDER BY k
ON CONFLICT (redis_key) DO UPDATE SET agent_id = excluded.agent_id, state = excluded.state, action = excluded.action,
  reward = excluded.reward, next_state = excluded.next_state, done = excluded.done, occurred_at = excluded.occurred_at,
  extra = excluded.extra, version = excluded.version, content_hash = NULL, expires_at = excluded.expires_at
WHERE old.version < excluded.version
)sql";

constexpr const char* kBringQValues = R"sql(
INSERT INTO q_values AS old (agent_id, state_hash, action, value, visits, extra, redis_key, version, expires_at)
SELECT v->>'agent_id', v->>'state_hash', v->>'action', (v->>'value')::float8, coalesce((v->>'visits')::bigint, 0),
  nullif(v - '{agent_id,state_hash,action,value,visits,version}'::text[], '{}'), decode(k, 'hex'), (v->>'version')::bigint,
  timestamptz 'epoch' + x * interval '1 millisecond'
FROM jsonb_to_recordset($1::jsonb) AS changed(k text, v jsonb, x bigint) ORDER BY k
ON CONFLICT (agent_id, state_hash, action) DO UPDATE SET value = excluded.value, visits = excluded.visits,
  extra = excluded.extra, version = excluded.version, content_hash = NULL, expires_at = excluded.expires_at
WHERE old.version < excluded.version
)sql";

/// Of all rows that are newer than a version.
constexpr const char* kRowsSince = R"sql(
DECLARE changed NO SCROLL CURSOR FOR SELECT encode(redis_key, 'hex'), version, json::text, coalesce(floor(extract(epoch FROM expires_at) * 1000)::bigint::text, '') FROM (
  SELECT redis_key, version, expires_at, coalesce(extra, '{{}}') || CASE WHEN next_state IS NULL THEN '{{}}' ELSE jsonb_build_object('next_state', next_state) END
    || jsonb_build_object('agent_id', agent_id, 'state', state,
    'action', action, 'reward', reward, 'done', done, 'timestamp', extract(epoch FROM occurred_at),
    'version', version) AS json FROM rl_experiences WHERE version > {0}
  UNION ALL
  SELECT redis_key, version, expires_at, coalesce(extra, '{{}}') || jsonb_build_object('agent_id', agent_id,
    'state_hash', state_hash, 'action', action, 'value', value, 'visits', visits, 'version', version)
    FROM q_values WHERE version > {0}
) changed
)sql";

double to_double(std::string_view text) {
    double number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

Primary to_primary(std::string_view text) {
    return text == "postgres" ? Primary::postgres : text == "moving" ? Primary::moving : Primary::redis;
}

PostgresStore::State read_state(postgres::Connection& connection, Deadline deadline) {
    const auto found =
        connection.exec("SELECT primary_store, epoch, reverse_through FROM agentdb_state", deadline);
    if (found.rows() != 1) {
        throw Error(
            System::postgres, ErrorKind::not_ready,
            fmt::format("agentdb_state in {} has {} rows instead of one: nobody can tell which store is "
                        "the primary.",
                        connection.name(), found.rows()));
    }
    PostgresStore::State state{to_primary(found.value(0, 0)), found.integer(0, 1), {}};
    if (!found.is_null(0, 2)) state.reverse_through = found.integer(0, 2);
    return state;
}

std::string to_array(const std::vector<const PostgresStore::Change*>& changes) {
    std::string array = "[";
    for (const auto* change : changes) {
        array += fmt::format(R"({}{{"k":"{}","v":{},"x":{}}})", array.size() > 1 ? "," : "", hex(change->key),
                             change->stored.json,
                             change->stored.expires_ms ? std::to_string(*change->stored.expires_ms) : "null");
    }
    return array + "]";
}

void check_json(const PostgresStore::Change& change) {
    if (nlohmann::json::accept(change.stored.json)) return;
    throw Error(System::redis, ErrorKind::rejected,
                fmt::format("{} holds no JSON, so PostgreSQL can't be given it.", change.key));
}

}  // namespace

PostgresStore::PostgresStore(std::string url, Names names)
    : url_(std::move(url)),
      names_(std::move(names)),
      writes_(System::postgres, kMostConnections,
              [this](Deadline deadline) {
                  auto connection = connect(deadline);
                  connection->prepare("record", kRecord, deadline);
                  return connection;
              }),
      reads_(
          System::postgres, kMostConnections,
          [this](Deadline deadline) {
              auto connection = connect(deadline);
              connection->prepare("knowledge", kKnowledge, deadline);
              return connection;
          },
          kConnectTimeout),
      control_(System::postgres, kMostConnections, [this](Deadline deadline) {
          auto connection = connect(deadline);
          postgres::require_writable(*connection);
          // A copy makes the indexes in its own time: they are not waited for.
          if (schema_version(*connection, deadline) != kSchemaVersion) {
              migrate_schema(*connection, deadline);
          }
          return connection;
      }) {}

std::unique_ptr<postgres::Connection> PostgresStore::connect(Deadline deadline) {
    return open_session(url_, "recommendation-engine", deadline);
}

RecordOutcome PostgresStore::record(const Experience& experience, Deadline deadline) {
    const auto reward = fmt::format("{}", experience.reward);
    const auto occurred = std::to_string(experience.occurred_us);
    const auto extra = extra_json(experience);
    const auto key = names_.key_prefix +
                     qvalue_key(experience.agent, experience.decision.state, experience.decision.action);
    const auto step = fmt::format("{}", kLeastStep);
    return writes_.with(deadline, [&](postgres::Connection& connection) -> RecordOutcome {
        const auto done = connection.exec_prepared(
            "record",
            {Parameter::binary(experience.key), experience.agent, experience.decision.state,
             to_string(experience.decision.action), reward, experience.next_state,
             experience.done ? "true" : "false", occurred, extra, Parameter::binary(key), step},
            deadline);
        if (done.value(0, 0) != "t") return Refused{"not postgres"};
        return Recorded{
            {to_double(done.value(0, 2)), done.integer(0, 3)}, done.value(0, 1) != "t", "postgres"};
    });
}

Knowledge PostgresStore::knowledge(const std::string& agent) {
    const auto deadline = Deadline::after(kReadTimeout);
    const auto key = names_.key_prefix + policy_key(agent);
    return reads_.with(deadline, [&](postgres::Connection& connection) {
        const auto rows = connection.exec_prepared("knowledge", {agent, Parameter::binary(key)}, deadline);
        Knowledge known;
        for (std::size_t row = 0; row < rows.rows(); ++row) {
            if (!rows.is_null(row, 4)) {
                known.policy = from_hex(rows.value(row, 4));
                continue;
            }
            const auto state = std::find(kStates.begin(), kStates.end(), rows.value(row, 0));
            const auto action = parse_action(rows.value(row, 1));
            if (state == kStates.end() || !action) continue;
            known.arms[static_cast<std::size_t>(state - kStates.begin())][static_cast<std::size_t>(*action)] =
                {to_double(rows.value(row, 2)), rows.integer(row, 3)};
        }
        return known;
    });
}

PostgresStore::State PostgresStore::state(Deadline deadline) {
    return control_.with(deadline,
                         [&](postgres::Connection& connection) { return read_state(connection, deadline); });
}

void PostgresStore::bring(const std::vector<Change>& changes, Deadline deadline) {
    std::vector<const Change*> experiences, values;
    for (const auto& change : changes) {
        check_json(change);
        const auto found = find_kind(change.key);
        (found && found->kind == Kind::q_value ? values : experiences).push_back(&change);
    }
    const auto experiences_text = to_array(experiences);
    const auto values_text = to_array(values);
    control_.with(deadline, [&](postgres::Connection& connection) {
        postgres::Transaction transaction(connection, deadline);
        if (!experiences.empty()) connection.exec(kBringExperiences, {experiences_text}, deadline);
        if (!values.empty()) connection.exec(kBringQValues, {values_text}, deadline);
        transaction.commit(deadline);
        return true;
    });
}

std::unique_ptr<PostgresStore::Mover> PostgresStore::try_move(Deadline deadline) {
    auto connection = connect(deadline);
    auto name = unique_name();
    if (!take_lease(*connection, LeaseName::handover, name, deadline)) return nullptr;
    return std::unique_ptr<Mover>(new Mover(*this, std::move(connection), std::move(name)));
}

PostgresStore::Mover::~Mover() {
    try {
        if (connection_->usable()) {
            release_lease(*connection_, LeaseName::handover, name_, Deadline::after(kConnectTimeout));
        }
    } catch (const Error&) {
        // It ends by itself.
    }
}

void PostgresStore::Mover::renew(Deadline deadline) {
    if (renew_lease(*connection_, LeaseName::handover, name_, deadline)) return;
    throw Error(System::postgres, ErrorKind::conflict, "Another replica has taken the handover over.");
}

bool PostgresStore::Mover::step(const std::string& change, std::string_view from, std::int64_t epoch,
                                Deadline deadline) {
    const auto done = connection_->exec(
        fmt::format("WITH held AS ({}) UPDATE agentdb_state SET {}, changed_at = now() WHERE primary_store = "
                    "'{}' AND epoch = {} AND EXISTS (SELECT FROM held)",
                    lease_condition(LeaseName::handover, name_), change, from, epoch),
        deadline);
    return done.affected() == 1;
}

bool PostgresStore::Mover::become_primary(std::int64_t epoch, Deadline deadline) {
    return step("primary_store = 'postgres', epoch = epoch + 1, reverse_through = NULL", "redis", epoch,
                deadline);
}

bool PostgresStore::Mover::begin_return(std::int64_t epoch, Deadline deadline) {
    const auto state = this->state(deadline);
    return state.reverse_through && step("primary_store = 'moving'", "postgres", epoch, deadline);
}

bool PostgresStore::Mover::abandon_return(std::int64_t epoch, bool lost, Deadline deadline) {
    return step(lost ? "primary_store = 'postgres', reverse_through = NULL" : "primary_store = 'postgres'",
                "moving", epoch, deadline);
}

bool PostgresStore::Mover::finish_return(std::int64_t epoch, Deadline deadline) {
    return step("primary_store = 'redis', epoch = epoch + 1, reverse_through = NULL", "moving", epoch,
                deadline);
}

PostgresStore::State PostgresStore::Mover::state(Deadline deadline) {
    return read_state(*connection_, deadline);
}

std::int64_t PostgresStore::Mover::count_since(std::int64_t version, std::int64_t most, Deadline deadline) {
    const auto counted = connection_->exec(
        fmt::format(
            "SELECT count(*) FROM (SELECT FROM rl_experiences WHERE version > {0} LIMIT {1}) AS newer",
            version, most),
        deadline);
    return counted.integer(0, 0);
}

void PostgresStore::Mover::each_since(
    std::int64_t version, std::size_t most,
    const std::function<void(const std::vector<RedisStore::Carried>&)>& page, Deadline deadline) {
    // On a session of its own, so that the lease can be renewed beside it.
    const auto connection = store_.connect(deadline);
    postgres::Transaction transaction(*connection, deadline);
    connection->exec(fmt::format(kRowsSince, version), deadline);
    for (;;) {
        const auto found = connection->exec(fmt::format("FETCH {} FROM changed", most), deadline);
        if (found.rows() == 0) break;
        std::vector<RedisStore::Carried> rows;
        for (std::size_t row = 0; row < found.rows(); ++row) {
            rows.push_back({from_hex(found.value(row, 0)), std::string(found.value(row, 1)),
                            std::string(found.value(row, 2)), std::string(found.value(row, 3))});
        }
        page(rows);
    }
    transaction.commit(deadline);
}

}  // namespace crossover::learning
