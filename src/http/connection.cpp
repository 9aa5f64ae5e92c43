#include "http/connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <tuple>

#include "base/error.h"
#include "http/target.h"

namespace crossover::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;
using Parser = beast::http::request_parser<beast::http::string_body>;
using PlainStream = asio::ip::tcp::socket;
using TlsStream = asio::ssl::stream<asio::ip::tcp::socket>;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
/// How long a client may take to see the end of a connection.
constexpr std::chrono::seconds kGoodbye{2};
/// A request with a vector of a thousand dimensions comes in one read.
constexpr std::size_t kFirstRead = 32 * 1024;
/// A shorter body goes out in one piece with its header.
constexpr std::size_t kSmallBody = 16 * 1024;

std::string_view view(beast::string_view text) {
    return {text.data(), text.size()};
}

bool is_control(char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

/// A line break in a header would begin another header, or another answer.
bool has_sound_headers(const Response& response) {
    const auto sound = [](std::string_view text) {
        return std::none_of(text.begin(), text.end(), is_control);
    };
    return sound(response.content_type) &&
           std::all_of(response.headers.begin(), response.headers.end(), [&](const auto& header) {
               return !header.first.empty() && sound(header.first) && sound(header.second) &&
                      header.first.find_first_of(": ") == std::string::npos;
           });
}

Response internal_problem() {
    return problem(500, "The server failed to answer this request; its log says why.");
}

Response overloaded(std::string_view detail) {
    Response response = problem(503, detail);
    response.headers.emplace_back("Retry-After", "1");
    return response;
}

/// One request and its answer, as far as they go.
struct Exchange {
    const Router::Route* route = nullptr;
    std::string_view pattern;
    std::string_view method = "other";
    Request request;
    Clock::time_point received;
    bool http11 = true;
    bool is_head = false;
    /// Bytes of it will not be read, so nothing that comes after them can be.
    bool abandoned = false;
    bool keep_alive = true;
};

template <class Stream>
class Connection final : public AnyConnection, public std::enable_shared_from_this<Connection<Stream>> {
  public:
    Connection(ServerState& server, Stream stream, std::string peer, bool turned_away)
        : server_(server),
          stream_(std::move(stream)),
          watchdog_(server.io),
          // Room for a request line and fields at their limits, and what is read beyond them.
          buffer_(2 * limits().header_bytes + 32 * 1024),
          peer_(std::move(peer)),
          turned_away_(turned_away) {
        server_.add(*this);
        server_.turned_away += turned_away_;
    }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection() override {
        server_.turned_away -= turned_away_;
        server_.remove(*this);
    }

    asio::awaitable<void> run() {
        watch(deadline_);
        bool open = co_await handshake();
        if (open && turned_away_) {
            co_await turn_away();
            open = false;
        }
        while (open) {
            open = co_await wait_for_request();
            if (open) open = co_await serve_request();
        }
        co_await say_goodbye();
        watchdog_.cancel();
    }

    void close_if_idle() override {
        if (idle_) cancel();
    }
    void close() override {
        error_code ignored;
        socket().close(ignored);
        watchdog_.cancel();
    }

  private:
    const Limits& limits() const { return server_.config.limits; }
    static PlainStream& lowest(PlainStream& stream) { return stream; }
    static PlainStream& lowest(TlsStream& stream) { return stream.next_layer(); }
    PlainStream& socket() { return lowest(stream_); }

    void cancel() {
        error_code ignored;
        socket().cancel(ignored);
    }

    /// From now on, input and output fail after this time. The timer is left alone where it goes off earlier,
    /// so that a request does not set it several times.
    void allow(Clock::duration time) {
        timed_out_ = false;
        deadline_ = Clock::now() + time;
        if (deadline_ < watchdog_.expiry()) watch(deadline_);
    }
    /// For the time with a handler, when nothing is read or written.
    void allow_any_time() {
        timed_out_ = false;
        deadline_ = Clock::time_point::max();
    }

    void watch(Clock::time_point until) {
        watchdog_.expires_at(until);
        watchdog_.async_wait([self = this->shared_from_this()](error_code error) {
            if (error || !self->socket().is_open()) return;
            const auto now = Clock::now();
            if (now < self->deadline_) return self->watch(self->deadline_);
            self->timed_out_ = true;
            self->cancel();
            // Between two parts of an operation there is nothing to cancel: try again until it has ended.
            self->watch(now + std::chrono::milliseconds(50));
        });
    }

    asio::awaitable<bool> handshake() {
        if constexpr (std::is_same_v<Stream, TlsStream>) {
            allow(limits().header_timeout);
            auto [error] = co_await stream_.async_handshake(TlsStream::server, kAwait);
            secured_ = !error;
            co_return secured_;
        }
        co_return true;
    }

    asio::awaitable<void> turn_away() {
        Exchange exchange;
        exchange.received = Clock::now();
        exchange.abandoned = true;
        Response response = overloaded("The server has as many connections as it takes.");
        co_await answer(exchange, response);
    }

    /// Until the first byte has arrived. False when there is none to come.
    asio::awaitable<bool> wait_for_request() {
        if (buffer_.size() > 0) co_return true;
        if (server_.draining) co_return false;
        allow(limits().idle_timeout);
        idle_ = true;
        auto [error, size] = co_await stream_.async_read_some(buffer_.prepare(kFirstRead), kAwait);
        idle_ = false;
        buffer_.commit(size);
        co_return !error;
    }

    /// Reads a request and answers it. False when the connection has to end.
    asio::awaitable<bool> serve_request() {
        Exchange exchange;
        std::optional<Response> response;
        {
            Parser parser;
            parser.header_limit(static_cast<std::uint32_t>(limits().header_bytes));
            parser.body_limit(limits().body_bytes);
            allow(limits().header_timeout);
            auto [error, size] = co_await beast::http::async_read_header(stream_, buffer_, parser, kAwait);
            exchange.is_head = parser.get().method() == beast::http::verb::head;
            if (error) {
                response = refusal(error);
                if (!response) co_return false;
            } else {
                response = examine(parser, exchange);
            }
            if (!response && !parser.is_done()) {
                error = co_await read_body(parser);
                if (error) response = refusal(error);
                if (error && !response) co_return false;
                exchange.request.body = std::move(parser.get().body());
            }
            exchange.abandoned = !parser.is_done();
            exchange.keep_alive = !exchange.abandoned && parser.keep_alive();
        }
        exchange.received = Clock::now();
        if (!response) {
            response.emplace();
            co_await handle(exchange, *response);
        }
        co_return co_await answer(exchange, *response);
    }

    /// What to answer to bytes that are no request, or that did not come; nothing where nobody is there.
    std::optional<Response> refusal(error_code error) const {
        using Parse = beast::http::error;
        if (timed_out_) return problem(408, "The request did not arrive in time.");
        if (error == Parse::end_of_stream) return std::nullopt;
        // The buffer overflows where the lines between the chunks of a body are as long as that.
        if (error == Parse::header_limit || error == Parse::buffer_overflow) {
            return problem(431, fmt::format("The header of the request is longer than {} bytes.",
                                            limits().header_bytes));
        }
        if (error == Parse::body_limit) {
            return problem(
                413, fmt::format("The body of the request is longer than {} bytes.", limits().body_bytes));
        }
        if (error.category() == make_error_code(Parse::bad_value).category()) {
            return problem(400, fmt::format("This is no HTTP/1.1 request: {}.", error.message()));
        }
        return std::nullopt;
    }

    /// Fills the request from its header. Returns what to answer where that is enough to refuse it.
    std::optional<Response> examine(const Parser& parser, Exchange& exchange) const {
        using beast::http::field;
        const auto& message = parser.get();
        exchange.http11 = message.version() == 11;
        if (message.method() != beast::http::verb::unknown) {
            exchange.method = view(beast::http::to_string(message.method()));
        }
        if (const auto hosts = message.count(field::host); hosts > 1 || (exchange.http11 && hosts == 0)) {
            return problem(400, "The request must have one Host header.");
        }
        // The parser takes other codings for no body at all: the body would be taken for the next request.
        if (const auto codings = message.count(field::transfer_encoding); codings > 0) {
            if (codings > 1 || !beast::iequals(message[field::transfer_encoding], "chunked")) {
                return problem(501, "Of transfer codings, only 'chunked' is understood.");
            }
            if (!exchange.http11) return problem(400, "HTTP/1.0 has no transfer codings.");
        }

        Target target;
        if (const auto wrong = parse_target(view(message.target()), target)) return problem(400, *wrong);
        auto match = server_.router.find(view(message.method_string()), target.segments);
        exchange.route = match.route;
        exchange.pattern = match.pattern;
        const bool open = match.route != nullptr && match.route->access == Access::anyone;
        if (server_.token && !open && !server_.token->matches(view(message[field::authorization]))) {
            Response response = problem(401,
                                        "The request must bring the server's token, as 'Authorization: "
                                        "Bearer' and the token.");
            response.headers.emplace_back("WWW-Authenticate", "Bearer");
            return response;
        }
        if (match.pattern.empty()) return problem(404, "There is nothing at this path.");
        if (match.route == nullptr) {
            Response response = problem(405, fmt::format("This path has {} only.", match.allow));
            response.headers.emplace_back("Allow", std::move(match.allow));
            return response;
        }

        Request& request = exchange.request;
        request.method = match.route->method;
        for (std::size_t i = 0; i < target.segments.size(); ++i) {
            const auto& segment = match.route->segments[i];
            if (segment.is_parameter) request.parameters.emplace(segment.text, target.segments[i]);
        }
        request.segments = std::move(target.segments);
        request.query = std::move(target.query);
        for (const auto& header : message) {
            request.headers.emplace_back(view(header.name_string()), view(header.value()));
        }
        request.peer = peer_;
        return std::nullopt;
    }

    asio::awaitable<error_code> read_body(Parser& parser) {
        allow(limits().body_timeout);
        if (buffer_.size() == 0 && parser.get().version() == 11 &&
            beast::iequals(parser.get()[beast::http::field::expect], "100-continue")) {
            static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
            auto [error, size] = co_await asio::async_write(stream_, asio::buffer(kContinue), kAwait);
            if (error) co_return error;
        }
        auto [error, size] = co_await beast::http::async_read(stream_, buffer_, parser, kAwait);
        co_return error;
    }

    /// Has the answer made by a worker.
    asio::awaitable<void> handle(const Exchange& exchange, Response& response) {
        Workers& workers = exchange.route->access == Access::anyone ? server_.probe_workers : server_.workers;
        if (workers.requests >= workers.most_requests) {
            response = overloaded("The server is busy: too many requests wait.");
            co_return;
        }
        ++workers.requests;
        allow_any_time();
        co_await asio::post(asio::bind_executor(workers.pool, asio::use_awaitable));
        run_handler(exchange, response);
        co_await asio::post(asio::bind_executor(server_.io, asio::use_awaitable));
        --workers.requests;
    }

    void run_handler(const Exchange& exchange, Response& response) const noexcept {
        const auto failed = [&](const std::exception& error) {
            server_.report(fmt::format("{} {}", exchange.route->method, exchange.pattern), error);
            response = internal_problem();
        };
        try {
            response = exchange.route->handler(exchange.request);
            if (!has_sound_headers(response)) {
                failed(Error(System::internal, ErrorKind::internal,
                             "the answer has a header with characters that no header may have"));
            }
        } catch (const std::exception& error) {
            failed(error);
        } catch (...) {
            failed(Error(System::internal, ErrorKind::internal, "something was thrown that is no exception"));
        }
    }

    /// Writes the answer. False when the connection has to end.
    asio::awaitable<bool> answer(Exchange& exchange, const Response& response) {
        abandoned_ = exchange.abandoned;
        exchange.keep_alive = exchange.keep_alive && !exchange.abandoned && !server_.draining;
        const bool has_body = response.status >= 200 && response.status != 204 && response.status != 304;
        write_head(exchange, response, has_body);
        std::array<asio::const_buffer, 2> pieces;
        if (has_body && !exchange.is_head) {
            if (response.body.size() <= kSmallBody) {
                head_ += response.body;
            } else {
                pieces[1] = asio::buffer(response.body);
            }
        }
        pieces[0] = asio::buffer(head_);
        allow(limits().write_timeout);
        auto [error, size] = co_await asio::async_write(stream_, pieces, kAwait);
        if (server_.config.observe) {
            server_.config.observe(
                {exchange.pattern, exchange.method, response.status, Clock::now() - exchange.received});
        }
        co_return !error && exchange.keep_alive;
    }

    void write_head(const Exchange& exchange, const Response& response, bool has_body) {
        head_.clear();
        auto out = std::back_inserter(head_);
        const auto reason = beast::http::obsolete_reason(beast::http::int_to_status(response.status));
        fmt::format_to(out, "HTTP/1.1 {} {}\r\nDate: {}\r\n", response.status, view(reason), server_.date());
        if (has_body) {
            if (!response.content_type.empty()) {
                fmt::format_to(out, "Content-Type: {}\r\n", response.content_type);
            }
            fmt::format_to(out, "Content-Length: {}\r\n", response.body.size());
        }
        for (const auto& [name, value] : response.headers) fmt::format_to(out, "{}: {}\r\n", name, value);
        if (!exchange.keep_alive) {
            head_ += "Connection: close\r\n";
        } else if (!exchange.http11) {
            head_ += "Connection: keep-alive\r\n";
        }
        head_ += "\r\n";
    }

    /// Lets the client read the last answer: to close with bytes unread resets the connection, and a reset
    /// overtakes what was sent.
    asio::awaitable<void> say_goodbye() {
        allow(kGoodbye);
        if constexpr (std::is_same_v<Stream, TlsStream>) {
            if (secured_) co_await stream_.async_shutdown(kAwait);
        }
        error_code error;
        socket().shutdown(PlainStream::shutdown_send, error);
        if (abandoned_ || buffer_.size() > 0 || (!error && socket().available(error) > 0)) {
            std::size_t size = 0;
            buffer_.clear();
            while (!error) {
                std::tie(error, size) =
                    co_await socket().async_read_some(buffer_.prepare(kFirstRead), kAwait);
            }
        }
        socket().close(error);
    }

    ServerState& server_;
    Stream stream_;
    asio::steady_timer watchdog_;
    Clock::time_point deadline_ = Clock::time_point::max();
    bool timed_out_ = false;
    bool idle_ = true;
    bool abandoned_ = false;
    bool secured_ = false;
    beast::flat_buffer buffer_;
    std::string head_;
    const std::string peer_;
    const bool turned_away_;
};

template <class Stream>
void serve(ServerState& server, Stream stream, std::string peer, bool turned_away) {
    auto connection =
        std::make_shared<Connection<Stream>>(server, std::move(stream), std::move(peer), turned_away);
    asio::co_spawn(
        server.io, [connection] { return connection->run(); },
        [&server, connection](std::exception_ptr failure) {
            if (!failure) return;
            connection->close();
            try {
                std::rethrow_exception(failure);
            } catch (const std::exception& error) {
                server.report("connection", error);
            }
        });
}

}  // namespace

void serve_connection(ServerState& server, asio::ip::tcp::socket socket, bool turned_away) {
    error_code error;
    socket.set_option(asio::ip::tcp::no_delay(true), error);
    const auto remote = socket.remote_endpoint(error);
    if (error) return;
    std::string host = remote.address().to_string();
    if (remote.address().is_v6()) host = fmt::format("[{}]", host);
    std::string peer = fmt::format("{}:{}", host, remote.port());
    if (server.tls) {
        serve(server, TlsStream(std::move(socket), *server.tls), std::move(peer), turned_away);
    } else {
        serve(server, std::move(socket), std::move(peer), turned_away);
    }
}

}  // namespace crossover::http
