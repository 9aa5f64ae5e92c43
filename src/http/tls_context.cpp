#include "http/tls_context.h"

#include <fmt/format.h>

#include "base/error.h"

namespace crossover::http {

boost::asio::ssl::context make_tls_context(const TlsFiles& files) {
    namespace ssl = boost::asio::ssl;
    ssl::context context(ssl::context::tls_server);
    context.set_options(ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1 | SSL_OP_NO_RENEGOTIATION);
    // OpenSSL would ask at the terminal.
    context.set_password_callback([](std::size_t, ssl::context::password_purpose) { return std::string(); });

    boost::system::error_code error;
    context.use_certificate_chain_file(files.certificate_chain, error);
    if (error) {
        throw Error(
            System::config, ErrorKind::usage,
            fmt::format("cannot read a certificate chain from '{}': {}; it must be a readable PEM file",
                        files.certificate_chain, error.message()));
    }
    context.use_private_key_file(files.private_key, ssl::context::pem, error);
    if (error) {
        throw Error(
            System::config, ErrorKind::usage,
            fmt::format("cannot use '{}' as the private key of the certificate in '{}': {}; it must be "
                        "a readable PEM file without password",
                        files.private_key, files.certificate_chain, error.message()));
    }
    return context;
}

}  // namespace crossover::http
