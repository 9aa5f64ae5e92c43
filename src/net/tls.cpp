#include "net/tls.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <limits>
#include <mutex>

#include "net/socket.h"

namespace crossover::net {
namespace {

template <auto function>
struct Free {
    template <class T>
    void operator()(T* object) const noexcept {
        function(object);
    }
};
using Context = std::unique_ptr<SSL_CTX, Free<SSL_CTX_free>>;
using Session = std::unique_ptr<SSL, Free<SSL_free>>;
using Method = std::unique_ptr<BIO_METHOD, Free<BIO_meth_free>>;

/// OpenSSL's own socket BIO writes without MSG_NOSIGNAL: a server that hangs up would kill the process by
/// SIGPIPE. This one goes through Socket.
int finish(BIO* bio, const Socket::Attempt& attempt, int retry_flag) {
    BIO_clear_retry_flags(bio);
    switch (attempt.progress) {
        case Socket::Progress::done:
            return static_cast<int>(attempt.bytes);
        case Socket::Progress::would_block:
            BIO_set_flags(bio, retry_flag | BIO_FLAGS_SHOULD_RETRY);
            return -1;
        case Socket::Progress::closed:
            return 0;
        case Socket::Progress::failed:
            break;
    }
    return -1;
}

int bio_read(BIO* bio, char* buffer, int size) {
    auto& socket = *static_cast<Socket*>(BIO_get_data(bio));
    const auto span = std::span(reinterpret_cast<std::byte*>(buffer), static_cast<std::size_t>(size));
    return finish(bio, socket.try_read(span), BIO_FLAGS_READ);
}

int bio_write(BIO* bio, const char* bytes, int size) {
    auto& socket = *static_cast<Socket*>(BIO_get_data(bio));
    const auto span = std::span(reinterpret_cast<const std::byte*>(bytes), static_cast<std::size_t>(size));
    return finish(bio, socket.try_write(span), BIO_FLAGS_WRITE);
}

long bio_control(BIO*, int command, long, void*) {
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

const BIO_METHOD* socket_method() {
    static const Method method = [] {
        Method made(BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "crossover socket"));
        if (made) {
            BIO_meth_set_read(made.get(), bio_read);
            BIO_meth_set_write(made.get(), bio_write);
            BIO_meth_set_ctrl(made.get(), bio_control);
        }
        return made;
    }();
    return method.get();
}

std::string openssl_reason() {
    const unsigned long code = ERR_peek_last_error();
    ERR_clear_error();
    if (code == 0) return "the connection was lost";
    const char* reason = ERR_reason_error_string(code);
    return reason == nullptr ? fmt::format("OpenSSL error {:#x}", code) : reason;
}

bool is_address(const std::string& host) {
    unsigned char buffer[sizeof(in6_addr)];
    return inet_pton(AF_INET, host.c_str(), buffer) == 1 || inet_pton(AF_INET6, host.c_str(), buffer) == 1;
}

Context make_context(const TlsOptions& options, System system) {
    ERR_clear_error();
    Context context(SSL_CTX_new(TLS_client_method()));
    if (!context || SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) != 1) {
        throw Error(system, ErrorKind::internal, "cannot set up TLS: " + openssl_reason());
    }
    SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context.get(), 1);
    if (options.trust == TlsTrust::any_certificate) {
        SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
        return context;
    }
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    if (options.ca_file.empty()) {
        SSL_CTX_set_default_verify_paths(context.get());
    } else if (SSL_CTX_load_verify_locations(context.get(), options.ca_file.c_str(), nullptr) != 1) {
        throw Error(system, ErrorKind::usage,
                    fmt::format("cannot read certificates from '{}': {}; it must be a readable PEM file",
                                options.ca_file, openssl_reason()));
    }
    return context;
}

/// OpenSSL allows one thread at a time in a session. The mutex is held during attempts only, which never
/// wait, so a reader that waits for the server does not keep a writer out.
class TlsStream final : public ByteStream {
  public:
    TlsStream(Socket socket, const std::string& host, const TlsOptions& options)
        : socket_(std::move(socket)),
          context_(make_context(options, socket_.system())),
          session_(SSL_new(context_.get())) {
        BIO* bio = session_ && socket_method() != nullptr ? BIO_new(socket_method()) : nullptr;
        if (bio == nullptr) throw set_up_failed();
        BIO_set_data(bio, &socket_);
        BIO_set_init(bio, 1);
        SSL_set_bio(session_.get(), bio, bio);
        SSL_set_connect_state(session_.get());
        bool named = true;
        if (is_address(host)) {
            X509_VERIFY_PARAM* parameters = SSL_get0_param(session_.get());
            named = X509_VERIFY_PARAM_set1_ip_asc(parameters, host.c_str()) == 1;
        } else {
            named = SSL_set_tlsext_host_name(session_.get(), host.c_str()) == 1 &&
                    SSL_set1_host(session_.get(), host.c_str()) == 1;
        }
        if (!named) throw set_up_failed();
    }

    void handshake(Deadline deadline) {
        constexpr std::string_view kDoing = "TLS handshake with";
        while (true) {
            ERR_clear_error();
            const int result = SSL_do_handshake(session_.get());
            if (result == 1) return;
            const int code = SSL_get_error(session_.get(), result);
            if (code == SSL_ERROR_WANT_READ || code == SSL_ERROR_WANT_WRITE) {
                wait(code, deadline, kDoing);
                continue;
            }
            const long verdict = SSL_get_verify_result(session_.get());
            if (code == SSL_ERROR_SSL && verdict != X509_V_OK) throw refused(verdict);
            throw Error(socket_.system(), ErrorKind::unreachable,
                        fmt::format("{} {} failed: {}; does the server offer TLS on this port?", kDoing,
                                    socket_.peer(), openssl_reason()));
        }
    }

    std::size_t read_some(std::span<std::byte> buffer, Deadline deadline) override {
        return transfer("reading from", deadline, [&](std::size_t& count) {
            return SSL_read_ex(session_.get(), buffer.data(), buffer.size(), &count);
        });
    }

    void write(std::span<const std::byte> bytes, Deadline deadline) override {
        while (!bytes.empty()) {
            bytes = bytes.subspan(transfer("writing to", deadline, [&](std::size_t& count) {
                return SSL_write_ex(session_.get(), bytes.data(), bytes.size(), &count);
            }));
        }
    }

    void shutdown() noexcept override { socket_.shutdown(); }
    const std::string& peer() const noexcept override { return socket_.peer(); }

    bool idle_and_open() noexcept override {
        // The socket alone cannot tell: TLS 1.3 sends session tickets unasked. Peeking takes them in.
        const std::lock_guard lock(mutex_);
        ERR_clear_error();
        std::byte probe;
        std::size_t count = 0;
        const int result = SSL_peek_ex(session_.get(), &probe, 1, &count);
        return result != 1 && SSL_get_error(session_.get(), result) == SSL_ERROR_WANT_READ;
    }

  private:
    template <class Operation>
    std::size_t transfer(std::string_view doing, Deadline deadline, Operation operation) {
        while (true) {
            int code = 0;
            std::string reason;
            {
                const std::lock_guard lock(mutex_);
                ERR_clear_error();
                std::size_t count = 0;
                const int result = operation(count);
                if (result == 1) return count;
                code = SSL_get_error(session_.get(), result);
                if (code != SSL_ERROR_WANT_READ && code != SSL_ERROR_WANT_WRITE) {
                    reason =
                        code == SSL_ERROR_ZERO_RETURN ? "the server closed the connection" : openssl_reason();
                }
            }
            if (!reason.empty()) throw socket_.lost(doing, reason);
            wait(code, deadline, doing);
        }
    }

    void wait(int code, Deadline deadline, std::string_view doing) const {
        const auto ready = code == SSL_ERROR_WANT_READ ? Socket::Ready::read : Socket::Ready::write;
        socket_.wait(ready, deadline, doing);
    }

    Error set_up_failed() const {
        return Error(socket_.system(), ErrorKind::internal,
                     fmt::format("cannot set up TLS for {}: {}", socket_.peer(), openssl_reason()));
    }

    Error refused(long verdict) const {
        ERR_clear_error();
        return Error(
            socket_.system(), ErrorKind::authentication,
            fmt::format("the certificate of {} was refused: {}; name the authority that signed it, or the "
                        "host that it was issued for",
                        socket_.peer(), X509_verify_cert_error_string(verdict)));
    }

    Socket socket_;
    Context context_;
    Session session_;
    std::mutex mutex_;
};

}  // namespace

std::unique_ptr<ByteStream> tls_connect(const std::string& host, std::uint16_t port,
                                        const TlsOptions& options, Deadline deadline, System system) {
    auto stream = std::make_unique<TlsStream>(Socket::connect(host, port, deadline, system), host, options);
    stream->handshake(deadline);
    return stream;
}

}  // namespace crossover::net
