#include "learning/copy/reverse.h"

#include <fmt/format.h>

#include <algorithm>

#include "learning/copy/stores.h"
#include "learning/store/schema.h"

namespace crossover::learning {
namespace {

constexpr std::size_t kPage = 1'000;
constexpr std::size_t kGroupBytes = 4 << 20;
constexpr int kMostTries = 5;
/// PostgreSQL's own clock, which gives the versions, may be set back a little during the run.
constexpr std::int64_t kClockSetBack_us = 10'000'000;

/// Writes a key only where it still holds what the decision was made on: ARGV = old type, new type, expiry in
/// milliseconds or "", number of old words, old words, new words. 1 = written.
constexpr std::string_view kReplace = R"(
local type = redis.call('TYPE', KEYS[1]).ok
local old = tonumber(ARGV[4])
if type ~= ARGV[1] then return 0 end
if type == 'string' and redis.call('GET', KEYS[1]) ~= ARGV[5] then return 0 end
if type == 'hash' then
  if redis.call('HLEN', KEYS[1]) ~= old / 2 then return 0 end
  for i = 5, 4 + old, 2 do
    if redis.call('HGET', KEYS[1], ARGV[i]) ~= ARGV[i + 1] then return 0 end
  end
end
if ARGV[2] == 'string' then
  redis.call('SET', KEYS[1], ARGV[5 + old])
else
  redis.call('DEL', KEYS[1])
  for i = 5 + old, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
end
if ARGV[3] ~= '' then redis.call('PEXPIREAT', KEYS[1], ARGV[3]) end
return 1
)";

enum class Step { unchanged, expired, kept, blocked, write };

/// The command that brings the row to its key, as it was read.
void add_command(redis::Pipeline& pipeline, const std::string& digest, const Row& row, const Source& current,
                 const FieldNames* names) {
    const bool hash = current.type == Source::Type::hash && row.kind != Kind::policy;
    std::vector<std::string> words;
    if (current.type == Source::Type::text) words.push_back(current.text);
    for (const auto& [name, text] : current.fields) {
        words.push_back(name);
        words.push_back(text);
    }
    const auto old = std::to_string(words.size());
    if (hash) {
        // A field that says the same keeps its bytes.
        Row before;
        const bool readable = !parse(current, before, names);
        const auto former = readable ? hash_of(before, names) : HashFields();
        for (auto& [name, text] : hash_of(row, names)) {
            const bool same = std::find(former.begin(), former.end(), std::pair(name, text)) != former.end();
            const auto original = std::find_if(current.fields.begin(), current.fields.end(),
                                               [&](const auto& field) { return field.first == name; });
            words.push_back(name);
            words.push_back(same && original != current.fields.end() ? original->second : text);
        }
    } else {
        words.push_back(json_of(row, names));
    }
    const auto expiry = row.expires_at_us ? std::to_string(*row.expires_at_us / 1000) : std::string();
    const std::string_view type = current.type == Source::Type::text   ? "string"
                                  : current.type == Source::Type::hash ? "hash"
                                                                       : "none";
    std::vector<std::string_view> command = {"EVALSHA", digest, "1", row.key, type, hash ? "hash" : "string",
                                             expiry,    old};
    command.insert(command.end(), words.begin(), words.end());
    pipeline.add(command, 3);
}

class Reverse {
  public:
    Reverse(const CopyOptions& options, const std::function<void(const CopyProgress&)>& on_progress,
            const std::stop_token& stop)
        : options_(options), progress_(on_progress), stores_(options, stop, progress_) {}

    ReverseResult run() {
        do_noting(result_, progress_, [this] { work(); });
        return std::move(result_);
    }

  private:
    struct Barrier {
        std::int64_t epoch = 0, now_us = 0;
    };

    void work() {
        const auto barrier = stores_.postgres([&](postgres::Connection& session) { return begin(session); });
        script_ = stores_.redis(
            [&](redis::Keyspace& keyspace) { return keyspace.load_script(kReplace, call_deadline()); });
        progress_.begin("bringing rows to Redis");
        for (const auto kind : kKinds) {
            if (options_.includes(kind)) bring(kind);
        }
        if (options_.dry_run) return;
        std::int64_t blocked = 0;
        for (const auto& counts : result_.kinds) blocked += counts.blocked;
        if (blocked > 0) {
            result_.notes.push_back(fmt::format(
                "{} of another type in Redis than the rows can be written over: see them with --verify, "
                "delete them in Redis and run this again.",
                counted_keys(blocked)));
            return;
        }
        if (options_.skip_history) {
            result_.notes.push_back(
                "Experiences were left out, so this run does not count as complete: no engine may "
                "be turned back yet.");
            return;
        }
        end(barrier);
    }

    static std::string counted_keys(std::int64_t keys) {
        return fmt::format("{} {}", keys, keys == 1 ? "key is" : "keys are");
    }

    /// The lock waits for the writes in flight: what is committed after it has a version of after it.
    Barrier begin(postgres::Connection& session) {
        postgres::require_writable(session);
        require_schema(session, call_deadline());
        postgres::Transaction transaction(session, call_deadline());
        const auto state = session.exec(
            "SELECT primary_store, epoch, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint FROM "
            "agentdb_state "
            "FOR UPDATE",
            call_deadline());
        if (state.rows() != 1 || state.value(0, 0) != "postgres") {
            throw Error(
                System::postgres, ErrorKind::not_ready,
                fmt::format("{} is not the primary of the learning state ({} is), so Redis lacks nothing. "
                            "--reverse is for after the engines were turned to postgres.",
                            session.name(),
                            state.rows() == 1 && state.value(0, 0) == "moving"
                                ? "a handover is under way, nobody"
                                : "Redis"));
        }
        const Barrier barrier{state.integer(0, 1), state.integer(0, 2)};
        transaction.commit(call_deadline());
        return barrier;
    }

    void end(const Barrier& barrier) {
        const auto through = barrier.now_us - kClockSetBack_us;
        stores_.postgres([&](postgres::Connection& session) {
            const auto done = session.exec(
                "UPDATE agentdb_state SET reverse_through = $1, changed_at = now() WHERE primary_store = "
                "'postgres' AND "
                "epoch = $2",
                {std::to_string(through), std::to_string(barrier.epoch)}, call_deadline());
            if (done.affected() != 1) {
                throw Error(
                    System::postgres, ErrorKind::not_ready,
                    "The primary of the learning state has moved meanwhile. See /status of the engines.");
            }
            make_durable(session);
        });
        result_.reverse_through = through;
        result_.complete = true;
    }

    void bring(Kind kind) {
        std::optional<std::string> after;
        for (bool more = true; more;) {
            stores_.check_stop();
            // What was brought before a failure is not counted twice: `after` moves with each group, and a
            // group counts when all of it was brought.
            more = stores_.postgres([&](postgres::Connection& session) {
                std::vector<Row> group;
                std::size_t rows = 0, bytes = 0;
                const auto flush = [&] {
                    if (group.empty()) return;
                    bring(kind, group);
                    after = group.back().key;
                    group.clear();
                    bytes = 0;
                };
                stream_rows(session, kind, after, kPage, [&](Row&& row) {
                    ++rows;
                    bytes += row.state.size() + row.action.size() + row.next_state.size() + row.extra.size() +
                             row.body.size() + 200;
                    group.push_back(std::move(row));
                    if (bytes >= kGroupBytes) flush();
                });
                flush();
                return rows == kPage;
            });
        }
    }

    void bring(Kind kind, const std::vector<Row>& rows) {
        ReverseCounts counts;
        std::vector<const Row*> open;
        for (const auto& row : rows) open.push_back(&row);
        counts.rows = static_cast<std::int64_t>(rows.size());
        for (int tries = 0; !open.empty(); ++tries) {
            if (tries == kMostTries) {
                throw Error(
                    System::redis, ErrorKind::conflict,
                    fmt::format(
                        "{} keeps changing in Redis while it is written. Stop what writes it, and run "
                        "this again.",
                        key_text(open.front()->key)));
            }
            open = attempt(open, counts);
        }
        result_.kinds[index_of(kind)].add(counts);
        progress_.done(brought_ += static_cast<std::int64_t>(rows.size()));
    }

    /// Returns those whose key has changed just then.
    std::vector<const Row*> attempt(const std::vector<const Row*>& open, ReverseCounts& counts) {
        std::vector<std::string> keys;
        for (const auto* row : open) keys.push_back(row->key);
        const auto now =
            stores_.redis([](redis::Keyspace& keyspace) { return redis_time_ms(keyspace, call_deadline()); });
        auto sources = stores_.read(keys);
        std::sort(sources.begin(), sources.end(),
                  [](const Source& a, const Source& b) { return a.key < b.key; });
        redis::Pipeline pipeline;
        std::vector<const Row*> sent, again;
        const auto send = [&] {
            if (pipeline.empty()) return;
            const auto replies = stores_.redis([&](redis::Keyspace& keyspace) {
                auto all = keyspace.run(pipeline, call_deadline());
                for (const auto& reply : all) {
                    if (reply.is_error()) throw redis::to_error(keyspace.name(), reply);
                }
                return all;
            });
            for (std::size_t i = 0; i < sent.size(); ++i) {
                if (replies[i].integer == 1) {
                    ++counts.written;
                } else {
                    again.push_back(sent[i]);
                }
            }
            pipeline.clear();
            sent.clear();
        };
        for (const auto* row : open) {
            const auto found = std::lower_bound(
                sources.begin(), sources.end(), row->key,
                [](const Source& source, const std::string& key) { return source.key < key; });
            switch (step(*row, *found, now)) {
                case Step::unchanged:
                    ++counts.unchanged;
                    break;
                case Step::expired:
                    ++counts.expired;
                    break;
                case Step::blocked:
                    ++counts.blocked;
                    ++counts.kept;
                    break;
                case Step::kept:
                    ++counts.kept;
                    break;
                case Step::write:
                    if (options_.dry_run) {
                        ++counts.written;
                        break;
                    }
                    add_command(pipeline, script_, *row, *found, options_.names());
                    sent.push_back(row);
                    if (pipeline.encoded().size() >= kGroupBytes) send();
            }
        }
        send();
        return again;
    }

    Step step(const Row& row, const Source& current, std::optional<std::int64_t> now_ms) const {
        if (now_ms && row.expires_at_us && *row.expires_at_us <= *now_ms * 1000) return Step::expired;
        if (current.type == Source::Type::missing) return Step::write;
        if (current.type == Source::Type::other || current.type == Source::Type::too_large)
            return Step::blocked;
        Row redis;
        // What can't be read has no version: PostgreSQL is the primary.
        if (parse(current, redis, options_.names())) return Step::write;
        if (redis.version > row.version) return Step::kept;
        return difference(redis, row).empty() ? Step::unchanged : Step::write;
    }

    const CopyOptions& options_;
    ProgressReport progress_;
    Stores stores_;
    std::string script_;
    std::int64_t brought_ = 0;
    ReverseResult result_;
};

}  // namespace

void ReverseCounts::add(const ReverseCounts& more) {
    rows += more.rows;
    written += more.written;
    unchanged += more.unchanged;
    expired += more.expired;
    kept += more.kept;
    blocked += more.blocked;
}

ReverseResult run_reverse(const CopyOptions& options,
                          const std::function<void(const CopyProgress&)>& on_progress,
                          const std::stop_token& stop) {
    return Reverse(options, on_progress, stop).run();
}

}  // namespace crossover::learning
