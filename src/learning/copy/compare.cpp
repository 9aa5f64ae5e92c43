#include "learning/copy/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "learning/copy/stores.h"
#include "learning/copy/value_scan.h"
#include "learning/store/schema.h"

namespace crossover::learning {
namespace {

constexpr std::size_t kMostDifferences = 100, kMostExamples = 5;
constexpr std::size_t kMostSuspects = 100'000;
constexpr std::size_t kPage = 5'000;
constexpr int kMostLooks = 5;

enum class Verdict { equal, quarantined, missing, different, orphaned, absent };

struct Judgement {
    Verdict verdict = Verdict::absent;
    std::string what;
    std::int64_t fingerprint = 0;  ///< of what Redis says
};

std::int64_t fingerprint_of(const Source& source) {
    return content_hash(source) * 31 + source.expires_at_ms.value_or(0) * 7 + static_cast<int>(source.type);
}

std::string no_row_for(std::string_view reason) {
    return fmt::format("PostgreSQL has a row, but the value cannot be one: {}", reason);
}

Judgement judge(const Source& source, const Row* row, const FieldNames* names) {
    Judgement judgement;
    judgement.fingerprint = fingerprint_of(source);
    if (source.type == Source::Type::missing) {
        judgement.verdict = row == nullptr ? Verdict::absent : Verdict::orphaned;
        judgement.what = "in PostgreSQL only";
        return judgement;
    }
    Row ours;
    if (auto fault = parse(source, ours, names)) {
        judgement.verdict = row == nullptr ? Verdict::quarantined : Verdict::different;
        judgement.what = row == nullptr ? *fault : no_row_for(*fault);
    } else if (row == nullptr) {
        judgement.verdict = Verdict::missing;
        judgement.what = "in Redis only";
    } else if (const auto name = difference(ours, *row); !name.empty()) {
        judgement.verdict = Verdict::different;
        judgement.what = name == "version" ? fmt::format("the version is {} in Redis and {} in PostgreSQL",
                                                         ours.version, row->version)
                                           : fmt::format("{} differs", name);
    } else {
        judgement.verdict = Verdict::equal;
    }
    return judgement;
}

class Comparison {
  public:
    Comparison(const CopyOptions& options, const std::function<void(const CopyProgress&)>& on_progress,
               const std::stop_token& stop)
        : options_(options), progress_(on_progress), stores_(options, stop, progress_) {}

    CompareResult run() {
        do_noting(result_, progress_, [this] {
            stores_.postgres([](postgres::Connection& session) { require_schema(session, call_deadline()); });
            from_redis();
            from_postgres();
            look_again();
        });
        return std::move(result_);
    }

  private:
    CompareCounts& of(Kind kind) { return result_.kinds[index_of(kind)]; }

    void from_redis() {
        const auto keys =
            stores_.redis([](redis::Keyspace& keyspace) { return key_count(keyspace, call_deadline()); });
        progress_.begin("comparing", keys.value_or(0));
        std::int64_t compared = 0;
        scan_values(
            stores_, options_,
            [&](std::vector<Source>&& batch) {
                for (const auto& [source, judgement] : judge_all(batch)) {
                    if (judgement.verdict == Verdict::equal || judgement.verdict == Verdict::quarantined) {
                        count(source->kind, judgement, key_text(source->key));
                    } else if (judgement.verdict != Verdict::absent) {
                        suspect(source->key, judgement);
                    }
                }
                progress_.done(compared += static_cast<std::int64_t>(batch.size()));
            },
            result_.lookalikes);
    }

    std::vector<std::pair<const Source*, Judgement>> judge_all(const std::vector<Source>& sources) {
        std::vector<std::pair<const Source*, Judgement>> judgements;
        const auto now_us = stores_.now_ms() * 1000;
        for (const auto kind : kKinds) {
            std::vector<std::string_view> keys;
            for (const auto& source : sources) {
                if (source.kind == kind) keys.emplace_back(source.key);
            }
            if (keys.empty()) continue;
            auto rows = stores_.postgres(
                [&](postgres::Connection& session) { return read_rows(session, kind, keys); });
            std::map<std::string_view, const Row*> by_key;
            for (const auto& row : rows) {
                if (!row.expires_at_us || *row.expires_at_us > now_us) by_key[row.key] = &row;
            }
            for (const auto& source : sources) {
                if (source.kind != kind) continue;
                const auto found = by_key.find(source.key);
                judgements.emplace_back(
                    &source,
                    judge(source, found == by_key.end() ? nullptr : found->second, options_.names()));
            }
        }
        forgive_doubled(judgements, now_us);
        forgive_refused(judgements);
        return judgements;
    }

    /// A Q value whose agent, state and action another key's row has is quarantined by the copy, and not
    /// missing. Where that other row is no longer right, it is named itself.
    void forgive_doubled(std::vector<std::pair<const Source*, Judgement>>& judgements, std::int64_t now_us) {
        std::vector<Row> rows;
        std::vector<Judgement*> of_rows;
        for (auto& [source, judgement] : judgements) {
            if (source->kind != Kind::q_value || judgement.verdict != Verdict::missing) continue;
            of_rows.push_back(&judgement);
            parse(*source, rows.emplace_back(), options_.names());
        }
        if (rows.empty()) return;
        const auto doubled = stores_.postgres(
            [&](postgres::Connection& session) { return held_by_other_keys(session, rows, now_us); });
        for (const auto row : doubled) {
            of_rows[row]->verdict = Verdict::quarantined;
            of_rows[row]->what = kDoubled;
        }
    }

    /// What PostgreSQL itself does not take, the copy quarantines, too. Where a row of it is there, the
    /// difference says why it will go.
    void forgive_refused(std::vector<std::pair<const Source*, Judgement>>& judgements) {
        for (const auto kind : kKinds) {
            EncodedRows rows;
            rows.clear(kind);
            std::vector<Judgement*> of_rows;
            for (auto& [source, judgement] : judgements) {
                const bool odd =
                    judgement.verdict == Verdict::missing || judgement.verdict == Verdict::different;
                Row row;
                if (source->kind != kind || !odd || parse(*source, row, options_.names())) continue;
                rows.add(row);
                of_rows.push_back(&judgement);
            }
            for (const auto& refusal : try_rows(rows)) {
                auto& judgement = *of_rows[refusal.row];
                if (judgement.verdict == Verdict::missing) {
                    judgement.verdict = Verdict::quarantined;
                    judgement.what = refusal.reason;
                } else {
                    judgement.what = no_row_for(refusal.reason);
                }
            }
        }
    }

    /// Nothing where that may not be tried: of a standby, and without the right to temporary tables.
    std::vector<Refusal> try_rows(const EncodedRows& rows) {
        if (rows.size() == 0 || !may_try_) return {};
        try {
            return stores_.postgres([&](postgres::Connection& session) {
                return session.read_only() ? std::vector<Refusal>() : refusals_of(session, rows);
            });
        } catch (const Error& error) {
            if (error.kind() != ErrorKind::authentication) throw;
            may_try_ = false;
            return {};
        }
    }

    void from_postgres() {
        progress_.begin("comparing the other way");
        std::int64_t compared = 0;
        for (const auto kind : kKinds) {
            if (!options_.includes(kind)) continue;
            std::optional<std::string> after;
            for (;;) {
                stores_.check_stop();
                const auto rows = stores_.postgres(
                    [&](postgres::Connection& session) { return page_of_keys(session, kind, after, kPage); });
                if (rows.empty()) break;
                after = rows.back().key;
                const auto now_us = stores_.now_ms() * 1000;
                std::vector<std::string> keys;
                for (const auto& row : rows) {
                    if (!row.digest.expires_at_us || *row.digest.expires_at_us > now_us)
                        keys.push_back(row.key);
                }
                of(kind).rows += static_cast<std::int64_t>(keys.size());
                const auto there = stores_.exist(keys);
                for (std::size_t i = 0; i < keys.size(); ++i) {
                    if (!there[i]) suspect(keys[i], {Verdict::orphaned, "in PostgreSQL only", 0});
                }
                progress_.done(compared += static_cast<std::int64_t>(rows.size()));
            }
        }
    }

    void suspect(const std::string& key, Judgement judgement) {
        if (suspects_.size() < kMostSuspects || suspects_.contains(key)) {
            suspects_.insert_or_assign(key, std::move(judgement));
        } else {
            count(find_kind(key).value_or(KindAt{}).kind, judgement, key_text(key));
        }
    }

    /// What differs may be on its way: it counts when Redis says the same as at the look before.
    void look_again() {
        for (int look = 1; !suspects_.empty() && look < kMostLooks; ++look) {
            progress_.begin("looking again");
            if (!sleep_for(std::chrono::milliseconds(300 * look), stores_.retry().stop)) stores_.check_stop();
            std::vector<std::string> keys;
            for (const auto& [key, judgement] : suspects_) keys.push_back(key);
            read_values(stores_, std::move(keys), [&](std::vector<Source>&& batch) {
                for (const auto& [source, judgement] : judge_all(batch)) judge_again(*source, judgement);
            });
        }
        result_.unsettled = static_cast<std::int64_t>(suspects_.size());
    }

    void judge_again(const Source& source, const Judgement& judgement) {
        const auto before = suspects_.find(source.key);
        const bool fine = judgement.verdict == Verdict::equal || judgement.verdict == Verdict::quarantined ||
                          judgement.verdict == Verdict::absent;
        const bool first_orphan =
            before->second.verdict == Verdict::orphaned && before->second.fingerprint == 0;
        if (!fine && !(first_orphan && judgement.verdict == Verdict::orphaned) &&
            before->second.fingerprint != judgement.fingerprint) {
            before->second = judgement;
            return;
        }
        if (judgement.verdict != Verdict::absent) count(source.kind, judgement, key_text(source.key));
        suspects_.erase(before);
    }

    void count(Kind kind, const Judgement& judgement, std::string key) {
        auto& counts = of(kind);
        if (judgement.verdict != Verdict::orphaned) ++counts.redis_keys;
        switch (judgement.verdict) {
            case Verdict::equal:
                ++counts.equal;
                return;
            case Verdict::quarantined:
                ++counts.quarantined;
                if (result_.examples.size() < kMostExamples)
                    result_.examples.push_back(fmt::format("{}: {}", key, judgement.what));
                return;
            case Verdict::missing:
                ++counts.missing;
                break;
            case Verdict::different:
                ++counts.different;
                break;
            case Verdict::orphaned:
                ++counts.orphaned;
                break;
            case Verdict::absent:
                return;
        }
        if (result_.differences.size() < kMostDifferences) {
            result_.differences.push_back({std::move(key), std::string(name_of(kind)), judgement.what});
        }
    }

    const CopyOptions& options_;
    ProgressReport progress_;
    Stores stores_;
    std::map<std::string, Judgement> suspects_;
    bool may_try_ = true;
    CompareResult result_;
};

}  // namespace

CompareResult run_compare(const CopyOptions& options,
                          const std::function<void(const CopyProgress&)>& on_progress,
                          const std::stop_token& stop) {
    return Comparison(options, on_progress, stop).run();
}

}  // namespace crossover::learning
