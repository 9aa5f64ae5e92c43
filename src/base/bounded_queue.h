#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <stop_token>

namespace crossover {

/// A first-in-first-out queue between threads that holds at most `capacity` elements: a full queue
/// makes producers wait, so that memory does not grow with the speed difference of the two sides.
template <class T>
class BoundedQueue {
  public:
    explicit BoundedQueue(std::size_t capacity) : capacity_(capacity) {}

    /// Waits for room. False when the queue was closed or `stop` was requested; `value` is then lost.
    bool push(T value, const std::stop_token& stop = {}) {
        std::unique_lock lock(mutex_);
        room_.wait(lock, stop, [&] { return closed_ || items_.size() < capacity_; });
        if (closed_ || items_.size() >= capacity_) return false;
        items_.push_back(std::move(value));
        lock.unlock();
        available_.notify_one();
        return true;
    }

    /// Never waits: false when the queue is full or closed; `value` is then lost.
    bool try_push(T value) {
        {
            std::lock_guard lock(mutex_);
            if (closed_ || items_.size() >= capacity_) return false;
            items_.push_back(std::move(value));
        }
        available_.notify_one();
        return true;
    }

    /// Never waits: empty when there is nothing.
    std::optional<T> try_pop() {
        std::unique_lock lock(mutex_);
        if (items_.empty()) return std::nullopt;
        return take_first(lock);
    }

    /// Waits for an element. Empty when the queue is closed and drained, or `stop` was requested.
    std::optional<T> pop(const std::stop_token& stop = {}) {
        std::unique_lock lock(mutex_);
        available_.wait(lock, stop, [&] { return closed_ || !items_.empty(); });
        if (items_.empty()) return std::nullopt;
        return take_first(lock);
    }

    /// No more elements will come; what is queued can still be taken.
    void close() {
        {
            std::lock_guard lock(mutex_);
            closed_ = true;
        }
        room_.notify_all();
        available_.notify_all();
    }

    std::size_t size() const {
        std::lock_guard lock(mutex_);
        return items_.size();
    }

  private:
    std::optional<T> take_first(std::unique_lock<std::mutex>& lock) {
        std::optional<T> value(std::move(items_.front()));
        items_.pop_front();
        lock.unlock();
        room_.notify_one();
        return value;
    }

    const std::size_t capacity_;
    mutable std::mutex mutex_;
    std::condition_variable_any room_;
    std::condition_variable_any available_;
    std::deque<T> items_;
    bool closed_ = false;
};

}  // namespace crossover
