#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/item_id.h"
#include "milvus/client.h"
#include "sync/mapping.h"

namespace crossover::bolt {
class Driver;
}

namespace crossover::migration {

/// A vector within this L2 distance (taken in double) of float32(source) is the same vector.
inline constexpr double kVectorTolerance = 1e-5;
/// The share of checked items that must be consistent.
inline constexpr double kRequiredSuccess = 0.99;

struct ValidateOptions {
    std::string source_address;  ///< for messages: "bolt://host:port/database"
    std::string target_address;  ///< likewise: "http://host:port/database"
    std::string database;        ///< of Neo4j
    /// Properties by name; their types, the id kind and a dimension of 0 are those of the collection.
    sync::MediaMapping mapping;
    bool full_scan = false;             ///< everything, both ways; otherwise a random sample
    std::size_t sample_size = 1000;     ///< ids drawn from each side
    std::optional<std::uint64_t> seed;  ///< of the sample; drawn and reported where empty
    std::optional<std::string> id;      ///< compare this one only, and show both sides
    bool fix_inconsistencies = false;
    bool allow_deletes = false;     ///< of a fix: remove orphaned rows, however many (base/deletions.h)
    bool adopt_collection = false;  ///< of a fix: of a collection that belongs to another source
    /// A difference counts when it is still there after this long: more than the outbox's lag.
    std::chrono::milliseconds look_again_after{2000};
};

/// Where an id differs in several ways, it counts as the first of these.
enum class Difference {
    missing,            ///< valid in Neo4j, no row in Milvus
    orphaned,           ///< a row in Milvus; in Neo4j deleted, without an embedding, or invalid
    stale_version,      ///< another version than Neo4j's
    different_vector,   ///< same version, vectors farther apart than kVectorTolerance (or not comparable)
    different_property  ///< same version and vector, another value of a carried property
};
inline constexpr std::size_t kDifferences = 5;
std::string_view to_string(Difference difference);

/// An id that differs, for a person: "version 3 in Milvus, 5 in Neo4j; L2 0.52".
struct DifferenceExample {
    ItemId id;
    std::string detail;
};

/// One side of an id, in words. Shown by a validation of a single id.
struct ItemSide {
    bool present = false;
    std::string state;  ///< "present", "absent", "ambiguous", or why the item is invalid
    std::optional<std::int64_t> version;
    std::vector<float> vector;  ///< empty where there is none that could be compared
    std::vector<std::pair<std::string, std::string>>
        properties;  ///< name and value; absent ones are left out
};

struct ValidateProgress {
    std::string state;           ///< "comparing", "looking again at 12 differences", "fixing", …
    std::int64_t checked = 0;    ///< as in the report
    std::int64_t different = 0;  ///< confirmed so far
    std::int64_t expected = 0;   ///< 0 where not known
    double items_per_second = 0;
    std::optional<double> eta_seconds;
};

struct ValidateReport {
    std::int64_t checked = 0;  ///< ids compared: consistent + the five differences
    std::int64_t consistent = 0;
    std::array<std::int64_t, kDifferences> different{};  ///< by Difference
    std::int64_t quarantined = 0;  ///< ids invalid in Neo4j and rightly absent from Milvus; not in `checked`
    std::int64_t unsettled = 0;    ///< changed at every look, so nothing can be said; not in `checked`
    /// Of the consistent ones: not bit for bit, but within kVectorTolerance. A fix repairs these too.
    std::int64_t within_tolerance = 0;
    /// Ids of Milvus looked up in Neo4j for orphans. The whole collection in a full scan.
    std::int64_t target_ids = 0;

    double max_l2 = 0;   ///< over all compared pairs of vectors; infinite where one had NaN
    double mean_l2 = 0;  ///< likewise
    double seconds = 0;
    double items_per_second = 0;

    /// Up to 20 for each Difference.
    std::array<std::vector<DifferenceExample>, kDifferences> examples;
    std::optional<std::uint64_t> seed;  ///< of a sample
    bool full_scan = false;
    bool ordered = false;      ///< read by an index in the order of ids
    bool interrupted = false;  ///< stopped on request: the counts are of a part
    std::string collection;    ///< physical name

    std::optional<ItemSide> source_item, target_item;  ///< of a single id

    std::int64_t fixed = 0;  ///< ids made equal by sync()
    /// Orphaned rows that a fix left, because so many are not removed without `allow_deletes`.
    std::int64_t deletes_refused = 0;
    std::unique_ptr<ValidateReport> after_fix;  ///< the second validation, where something was to be fixed

    std::int64_t count(Difference kind) const { return different[static_cast<std::size_t>(kind)]; }
    double success() const;  ///< consistent / checked, 0 to 1; 1 where nothing was checked
    /// success() >= kRequiredSuccess, max_l2 < kVectorTolerance, nothing missing, not interrupted. Says
    /// nothing of `after_fix`: where that is set, its own passed() is the verdict.
    bool passed() const;
};

/// Compares Neo4j with Milvus. Vectors are compared bit by bit with float32(source), then by L2 in double.
/// Milvus is read with Strong consistency. A difference is looked at again after `options.look_again_after`
/// before it counts, so that validation beside traffic gives no false alarm. Memory does not grow with the
/// number of items. `on_progress` is called about four times a second.
///
/// With `fix_inconsistencies`, each id that differs goes through sync::sync(), and validation runs again. No
/// migrate-embeddings may be under way for the same collection: `conflict` otherwise.
///
/// Blocks until done or `stop` is requested, which returns what was found so far as `interrupted`. Throws
/// crossover::Error; among them `not_found` (no such collection: run migrate-embeddings first), `conflict`
/// (another dimension, metric, or no such property), `unavailable` (not indexed or not loaded), `usage` (an
/// `id` that the collection's ids can't be).
ValidateReport run_validate(bolt::Driver& source, milvus::Client& target, const ValidateOptions& options,
                            const std::function<void(const ValidateProgress&)>& on_progress,
                            std::stop_token stop);

}  // namespace crossover::migration
