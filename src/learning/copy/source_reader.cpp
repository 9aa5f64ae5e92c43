#include "learning/copy/source_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "learning/store/session.h"

namespace crossover::learning {
namespace {

constexpr std::size_t kSlice = 500;
constexpr std::size_t kSmall = 64 << 10;         ///< values up to this come many at a time
constexpr std::int64_t kHashesAtOnce = 8 << 20;  ///< bytes, as MEMORY USAGE counts

std::string line_of(std::string_view info, std::string_view name) {
    const auto at = info.find(fmt::format("\n{}:", name));
    if (at == std::string_view::npos) return {};
    const auto begin = at + name.size() + 2;
    return std::string(info.substr(begin, std::min(info.find_first_of("\r\n", begin), info.size()) - begin));
}

/// The answer to one command without a key; nothing where it is refused.
std::optional<redis::Reply> ask(redis::Keyspace& keyspace, std::initializer_list<std::string_view> words,
                                Deadline deadline) {
    if (keyspace.is_cluster()) return std::nullopt;
    redis::Pipeline pipeline;
    pipeline.add(words);
    auto reply = keyspace.run(pipeline, deadline).front();
    if (!reply.is_error()) return reply;
    const auto error = redis::to_error(keyspace.name(), reply);
    if (error.retryable()) throw error;
    return std::nullopt;
}

}  // namespace

std::vector<redis::Reply> SourceReader::run() {
    return keyspace_.run(pipeline_, call_deadline());
}

void SourceReader::read(std::span<const std::string> keys, const std::function<void(Source&&)>& sink) {
    for (std::size_t from = 0; from < keys.size(); from += kSlice) {
        read_slice(keys.subspan(from, std::min(kSlice, keys.size() - from)), sink);
    }
}

void SourceReader::read_slice(std::span<const std::string> keys, const std::function<void(Source&&)>& sink) {
    static const std::string kLast = std::to_string(kSmall - 1);
    pipeline_.clear();
    for (const auto& key : keys) pipeline_.add({"GETRANGE", key, "0", kLast});
    auto replies = run();
    std::vector<Source> small;
    std::vector<std::size_t> hashes, large;
    std::vector<Source> others;
    small.reserve(keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i) {
        auto& reply = replies[i];
        Source source;
        source.key = keys[i];
        source.kind = find_kind(source.key).value_or(KindAt{}).kind;
        if (reply.error_code() == "WRONGTYPE") {
            hashes.push_back(others.size());
            others.push_back(std::move(source));
            continue;
        }
        if (reply.is_error()) throw redis::to_error(keyspace_.name(), reply);
        source.type = Source::Type::text;
        source.text = std::move(reply.text).value_or("");
        if (source.text.size() == kSmall) {
            source.text = {};
            large.push_back(others.size());
            others.push_back(std::move(source));
        } else {
            small.push_back(std::move(source));
        }
    }
    replies.clear();
    read_expiries(small);
    for (auto& source : small) {
        if (source.text.empty() && source.type == Source::Type::text) {
            // "" is what GETRANGE says of a key that is not there, too.
            if (!exist(std::span(&source.key, 1)).front()) source.type = Source::Type::missing;
        }
        sink(std::move(source));
    }
    small.clear();
    for (const auto i : large) {
        read_large(others[i]);
        sink(std::move(others[i]));
    }
    read_hashes(others, hashes, sink);
}

void SourceReader::read_large(Source& source) {
    pipeline_.clear();
    pipeline_.add({"STRLEN", source.key});
    auto reply = run().front();
    if (reply.is_error()) throw redis::to_error(keyspace_.name(), reply);
    if (reply.integer > kLargestValue) {
        source.type = Source::Type::too_large;
        source.size = reply.integer;
        return;
    }
    pipeline_.clear();
    pipeline_.add({"GET", source.key});
    reply = run().front();
    if (reply.is_error()) throw redis::to_error(keyspace_.name(), reply);
    source.type = reply.is_nil() ? Source::Type::missing : Source::Type::text;
    source.text = std::move(reply.text).value_or("");
    std::vector<Source> one;
    one.push_back(std::move(source));
    read_expiries(one);
    source = std::move(one.front());
}

void SourceReader::read_hashes(std::vector<Source>& sources, const std::vector<std::size_t>& which,
                               const std::function<void(Source&&)>& sink) {
    if (which.empty()) return;
    pipeline_.clear();
    for (const auto i : which) pipeline_.add({"MEMORY", "USAGE", sources[i].key}, 2);
    const auto sizes = run();
    for (std::size_t from = 0; from < which.size();) {
        std::int64_t bytes = 0;
        std::size_t to = from;
        pipeline_.clear();
        while (to < which.size()) {
            // One at a time where nobody says how large they are.
            bytes += sizes[to].is_error() ? kHashesAtOnce : sizes[to].integer;
            if (to > from && bytes > kHashesAtOnce) break;
            pipeline_.add({"HGETALL", sources[which[to]].key});
            pipeline_.add({"TYPE", sources[which[to]].key});
            ++to;
        }
        auto replies = run();
        std::vector<Source> group;
        for (std::size_t k = from; k < to; ++k) {
            auto& source = sources[which[k]];
            auto& value = replies[2 * (k - from)];
            const auto& type = replies[2 * (k - from) + 1];
            if (value.error_code() == "WRONGTYPE") {
                source.type = Source::Type::other;
                source.type_name = type.is_error() ? "value of another type" : type.text.value_or("");
                if (source.type_name == "string")
                    source.type = Source::Type::missing;  // it is changing: look again
            } else if (value.is_error()) {
                throw redis::to_error(keyspace_.name(), value);
            } else if (value.elements.empty()) {
                source.type = Source::Type::missing;
            } else {
                source.type = Source::Type::hash;
                for (std::size_t at = 0; at + 1 < value.elements.size(); at += 2) {
                    source.fields.emplace_back(std::move(value.elements[at].text).value_or(""),
                                               std::move(value.elements[at + 1].text).value_or(""));
                }
            }
            group.push_back(std::move(source));
        }
        read_expiries(group);
        for (auto& source : group) sink(std::move(source));
        from = to;
    }
}

/// To be asked after the values were read: what has no expiry then had none, or is gone.
bool SourceReader::nothing_expires() {
    if (!info_allowed_) return false;
    const auto info = ask(keyspace_, {"INFO", "keyspace"}, call_deadline());
    info_allowed_ = info.has_value();
    if (!info || !info->text) return false;
    // "db0:keys=5,expires=0,avg_ttl=0"; of every database, since which one is ours is of no interest.
    for (std::size_t at = 0; (at = info->text->find("expires=", at)) != std::string::npos;) {
        at += 8;
        if (info->text->compare(at, 2, "0,") != 0) return false;
    }
    return true;
}

void SourceReader::read_expiries(std::vector<Source>& sources) {
    if (sources.empty() || nothing_expires()) return;
    pipeline_.clear();
    for (const auto& source : sources) pipeline_.add({"PEXPIRETIME", source.key});
    const auto replies = run();
    for (std::size_t i = 0; i < sources.size(); ++i) {
        if (replies[i].is_error()) {
            if (replies[i].text && replies[i].text->find("unknown command") != std::string::npos) {
                throw Error(System::redis, ErrorKind::not_ready,
                            fmt::format("{} is older than Redis 7, which first tells when a key expires.",
                                        keyspace_.name()));
            }
            throw redis::to_error(keyspace_.name(), replies[i]);
        }
        if (replies[i].integer == -2) sources[i].type = Source::Type::missing;
        if (replies[i].integer >= 0) sources[i].expires_at_ms = replies[i].integer;
    }
}

std::vector<bool> SourceReader::exist(std::span<const std::string> keys) {
    constexpr std::size_t kTogether = 100;
    std::vector<bool> found(keys.size(), true);
    std::vector<std::size_t> open;
    if (keyspace_.is_cluster() || keys.size() == 1) {
        for (std::size_t i = 0; i < keys.size(); ++i) open.push_back(i);
    } else {
        pipeline_.clear();
        std::vector<std::string_view> words;
        for (std::size_t from = 0; from < keys.size(); from += kTogether) {
            words.assign(1, "EXISTS");
            for (auto i = from; i < std::min(from + kTogether, keys.size()); ++i) words.emplace_back(keys[i]);
            pipeline_.add(words);
        }
        const auto replies = run();
        for (std::size_t g = 0; g < replies.size(); ++g) {
            if (replies[g].is_error()) throw redis::to_error(keyspace_.name(), replies[g]);
            const auto to = std::min((g + 1) * kTogether, keys.size());
            if (replies[g].integer == static_cast<std::int64_t>(to - g * kTogether)) continue;
            for (auto i = g * kTogether; i < to; ++i) open.push_back(i);
        }
    }
    if (open.empty()) return found;
    pipeline_.clear();
    for (const auto i : open) pipeline_.add({"EXISTS", keys[i]});
    const auto replies = run();
    for (std::size_t k = 0; k < open.size(); ++k) {
        if (replies[k].is_error()) throw redis::to_error(keyspace_.name(), replies[k]);
        found[open[k]] = replies[k].integer == 1;
    }
    return found;
}

WriteMark WriteMark::read(redis::Keyspace& keyspace, Deadline deadline) {
    WriteMark mark;
    const auto server = ask(keyspace, {"INFO", "server"}, deadline);
    const auto persistence = ask(keyspace, {"INFO", "persistence"}, deadline);
    if (!server || !server->text || !persistence || !persistence->text) return mark;
    const auto& info = *persistence->text;
    mark.run_id_ = line_of(*server->text, "run_id");
    mark.changes_ = line_of(info, "rdb_changes_since_last_save");
    mark.saves_ = line_of(info, "rdb_saves");
    mark.last_save_ = line_of(info, "rdb_last_save_time");
    mark.saving_ = line_of(info, "rdb_bgsave_in_progress") != "0";
    mark.log_size_ = line_of(info, "aof_current_size");
    mark.log_base_ = line_of(info, "aof_base_size");
    mark.log_rewrites_ = line_of(info, "aof_rewrites");
    mark.log_pending_ = line_of(info, "aof_buffer_length");
    mark.logs_ = line_of(info, "aof_enabled") == "1" && line_of(info, "aof_rewrite_in_progress") == "0" &&
                 line_of(info, "aof_last_write_status") == "ok" && !mark.log_size_.empty() &&
                 !mark.log_base_.empty() && !mark.log_rewrites_.empty();
    return mark;
}

bool WriteMark::nothing_since(const WriteMark& earlier) const {
    if (run_id_.empty() || run_id_ != earlier.run_id_) return false;
    // The count of changes starts anew with each snapshot that ends, the log's size with each rewriting.
    const bool no_change = !changes_.empty() && !saves_.empty() && !earlier.saving_ &&
                           changes_ == earlier.changes_ && saves_ == earlier.saves_ &&
                           last_save_ == earlier.last_save_;
    const bool no_log = logs_ && earlier.logs_ && log_size_ == earlier.log_size_ &&
                        log_base_ == earlier.log_base_ && log_rewrites_ == earlier.log_rewrites_ &&
                        log_pending_ == earlier.log_pending_;
    return no_change || no_log;
}

std::optional<std::int64_t> redis_time_ms(redis::Keyspace& keyspace, Deadline deadline) {
    const auto time = ask(keyspace, {"TIME"}, deadline);
    if (!time || time->elements.size() != 2) return std::nullopt;
    const auto number = [](const redis::Reply& reply) {
        std::int64_t value = 0;
        const auto text = reply.text.value_or("");
        std::from_chars(text.data(), text.data() + text.size(), value);
        return value;
    };
    return number(time->elements[0]) * 1000 + number(time->elements[1]) / 1000;
}

std::optional<std::int64_t> key_count(redis::Keyspace& keyspace, Deadline deadline) {
    const auto size = ask(keyspace, {"DBSIZE"}, deadline);
    return size ? std::optional(size->integer) : std::nullopt;
}

}  // namespace crossover::learning
