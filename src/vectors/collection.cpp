#include "vectors/collection.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/retry.h"
#include "base/unique_name.h"

namespace crossover::vectors {

namespace {

using namespace std::chrono_literals;

milvus::DataType to_milvus(sync::PropertyType type) {
    switch (type) {
        case sync::PropertyType::boolean:
            return milvus::DataType::boolean;
        case sync::PropertyType::int64:
            return milvus::DataType::int64;
        case sync::PropertyType::float64:
            return milvus::DataType::float64;
        case sync::PropertyType::text:
            return milvus::DataType::varchar;
    }
    return milvus::DataType::varchar;
}

sync::PropertyType from_milvus(milvus::DataType type) {
    switch (type) {
        case milvus::DataType::boolean:
            return sync::PropertyType::boolean;
        case milvus::DataType::int64:
            return sync::PropertyType::int64;
        case milvus::DataType::float64:
            return sync::PropertyType::float64;
        case milvus::DataType::varchar:
            return sync::PropertyType::text;
    }
    return sync::PropertyType::text;
}

milvus::IdKind to_milvus(sync::IdKind kind) {
    return kind == sync::IdKind::string ? milvus::IdKind::string : milvus::IdKind::integer;
}

// A description stays as it was created; the mark may change.
constexpr std::string_view kDescribes = "Embeddings of ";
constexpr std::string_view kDescribesFor = ", kept equal to Neo4j by Crossover";
/// How a collection of ours says that its texts have the forms of neo4j/value_text.h. Those of before had
/// others, for all but strings, integers and booleans.
constexpr std::string_view kPresentTexts = " (text forms 2)";
constexpr const char* kLabelKey = "crossover.label";
constexpr const char* kDatabaseKey = "crossover.database";
constexpr const char* kSourceKey = "crossover.source";
constexpr const char* kTakeoverKey = "crossover.takeover";

std::string kept_value(const milvus::CollectionInfo& info, const char* key) {
    const auto found = info.server_properties.find(key);
    return found == info.server_properties.end() ? std::string() : found->second;
}

/// Whose it says it is: by its mark, or, of an earlier release, by its description, which knows only the
/// label. Empty where it says nothing.
std::optional<sync::SourceMark> owner_of(const milvus::CollectionInfo& info) {
    if (auto id = kept_value(info, kSourceKey); !id.empty()) {
        return sync::SourceMark{kept_value(info, kLabelKey), kept_value(info, kDatabaseKey), std::move(id)};
    }
    std::string_view text = info.spec.description;
    if (text.ends_with(kPresentTexts)) text.remove_suffix(kPresentTexts.size());
    if (text.size() <= kDescribes.size() + kDescribesFor.size() || !text.starts_with(kDescribes) ||
        !text.ends_with(kDescribesFor)) {
        return std::nullopt;
    }
    const auto label = text.substr(kDescribes.size());
    return sync::SourceMark{std::string(label.substr(0, label.size() - kDescribesFor.size())), {}, {}};
}

/// False of one that only its description speaks for, with our label.
bool is_another(const sync::SourceMark& owner, const sync::SourceMark& mine) {
    return owner.id.empty() ? owner.label != mine.label : owner != mine;
}

Error not_ours(const std::string& address, const std::string& name, const sync::SourceMark& owner,
               const sync::SourceMark& mine) {
    std::string whose = owner.label;
    if (!owner.database.empty()) whose += " of Neo4j's database " + owner.database;
    if (owner.label == mine.label && owner.database == mine.database) {
        whose += fmt::format(" in another Neo4j (its mark is {}, ours {})", owner.id, mine.id);
    }
    return Error(
        System::milvus, ErrorKind::conflict,
        fmt::format("{}: collection {} holds {}, not {} of database {}. Check --label, --neo4j-database, the "
                    "address of Neo4j and --collection. If {} is to be taken over, and filled anew, run "
                    "migrate-embeddings --adopt-collection.",
                    address, name, whose, mine.label, mine.database, name));
}

milvus::CollectionSpec make_spec(const std::string& name, const sync::MediaMapping& mapping, bool nullable) {
    milvus::CollectionSpec spec;
    spec.name = name;
    spec.id_kind = to_milvus(mapping.id_kind);
    spec.dimension = mapping.dimension;
    spec.description = fmt::format("{}{}{}{}", kDescribes, mapping.label, kDescribesFor, kPresentTexts);
    for (const auto& property : mapping.properties) {
        spec.properties.push_back({property.field, to_milvus(property.type), nullable, sync::kMaxTextBytes});
    }
    return spec;
}

Error shape_conflict(const std::string& address, const std::string& name, const std::string& what) {
    return Error(System::milvus, ErrorKind::conflict,
                 fmt::format("{}: collection {} is there already, but {}. Name another collection with "
                             "--collection, or drop this one if nothing needs it.",
                             address, name, what));
}

const milvus::PropertySpec* find_field(const milvus::CollectionSpec& spec, const std::string& name) {
    const auto found = std::find_if(spec.properties.begin(), spec.properties.end(),
                                    [&](const auto& field) { return field.name == name; });
    return found == spec.properties.end() ? nullptr : &*found;
}

void compare_shapes(const std::string& address, const milvus::CollectionInfo& found,
                    const milvus::CollectionSpec& wanted) {
    const auto& spec = found.spec;
    if (spec.dimension != wanted.dimension) {
        throw shape_conflict(
            address, wanted.name,
            fmt::format("holds vectors of dimension {}, not {}", spec.dimension, wanted.dimension));
    }
    if (spec.id_kind != wanted.id_kind) {
        throw shape_conflict(address, wanted.name,
                             fmt::format("has {} ids, not {} ids",
                                         spec.id_kind == milvus::IdKind::string ? "string" : "integer",
                                         wanted.id_kind == milvus::IdKind::string ? "string" : "integer"));
    }
    if (found.auto_id) throw shape_conflict(address, wanted.name, "generates its ids itself (autoID)");
    if (!found.has_version_field) {
        throw shape_conflict(address, wanted.name,
                             fmt::format("has no INT64 field {}", wanted.fields.version));
    }
    if (spec.fields.id != wanted.fields.id || spec.fields.vector != wanted.fields.vector) {
        throw shape_conflict(
            address, wanted.name,
            fmt::format("its key and vector are called {} and {}, not {} and {}", spec.fields.id,
                        spec.fields.vector, wanted.fields.id, wanted.fields.vector));
    }
    for (const auto& property : wanted.properties) {
        const auto* same = find_field(spec, property.name);
        if (same == nullptr) {
            for (const auto& foreign : found.foreign_fields) {
                if (!foreign.starts_with(property.name + ": ")) continue;
                throw shape_conflict(
                    address, wanted.name,
                    fmt::format("its field {} is {}, not {}", property.name,
                                foreign.substr(property.name.size() + 2), to_string(property.type)));
            }
            throw shape_conflict(address, wanted.name, fmt::format("has no field {}", property.name));
        }
        if (same->type != property.type) {
            throw shape_conflict(address, wanted.name,
                                 fmt::format("its field {} is {}, not {}", property.name,
                                             to_string(same->type), to_string(property.type)));
        }
    }
    if (spec.properties.size() > wanted.properties.size() || !found.foreign_fields.empty()) {
        throw shape_conflict(address, wanted.name,
                             "has fields beyond those of --properties, which an upsert would have to fill");
    }
}

/// Lends the columns of a batch, all but its vectors, to a request; they are back when the loan ends.
class ColumnLoan {
  public:
    ColumnLoan(sync::ItemBatch& owner, milvus::ColumnBatch& borrower) : owner_(owner), borrower_(borrower) {
        swap();
    }
    ~ColumnLoan() { swap(); }
    ColumnLoan(const ColumnLoan&) = delete;
    ColumnLoan& operator=(const ColumnLoan&) = delete;

  private:
    void swap() {
        std::swap(owner_.ids, borrower_.ids);
        std::swap(owner_.versions, borrower_.versions);
        for (std::size_t i = 0; i < owner_.properties.size(); ++i) {
            std::swap(owner_.properties[i].values, borrower_.properties[i].values);
        }
    }
    sync::ItemBatch& owner_;
    milvus::ColumnBatch& borrower_;
};

/// What open_or_create() calls the first one behind an alias.
std::string first_name(const std::string& alias) {
    return alias + "_v1";
}

void adopt_limits_of(const milvus::CollectionSpec& spec, sync::MediaMapping& mapping) {
    mapping.max_id_bytes = std::min(spec.id_max_length, kMaxIdBytes);
    for (auto& property : mapping.properties) {
        if (const auto* field = find_field(spec, property.field)) property.max_bytes = field->max_length;
    }
}

/// False where it lacks a property, whose type stays as it was.
bool adopt_fields_of(const milvus::CollectionSpec& spec, sync::MediaMapping& mapping) {
    adopt_limits_of(spec, mapping);
    bool all = true;
    for (auto& property : mapping.properties) {
        const auto* field = find_field(spec, property.field);
        all = all && field != nullptr;
        if (field == nullptr || property.type_source == sync::TypeSource::setting) continue;
        property.type = from_milvus(field->type);
        property.type_source = sync::TypeSource::collection;
    }
    return all;
}

}  // namespace

std::optional<milvus::CollectionInfo> find_collection(milvus::Client& client, const std::string& alias,
                                                      Deadline deadline) {
    const auto behind = client.describe_alias(alias, deadline);
    return client.describe_collection(behind.value_or(first_name(alias)), deadline);
}

void adopt_fields(milvus::Client& client, const std::string& alias, sync::MediaMapping& mapping,
                  Deadline deadline) {
    if (const auto found = find_collection(client, alias, deadline)) adopt_fields_of(found->spec, mapping);
}

bool adopt_mapping(milvus::Client& client, const std::string& alias, sync::MediaMapping& mapping,
                   Deadline deadline) {
    const auto found = find_collection(client, alias, deadline);
    if (!found) return false;
    mapping.id_kind =
        found->spec.id_kind == milvus::IdKind::string ? sync::IdKind::string : sync::IdKind::integer;
    if (mapping.dimension == 0) mapping.dimension = static_cast<std::uint32_t>(found->spec.dimension);
    return adopt_fields_of(found->spec, mapping);
}

void require_ours(const std::string& address, const milvus::CollectionInfo& collection,
                  const sync::SourceMark& mine) {
    if (const auto owner = owner_of(collection); owner && is_another(*owner, mine)) {
        throw not_ours(address, collection.spec.name, *owner, mine);
    }
}

milvus::Metric to_milvus(sync::Metric metric) {
    switch (metric) {
        case sync::Metric::cosine:
            return milvus::Metric::cosine;
        case sync::Metric::inner_product:
            return milvus::Metric::inner_product;
        case sync::Metric::l2:
            return milvus::Metric::l2;
    }
    return milvus::Metric::cosine;
}

std::optional<Collection> Collection::open(milvus::Client& client, const std::string& alias,
                                           const sync::MediaMapping& mapping, Deadline deadline) {
    const auto behind = client.describe_alias(alias, deadline);
    if (!behind) {
        if (client.has_collection(alias, deadline)) {
            throw Error(
                System::milvus, ErrorKind::conflict,
                fmt::format(
                    "{}: {} is a collection, but Crossover needs this name for an alias. Name another "
                    "with --collection, or rename this one.",
                    client.address(), alias));
        }
        return std::nullopt;
    }
    const auto info = client.describe_collection(*behind, deadline);
    if (!info) {
        throw Error(System::milvus, ErrorKind::conflict,
                    fmt::format("{}: alias {} points to collection {}, which is gone. Drop the alias.",
                                client.address(), alias, *behind));
    }
    const bool nullable = std::any_of(info->spec.properties.begin(), info->spec.properties.end(),
                                      [](const auto& p) { return p.nullable; });
    compare_shapes(client.address(), *info, make_spec(*behind, mapping, nullable));
    Collection collection(client, mapping, milvus::CollectionRef(*behind));
    collection.id_ = info->id;
    collection.takeover_ = kept_value(*info, kTakeoverKey);
    collection.nullable_ = nullable;
    const auto& description = info->spec.description;
    collection.former_texts_ = description.find(kDescribesFor) != std::string::npos &&
                               description.find(kPresentTexts) == std::string::npos;
    collection.spec_ = info->spec;
    return collection;
}

std::optional<Collection> Collection::require_possible(milvus::Client& client, const std::string& alias,
                                                       const sync::MediaMapping& mapping, Deadline deadline) {
    auto found = open(client, alias, mapping, deadline);
    if (found) return found;
    const auto name = first_name(alias);
    if (const auto leftover = client.describe_collection(name, deadline)) {
        compare_shapes(client.address(), *leftover, make_spec(name, mapping, false));
    }
    return std::nullopt;
}

Collection Collection::open_or_create(milvus::Client& client, const std::string& alias,
                                      const sync::MediaMapping& mapping, const Claimant& claimant,
                                      Deadline deadline) {
    if (auto found = open(client, alias, mapping, deadline)) {
        found->adopted_ = found->claim(claimant, deadline);
        return *std::move(found);
    }

    const std::string name = first_name(alias);
    const bool nullable = milvus::server_supports_nullable(client.version(deadline));
    const auto spec = make_spec(name, mapping, nullable);
    // A killed run may have made the collection and not yet the alias.
    const auto leftover = client.describe_collection(name, deadline);
    if (leftover) {
        compare_shapes(client.address(), *leftover, spec);
    } else {
        client.create_collection(spec, deadline);
    }
    client.create_alias(alias, name, deadline);
    auto made = open(client, alias, mapping, deadline);
    if (!made) {
        throw Error(System::milvus, ErrorKind::unavailable,
                    fmt::format("{}: alias {} was created but is not to be found.", client.address(), alias));
    }
    made->created_ = !leftover;
    made->adopted_ = made->claim(claimant, deadline);
    return *std::move(made);
}

bool Collection::claim(const Claimant& claimant, Deadline deadline) {
    const auto look = [&] {
        auto info = client_->describe_collection(ref_.name, deadline);
        if (info) return *std::move(info);
        throw Error(System::milvus, ErrorKind::not_found,
                    fmt::format("{}: collection {} was dropped while it was being opened. Run again.",
                                client_->address(), ref_.name));
    };
    const auto found = look();
    const auto owner = owner_of(found);
    if (owner == claimant.mark) return false;
    if (!claimant.adopt) require_ours(client_->address(), found, claimant.mark);
    const auto& mark = claimant.mark;
    const bool from_another = owner && is_another(*owner, mark);
    const auto takeover = from_another ? unique_name() : takeover_;
    std::map<std::string, std::string> properties{
        {kLabelKey, mark.label}, {kDatabaseKey, mark.database}, {kSourceKey, mark.id}};
    if (from_another) properties.emplace(kTakeoverKey, takeover);
    try {
        client_->set_properties(ref_.name, properties, deadline);
    } catch (const Error& error) {
        // A user that may write rows, but not alter the collection: work goes on as it did without marks.
        const bool refused = error.kind() == ErrorKind::authentication || error.kind() == ErrorKind::rejected;
        if (!refused || from_another) throw;
        marked_ = false;
        return false;
    }
    // Two that mark it at once: the last word counts, and the other one sees it.
    require_ours(client_->address(), look(), mark);
    takeover_ = takeover;
    return from_another;
}

void Collection::adopt_limits(sync::MediaMapping& mapping) const {
    adopt_limits_of(spec_, mapping);
}

void Collection::upsert(sync::ItemBatch& batch, Deadline deadline) {
    const auto rows = std::make_shared<milvus::ColumnBatch>();
    rows->dimension = batch.dimension;
    for (std::size_t i = 0; i < batch.properties.size(); ++i) {
        milvus::Column column;
        column.name = mapping_.properties[i].field;
        if (nullable_) column.valid = batch.properties[i].present;
        rows->properties.push_back(std::move(column));
    }
    const std::size_t expected = batch.rows();
    const ColumnLoan loan(batch, *rows);
    rows->vectors = std::move(batch.vectors);
    try {
        const std::int64_t upserted = milvus::request_bytes(ref_, *rows) <= milvus::kMaxRequestBytes
                                          ? client_->upsert(ref_, rows, deadline).upserted
                                          : upsert_in_parts(*rows, deadline);
        if (upserted != static_cast<std::int64_t>(expected)) {
            throw Error(System::milvus, ErrorKind::timeout,
                        fmt::format("{}: of {} rows sent to collection {} only {} were acknowledged.",
                                    client_->address(), expected, ref_.name, upserted));
        }
    } catch (...) {
        // After a timeout the connection may still be sending from the original.
        batch.vectors = rows->vectors;
        throw;
    }
}

std::int64_t Collection::upsert_in_parts(const milvus::ColumnBatch& rows, Deadline deadline) {
    const auto slice = [&](std::size_t first, std::size_t last) {
        const auto cut = [&](const auto& from) {
            return std::decay_t<decltype(from)>(from.begin() + static_cast<std::ptrdiff_t>(first),
                                                from.begin() + static_cast<std::ptrdiff_t>(last));
        };
        milvus::ColumnBatch part;
        part.dimension = rows.dimension;
        part.ids = cut(rows.ids);
        part.versions = cut(rows.versions);
        part.vectors.assign(rows.vectors.begin() + static_cast<std::ptrdiff_t>(first * rows.dimension),
                            rows.vectors.begin() + static_cast<std::ptrdiff_t>(last * rows.dimension));
        for (const auto& column : rows.properties) {
            milvus::Column piece;
            piece.name = column.name;
            std::visit([&](const auto& values) { piece.values = cut(values); }, column.values);
            if (!column.valid.empty()) piece.valid = cut(column.valid);
            part.properties.push_back(std::move(piece));
        }
        return part;
    };

    std::int64_t upserted = 0;
    std::size_t first = 0;
    std::size_t step = std::max<std::size_t>(1, rows.size() / 2);
    while (first < rows.size()) {
        const std::size_t last = std::min(rows.size(), first + step);
        auto part = slice(first, last);
        if (part.size() > 1 && milvus::request_bytes(ref_, part) > milvus::kMaxRequestBytes) {
            step = std::max<std::size_t>(1, step / 2);
            continue;
        }
        upserted +=
            client_->upsert(ref_, std::make_shared<const milvus::ColumnBatch>(std::move(part)), deadline)
                .upserted;
        first = last;
    }
    return upserted;
}

void Collection::erase(std::span<const ItemId> ids, Deadline deadline) {
    client_->erase(ref_, ids, deadline);
}

void Collection::require_same_shape(Deadline deadline) {
    const auto now = client_->describe_collection(ref_.name, deadline);
    if (!now || now->id != id_) {
        throw Error(System::milvus, ErrorKind::not_found,
                    fmt::format("{}: collection {} was dropped{} while it was being written. Run again.",
                                client_->address(), ref_.name, now ? " and made anew" : ""));
    }
    compare_shapes(client_->address(), *now, make_spec(ref_.name, mapping_, nullable_));
}

void Collection::begin_scan(Deadline deadline) {
    client_->see_all_until_now(deadline);
}

sync::VersionPage Collection::versions_after(const std::optional<ItemId>& after, Deadline deadline) {
    auto rows = client_->query_page(ref_, {after, std::nullopt}, milvus::kMaxQueryRows, {.version = true},
                                    milvus::Consistency::session, deadline);
    return {std::move(rows.ids), std::move(rows.versions)};
}

void Collection::build_index_and_load(const milvus::IndexSpec& spec,
                                      const std::function<void(const std::string&, int)>& on_progress,
                                      const std::stop_token& stop) {
    const auto soon = [] { return Deadline::after(60s); };
    const auto pause = [&] {
        if (!sleep_for(200ms, stop)) {
            throw Error(System::milvus, ErrorKind::cancelled, "Stopped while the index was being built.");
        }
    };
    const Retry retry{kForEver, stop, [&](const Error& error) {
                          on_progress(fmt::format("waiting for Milvus: {}", error.what()), 0);
                      }};
    on_progress("flushing", 0);
    retry([&] { client_->flush(ref_.name, Deadline::after(300s)); });

    retry([&] {
        const auto index = client_->describe_index(ref_, soon());
        if (!index) {
            client_->create_index(ref_, spec, soon());
        } else if (index->spec && index->spec->metric != spec.metric) {
            throw Error(
                System::milvus, ErrorKind::conflict,
                fmt::format(
                    "{}: the index of collection {} uses {}, not {}. Run with --metric {}, or drop the "
                    "collection.",
                    client_->address(), ref_.name, to_string(index->spec->metric), to_string(spec.metric),
                    to_string(index->spec->metric)));
        }
    });
    for (bool built = false; !built;) {
        const auto index = retry([&] { return client_->describe_index(ref_, soon()); });
        if (!index || index->state == milvus::IndexState::failed) {
            throw Error(System::milvus, ErrorKind::rejected,
                        fmt::format("{}: building the index of collection {} failed: {}", client_->address(),
                                    ref_.name, index ? index->fail_reason : "the index is gone"));
        }
        built = index->state == milvus::IndexState::finished;
        const auto percent = index->total_rows > 0 ? 100 * index->indexed_rows / index->total_rows : 100;
        on_progress("building the index", static_cast<int>(percent));
        if (!built) pause();
    }
    retry([&] { client_->load(ref_.name, soon()); });
    for (;;) {
        const auto progress = retry([&] { return client_->load_progress(ref_.name, soon()); });
        if (progress.state == milvus::LoadState::loaded) break;
        on_progress("loading", progress.percent);
        pause();
    }
}

}  // namespace crossover::vectors
