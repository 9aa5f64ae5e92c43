#pragma once

#include <string>

#include "bolt/driver.h"
#include "sync/mapping.h"
#include "sync/source_mark.h"

namespace crossover::neo4j {

/// The mark of this label in this database, for the mapping's collection; made where there is none yet. It
/// binds nothing by itself: the collection in Milvus says whose it is. Throws `conflict` where it was made
/// for another id or embedding property, which would make other rows; or makes it anew, with another id,
/// where the collection is to be adopted.
sync::SourceMark source_mark(bolt::Driver& driver, const std::string& database,
                             const sync::MediaMapping& mapping, bool adopt = false);

/// The same for those who only look: where none was made yet its id is empty, which is nobody's.
sync::SourceMark known_source_mark(bolt::Driver& driver, const std::string& database,
                                   const sync::MediaMapping& mapping);

}  // namespace crossover::neo4j
