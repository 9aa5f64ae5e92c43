#pragma once

#include <string>

#include "sync/mapping.h"
#include "vectors/collection.h"

namespace crossover::bolt {
class Driver;
}

namespace crossover::migration {

/// Throws `conflict` where an earlier version filled the collection, and a text property has values that it
/// wrote in another form: times, durations, points, lists, floats. Compared row by row all of them would
/// differ, and a copy into it would leave both forms side by side.
void require_present_texts(const vectors::Collection& collection, bolt::Driver& source,
                           const std::string& database, const sync::MediaMapping& mapping);

}  // namespace crossover::migration
