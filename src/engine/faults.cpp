#include "engine/faults.h"

#include "log/log.h"

namespace crossover::engine {

void note_fault(Metrics& metrics, const Error& error) {
    metrics.error(error.system(), error.kind());
    if (error.system() != System::milvus) return;
    log_event(LogLevel::warning, "milvus_error",
              {{"kind", to_string(error.kind())}, {"code", error.native_code()}, {"error", error.what()}});
}

}  // namespace crossover::engine
