#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

namespace crossover::test {

template <auto function>
struct Free {
    template <class T>
    void operator()(T* object) const {
        function(object);
    }
};
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;

/// A PEM file that goes away again.
class PemFile {
  public:
    template <class Write>
    explicit PemFile(Write write) : path_(std::filesystem::temp_directory_path() / "crossover-tls-XXXXXX") {
        std::FILE* out = ::fdopen(::mkstemp(path_.data()), "w");
        write(out);
        std::fclose(out);
    }
    PemFile(const PemFile&) = delete;
    PemFile& operator=(const PemFile&) = delete;
    ~PemFile() { std::filesystem::remove(path_); }

    const std::string& path() const { return path_; }

  private:
    std::string path_;
};

/// A self-signed certificate for one host, in memory and as a PEM file that can serve as CA file; and its
/// key.
struct TlsIdentity {
    explicit TlsIdentity(const std::string& alternative_name)
        : key(EVP_EC_gen("P-256")),
          certificate(make_certificate(key.get(), alternative_name)),
          pem([&](std::FILE* out) { PEM_write_X509(out, certificate.get()); }),
          key_pem([&](std::FILE* out) {
              PEM_write_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
          }) {}

    Key key;
    Certificate certificate;
    PemFile pem;
    PemFile key_pem;

  private:
    static Certificate make_certificate(EVP_PKEY* key, const std::string& alternative_name) {
        Certificate certificate(X509_new());
        X509_set_version(certificate.get(), X509_VERSION_3);
        ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
        X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
        X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
        X509_set_pubkey(certificate.get(), key);
        X509_NAME* name = X509_get_subject_name(certificate.get());
        const auto* common = reinterpret_cast<const unsigned char*>("crossover test");
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, common, -1, -1, 0);
        X509_set_issuer_name(certificate.get(), name);
        X509_EXTENSION* extension =
            X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, alternative_name.c_str());
        X509_add_ext(certificate.get(), extension, -1);
        X509_EXTENSION_free(extension);
        X509_sign(certificate.get(), key, EVP_sha256());
        return certificate;
    }
};

}  // namespace crossover::test
