#pragma once

/// What both programs count, as operators know it. engine::Metrics and migration::MigrationMetrics hold the
/// values; whatever happens is counted where it happens.
namespace crossover::metrics {

struct Metric {
    const char* name;
    const char* help;
};

/// Of Prometheus's text format.
inline constexpr const char* kContentType = "text/plain; version=0.0.4; charset=utf-8";

// -- both --

/// Labels: system, kind.
inline constexpr Metric kErrors{"crossover_errors_total", "Errors of servers, by system and kind."};

// -- recommendation-engine --

/// Labels: route, method, code.
inline constexpr Metric kHttpRequestDuration{"crossover_http_request_duration_seconds",
                                             "Requests answered, by route, method and status."};
/// Labels: store.
inline constexpr Metric kSearchDuration{"crossover_search_duration_seconds", "Searches answered, by store."};
inline constexpr Metric kSearchFallback{"crossover_search_fallback_total",
                                        "Searches that Milvus did not answer and Neo4j did."};
inline constexpr Metric kSearchLeftOut{
    "crossover_search_left_out",
    "Items that Neo4j's exact searches leave out, because their embedding can't be compared."};
/// Labels: result: success, failure, deferred, moved, quarantined.
inline constexpr Metric kDualWrite{
    "crossover_dual_write_total",
    "Changes brought to Milvus right after their commit, by result; the reconciler brings the others."};
inline constexpr Metric kReconciled{"crossover_reconciled_total",
                                    "Changes brought to Milvus later, by the reconciler."};
inline constexpr Metric kRepaired{"crossover_repaired_total",
                                  "Rows that no change spoke of and that differed from Neo4j."};
inline constexpr Metric kRepairsRefused{
    "crossover_repairs_refused_total",
    "Rows that differed from Neo4j and were left, because too many of them are not in Neo4j."};
inline constexpr Metric kShadowOverlap{"crossover_shadow_overlap",
                                       "Share of the k nearest that both stores found."};
inline constexpr Metric kShadowRankDifference{"crossover_shadow_rank_difference",
                                              "Mean difference of places, of items that both stores found."};
inline constexpr Metric kShadowScoreDifference{
    "crossover_shadow_score_difference", "Greatest difference of scores, of items that both stores found."};
/// Labels: result: hit, miss, unavailable.
inline constexpr Metric kCache{"crossover_cache_total", "Answers looked for in Redis, by result."};
inline constexpr Metric kShadowSkipped{"crossover_shadow_skipped_total",
                                       "Comparisons that were due and not made: too many, or Neo4j failed."};
inline constexpr Metric kOutboxDepth{"crossover_outbox_depth",
                                     "Changes that Milvus does not have for sure yet."};
inline constexpr Metric kOutboxOldest{"crossover_outbox_oldest_seconds", "Age of the oldest of them."};
/// Labels: mode.
inline constexpr Metric kStorageMode{"crossover_storage_mode", "1 for the mode that the engine is in."};
/// Labels: store, result.
inline constexpr Metric kFeedback{"crossover_feedback_total", "Feedback recorded, by store and result."};
inline constexpr Metric kAgentdbOwed{"crossover_agentdb_owed",
                                     "Keys that Redis has newer than PostgreSQL, for sure or maybe."};
/// Labels: mode.
inline constexpr Metric kAgentdbMode{
    "crossover_agentdb_mode",
    "1 for the mode that the reinforcement-learning state is in, for this replica."};
inline constexpr Metric kMilvusUp{"crossover_milvus_up",
                                  "1 while Milvus is asked, 0 while the circuit breaker is open."};

// -- migrate migrate-embeddings --

/// Labels: result: read, copied, quarantined, skipped.
inline constexpr Metric kMigrationItems{"crossover_migration_items_total",
                                        "Items of the migration, by what became of them."};
inline constexpr Metric kMigrationItemsExpected{"crossover_migration_items_expected",
                                                "Items with an embedding when the copy began."};
inline constexpr Metric kMigrationItemsPerSecond{"crossover_migration_items_per_second",
                                                 "Items read a second, lately."};

}  // namespace crossover::metrics
