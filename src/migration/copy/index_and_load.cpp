#include <fmt/format.h>

#include <chrono>

#include "base/clock.h"

#include "migration/copy/run.h"

namespace crossover::migration {

void index_and_load(Run& run) {
    const auto started = std::chrono::steady_clock::now();
    run.collection->build_index_and_load(
        run.options.index,
        [&run](const std::string& what, int percent) {
            run.say(percent > 0 ? fmt::format("{} {} %", what, percent) : what);
        },
        run.stop);
    run.checkpoint.index_seconds += seconds_since(started);
    run.checkpoint.phase = Phase::sweep;
}

}  // namespace crossover::migration
