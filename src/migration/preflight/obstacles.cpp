#include "migration/preflight/obstacles.h"

#include "migration/job/former_texts.h"
#include "milvus/client.h"
#include "neo4j/lease.h"
#include "neo4j/source_mark.h"
#include "vectors/collection.h"

namespace crossover::migration {

std::vector<std::string> obstacles(bolt::Driver& source, milvus::Client* target, const std::string& database,
                                   const sync::MediaMapping& mapping) {
    std::vector<std::string> found;
    const auto attempt = [&](auto action) {
        try {
            action();
        } catch (const Error& error) {
            if (error.kind() != ErrorKind::conflict && error.kind() != ErrorKind::not_ready) throw;
            found.emplace_back(error.what());
        }
    };
    attempt([&] { neo4j::Lease::require_right_to_take(source, database); });
    if (target == nullptr) return found;
    const auto soon = [] { return Deadline::after(std::chrono::seconds(10)); };
    attempt([&] {
        const auto opened =
            vectors::Collection::require_possible(*target, mapping.collection, mapping, soon());
        if (const auto there = vectors::find_collection(*target, mapping.collection, soon())) {
            vectors::require_ours(target->address(), *there,
                                  neo4j::known_source_mark(source, database, mapping));
        }
        if (opened) require_present_texts(*opened, source, database, mapping);
    });
    return found;
}

}  // namespace crossover::migration
