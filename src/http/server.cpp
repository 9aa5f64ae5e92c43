#include "http/server.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <future>
#include <thread>

#include "base/background.h"
#include "base/error.h"
#include "http/connection.h"
#include "http/listen_address.h"
#include "http/server_state.h"
#include "http/tls_context.h"

namespace crossover::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
/// Of the connections over the limit, so many are told so at once; the rest are closed without a word.
constexpr std::size_t kTurnedAwayAtOnce = 64;
constexpr std::size_t kWaitingProbes = 16;

[[noreturn]] void refuse(const std::string& message) {
    throw Error(System::config, ErrorKind::usage, message);
}

}  // namespace

ServerState::ServerState(ServerConfig configuration, Router routes)
    : config(std::move(configuration)),
      router(std::move(routes)),
      workers(config.workers, config.limits.waiting_requests),
      probe_workers(1, kWaitingProbes) {
    if (!config.token.empty()) token.emplace(config.token);
    if (config.tls) tls.emplace(make_tls_context(*config.tls));
}

void ServerState::report(std::string_view where, const std::exception& error) const {
    if (config.report) config.report(where, error);
}

const std::string& ServerState::date() {
    const std::time_t now = std::time(nullptr);
    if (now != date_of) {
        date_of = now;
        date_text = fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", fmt::gmtime(now));
    }
    return date_text;
}

void ServerState::add(AnyConnection& connection) {
    connections.insert(&connection);
}

void ServerState::remove(AnyConnection& connection) {
    connections.erase(&connection);
    if (draining && connections.empty()) drained();
}

struct Server::Impl {
    Impl(ServerConfig config, Router router)
        : state(std::move(config), std::move(router)), acceptor(state.io), accept_pause(state.io) {}

    void resolve() {
        const ListenAddress address = parse_listen_address(state.config.listen);
        error_code error;
        endpoints =
            tcp::resolver(state.io).resolve(address.host, std::to_string(address.port),
                                            tcp::resolver::passive | tcp::resolver::numeric_service, error);
        if (error) refuse(fmt::format("cannot listen on '{}': {}", state.config.listen, error.message()));
    }

    /// A name may have addresses that this machine does not: the first that works will do.
    void listen() {
        error_code error;
        for (const auto& candidate : endpoints) {
            acceptor.close(error);
            listen(candidate.endpoint(), error);
            if (!error) return;
        }
        refuse(fmt::format(
            "cannot listen on '{}': {}{}", state.config.listen, error.message(),
            error == asio::error::address_in_use ? "; stop what listens there, or choose another port" : ""));
    }

    void listen(const tcp::endpoint& endpoint, error_code& error) {
        acceptor.open(endpoint.protocol(), error);
        if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
        if (!error) acceptor.bind(endpoint, error);
        if (!error) acceptor.listen(tcp::acceptor::max_listen_connections, error);
        if (!error) port = acceptor.local_endpoint(error).port();
    }

    asio::awaitable<void> accept() {
        while (acceptor.is_open()) {
            auto [error, socket] = co_await acceptor.async_accept(kAwait);
            if (!error) {
                admit(std::move(socket));
            } else if (error != asio::error::operation_aborted && error != asio::error::connection_aborted) {
                // No descriptors or memory: that passes, but not by trying harder.
                state.report("accept", Error(System::internal, ErrorKind::io,
                                             "cannot accept connections: " + error.message()));
                accept_pause.expires_after(std::chrono::milliseconds(200));
                co_await accept_pause.async_wait(kAwait);
            }
        }
    }

    void keep_accepting() {
        asio::co_spawn(
            state.io, [this] { return accept(); },
            [this](std::exception_ptr failure) {
                if (!failure) return;
                keep_accepting();
                std::rethrow_exception(failure);  // to the thread, which logs it and goes on
            });
    }

    void admit(tcp::socket socket) {
        if (state.draining) return;
        const bool full = state.connections.size() - state.turned_away >= state.config.limits.connections;
        if (full && state.turned_away >= kTurnedAwayAtOnce) return;
        try {
            serve_connection(state, std::move(socket), full);
        } catch (const std::exception& error) {
            state.report("accept", error);
        }
    }

    void begin_drain() {
        state.draining = true;
        error_code ignored;
        acceptor.close(ignored);
        accept_pause.cancel();
        if (state.connections.empty()) return state.drained();
        for (AnyConnection* connection : state.connections) connection->close_if_idle();
    }

    void close_all() {
        // First, so that who sees a connection closed knows that its request will not be begun.
        for (Workers* workers : {&state.workers, &state.probe_workers}) workers->pool.stop();
        for (AnyConnection* connection : state.connections) connection->close();
    }

    ServerState state;
    tcp::acceptor acceptor;
    asio::steady_timer accept_pause;
    tcp::resolver::results_type endpoints;
    std::uint16_t port = 0;
    std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work;
    std::jthread io_thread;
};

Server::Server(ServerConfig config, Router router)
    : impl_(std::make_unique<Impl>(std::move(config), std::move(router))) {
    impl_->resolve();
    const auto& endpoints = impl_->endpoints;
    const bool loopback = std::all_of(endpoints.begin(), endpoints.end(), [](const auto& candidate) {
        return candidate.endpoint().address().is_loopback();
    });
    if (!loopback && !impl_->state.token && impl_->state.router.wants_token()) {
        refuse(fmt::format(
            "'{}' can be reached from other machines, so requests must bring a token: set a bearer "
            "token (SERVICE_TOKEN), or listen on 127.0.0.1",
            impl_->state.config.listen));
    }
}

Server::~Server() {
    drain(Deadline::at(Deadline::Clock::now()));
    for (Workers* workers : {&impl_->state.workers, &impl_->state.probe_workers}) workers->pool.join();
}

void Server::start() {
    impl_->listen();
    impl_->work.emplace(impl_->state.io.get_executor());
    impl_->keep_accepting();
    impl_->io_thread = in_background(
        "http", [this](const std::stop_token&) { impl_->state.io.run(); },
        [this](std::string_view thread, std::string_view error) {
            impl_->state.report(thread, std::runtime_error(std::string(error)));
        },
        std::chrono::milliseconds(50));
}

std::uint16_t Server::port() const {
    return impl_->port;
}

bool Server::drain(Deadline deadline) {
    if (!impl_->io_thread.joinable()) return true;
    std::promise<void> last_gone;
    auto gone = last_gone.get_future();
    bool told = false;
    asio::post(impl_->state.io, [&] {
        impl_->state.drained = [&] {
            if (!std::exchange(told, true)) last_gone.set_value();
        };
        impl_->begin_drain();
    });
    const bool all = gone.wait_until(deadline.point()) == std::future_status::ready;
    asio::post(impl_->state.io, [&] {
        impl_->close_all();
        impl_->state.io.stop();
    });
    impl_->io_thread.join();
    // What is left is destroyed later, when there is nobody to tell.
    impl_->state.drained = [] {};
    return all;
}

}  // namespace crossover::http
