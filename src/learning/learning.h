#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "learning/store/mode.h"
#include "learning/store/store.h"
#include "redis/connection.h"

namespace crossover::learning {

/// Who counts what happens here; all are called from several threads and must not throw.
struct Observer {
    /// `store` is "redis" or "postgres" ("" where none was reached); `result` "recorded", "again", "failure".
    std::function<void(std::string_view store, std::string_view result)> feedback;
    std::function<void(System, ErrorKind)> error;
    std::function<void(std::int64_t owed)> owed;
    std::function<void(Mode in_effect)> mode;
};

struct Config {
    std::optional<redis::Address> redis;
    std::string postgres_url;  ///< empty = there is none
    Mode mode = Mode::redis;
    bool asked_for = true;  ///< by the operator; else a service can be ready without its store
    Names names = {};
};

/// What operators are shown.
struct LearningStatus {
    Mode in_effect = Mode::redis;
    Mode wanted = Mode::redis;
    std::optional<Primary> primary;    ///< empty while no store has told
    std::optional<std::int64_t> owed;  ///< empty while Redis does not answer, or there is none
    std::string refused;               ///< why the wanted mode is not in effect, for a person
};

/// The engine's reinforcement-learning state while it moves from Redis to PostgreSQL and back. Wherever the
/// primary is, feedback goes there; a thread of its own watches both stores, brings what is owed, and moves
/// the primary where the operator wants it. Thread-safe; calls throw crossover::Error.
class Learning {
  public:
    /// Needs no server to be up. Throws `usage` where the mode needs a server that is not configured.
    Learning(Config config, Observer observer);
    ~Learning();

    /// Within two seconds, or it throws `unavailable`, `unreachable` or `timeout`; after the latter two the
    /// outcome is unknown, and the same experience may be sent again. While the primary is moving it waits.
    Recorded record(const Experience& experience);

    /// Within a tenth of a second; empty where the store does not answer.
    std::optional<Knowledge> knowledge(const std::string& agent);

    /// From now on the thread tries to bring the primary there, for as long as it takes. Returns at once.
    /// Throws `usage` likewise; then nothing has changed.
    void turn(Mode mode);

    Mode wanted() const;
    LearningStatus status() const;
    /// Why the store that is needed now does not answer; empty where it does.
    std::string unready();
    /// Why recommendations are made without what was learnt; empty where they are not.
    std::string unread() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace crossover::learning
