#include "engine/metrics.h"

#include <gmock/gmock.h>

namespace crossover::engine {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

TEST(Metrics, HaveTheNamesThatOperatorsKnow) {
    Metrics metrics;
    metrics.http_request("/v1/media/{id}", "PUT", 204, 3ms);
    metrics.search("milvus", 2ms);
    metrics.dual_write("failure", 3);
    metrics.error(System::milvus, ErrorKind::unreachable);
    metrics.outbox(42, 1.5);
    metrics.storage_mode(StorageMode::shadow_milvus);
    metrics.compared({.overlap = 0.9, .rank_difference = 0.2, .score_difference = 1e-6});
    const auto text = metrics.text();
    for (
        const char* line : {
            R"(crossover_http_request_duration_seconds_count{code="204",method="PUT",route="/v1/media/{id}"} 1)",
            R"(crossover_search_duration_seconds_count{store="milvus"} 1)",
            R"(crossover_dual_write_total{result="failure"} 3)",
            R"(crossover_dual_write_total{result="success"} 0)",
            R"(crossover_errors_total{kind="unreachable",system="milvus"} 1)",
            "crossover_outbox_depth 42",
            "crossover_outbox_oldest_seconds 1.5",
            R"(crossover_storage_mode{mode="shadow_milvus"} 1)",
            R"(crossover_storage_mode{mode="hybrid"} 0)",
            "crossover_shadow_overlap_count 1",
        }) {
        EXPECT_THAT(text, HasSubstr(line));
    }
}

}  // namespace
}  // namespace crossover::engine
