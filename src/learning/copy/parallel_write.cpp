#include "learning/copy/parallel_write.h"

#include <exception>
#include <mutex>
#include <thread>

#include "base/bounded_queue.h"

namespace crossover::learning {
namespace {

constexpr int kWriters = 2;
constexpr std::size_t kQueuedBatches = 2;

}  // namespace

void write_in_parallel(const CopyOptions& options, const std::string& holder, const Retry& retry,
                       CopyTally& tally, Quarantine& quarantine, std::stop_source stopping,
                       const std::function<void(const GiveBatch&)>& produce) {
    BoundedQueue<std::vector<Source>> queue(kQueuedBatches);
    std::mutex mutex;
    std::exception_ptr writer_failure, producer_failure;
    std::vector<std::jthread> writers;
    for (int i = 0; i < kWriters; ++i) {
        writers.emplace_back([&] {
            try {
                TableWriter writer(options, holder, retry, tally, quarantine);
                while (const auto batch = queue.pop(retry.stop)) writer.write(*batch);
            } catch (...) {
                {
                    std::lock_guard lock(mutex);
                    if (!writer_failure) writer_failure = std::current_exception();
                }
                stopping.request_stop();
            }
        });
    }
    try {
        produce([&](std::vector<Source>&& batch) {
            if (!queue.push(std::move(batch), retry.stop)) throw_if_stopped(retry.stop);
        });
    } catch (...) {
        producer_failure = std::current_exception();
        stopping.request_stop();
    }
    queue.close();
    writers.clear();
    if (writer_failure) std::rethrow_exception(writer_failure);
    if (producer_failure) std::rethrow_exception(producer_failure);
}

}  // namespace crossover::learning
