#include "engine/shadow.h"

#include <random>

#include "base/background.h"
#include "base/error.h"
#include "log/log.h"
#include "search/comparison.h"

namespace crossover::engine {

using namespace std::chrono_literals;

namespace {
constexpr std::size_t kWaiting = 64;
}

ShadowComparison::ShadowComparison(search::Searcher& reference, Metrics& metrics, double share)
    : reference_(reference),
      metrics_(metrics),
      share_(share),
      queue_(kWaiting),
      thread_(in_background(
          "shadow_comparison", [this](const std::stop_token& stop) { run(stop); }, log_background_failure)) {}

ShadowComparison::~ShadowComparison() {
    thread_.request_stop();
}

void ShadowComparison::consider(const search::Query& query, const std::vector<search::Neighbour>& answer) {
    thread_local std::minstd_rand random{std::random_device{}()};
    if (std::uniform_real_distribution<double>(0, 1)(random) >= share_) return;
    Work work{{query.vector.begin(), query.vector.end()}, query.k, query.filter, answer};
    if (!queue_.try_push(std::move(work))) metrics_.comparison_skipped();
}

void ShadowComparison::run(const std::stop_token& stop) {
    while (auto work = queue_.pop(stop)) {
        if (stop.stop_requested()) return;
        try {
            const auto from = std::chrono::steady_clock::now();
            const auto reference =
                reference_.nearest({work->vector, work->k, work->filter}, Deadline::after(30s));
            metrics_.search("neo4j", std::chrono::steady_clock::now() - from);
            metrics_.compared(search::compare(work->answer, reference));
        } catch (const Error& error) {
            metrics_.comparison_skipped();
            metrics_.error(error.system(), error.kind());
            log_event(LogLevel::warning, "shadow_comparison",
                      {{"result", "failure"}, {"error", error.what()}});
        }
    }
}

}  // namespace crossover::engine
