#include <fmt/format.h>

#include "bolt/session_context.h"

namespace crossover::bolt {

namespace {

Summary summary_of(const Map& metadata) {
    Summary summary;
    const auto text = [&](std::string_view key) {
        const auto* value = metadata.get_if<std::string>(key);
        return value == nullptr ? std::string() : *value;
    };
    summary.query_type = text("type");
    summary.database = text("db");
    summary.bookmark = text("bookmark");
    if (const auto* last = metadata.get_if<std::int64_t>("t_last")) {
        summary.consumed_after = std::chrono::milliseconds(*last);
    }
    if (const Map* stats = metadata.get_if<Map>("stats")) summary.counters = *stats;
    const List* notifications = metadata.get_if<List>("statuses");  // From Bolt 5.6.
    if (notifications == nullptr) notifications = metadata.get_if<List>("notifications");
    if (notifications != nullptr) summary.notifications = *notifications;
    for (const char* key : {"plan", "profile"}) {
        if (const Map* plan = metadata.get_if<Map>(key)) summary.plan = *plan;
    }
    return summary;
}

}  // namespace

void Stream::check() const {
    if (error_) throw *error_;
}

bool Stream::next(RecordView& record) {
    check();
    if (consumed_) {
        throw Error(System::neo4j, ErrorKind::rejected,
                    "The result was consumed: rows that it still had are gone.");
    }
    if (context_ == nullptr) return false;
    return context_->guard([&] {
        Connection& connection = *context_->lease_;
        while (true) {
            const auto& event = connection.receive(wait_limits());
            switch (event.response.kind) {
                case Response::Kind::record:
                    record.fields = event.response.fields;
                    record.size = event.response.field_count;
                    return true;
                case Response::Kind::success: {
                    const bool* has_more = event.response.metadata.get_if<bool>("has_more");
                    if (has_more == nullptr || !*has_more) {
                        finish(event.response.metadata);
                        return false;
                    }
                    connection.protocol().pull(fetch_size_);
                    connection.flush(context_->exchange_deadline(deadline_));
                    break;
                }
                case Response::Kind::failure:
                    throw connection.to_error(event.response.metadata, context_->config_.database);
                case Response::Kind::ignored:
                    throw Error(System::neo4j, ErrorKind::protocol,
                                fmt::format("Neo4j at {} ignored a request for rows.",
                                            to_string(connection.address())));
            }
        }
    });
}

Summary Stream::consume() {
    check();
    consumed_ = true;
    if (context_ == nullptr) return summary_;
    context_->guard([&] {
        Connection& connection = *context_->lease_;
        while (context_ != nullptr) {
            const auto& event = connection.receive(wait_limits());
            if (event.response.kind == Response::Kind::record) continue;
            if (event.response.kind == Response::Kind::failure) {
                throw connection.to_error(event.response.metadata, context_->config_.database);
            }
            if (event.response.kind == Response::Kind::ignored) {
                throw Error(
                    System::neo4j, ErrorKind::protocol,
                    fmt::format("Neo4j at {} ignored a request for rows.", to_string(connection.address())));
            }
            const bool* has_more = event.response.metadata.get_if<bool>("has_more");
            if (has_more == nullptr || !*has_more) {
                finish(event.response.metadata);
            } else {
                connection.protocol().discard(-1);
                connection.flush(context_->exchange_deadline(deadline_));
            }
        }
    });
    return summary_;
}

void Stream::cancel() {
    if (context_ == nullptr) return;
    SessionContext& context = *context_;
    end(Error(System::neo4j, ErrorKind::cancelled, "The result was cancelled."));
    context.recover();
}

void Stream::abandon() noexcept {
    if (context_ == nullptr) return;
    try {
        if (auto_commit_ && read_only_) {
            cancel();
        } else {
            consume();
        }
    } catch (const std::exception&) {
        // Kept in error_, and the connection is closed or clean.
    }
}

void Stream::finish(const Map& metadata) {
    summary_ = summary_of(metadata);
    summary_.available_after = available_after_;
    SessionContext& context = *context_;
    context_ = nullptr;
    context.open_ = nullptr;
    if (auto_commit_) {
        context.take_bookmark(metadata);
        context.release();
    }
}

void Stream::end(const Error& error) noexcept {
    error_ = error;
    if (context_ != nullptr) context_->open_ = nullptr;
    context_ = nullptr;
}

}  // namespace crossover::bolt
