#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <array>
#include <ctime>
#include <memory>

#include "crypto/tls.hpp"
#include "proto/base/address.hpp"
#include "proto/base/assert.hpp"

namespace ringlay::crypto {
namespace {

constexpr std::size_t max_names = 1000;
constexpr std::size_t max_name_bytes = 253;
constexpr std::size_t max_common_name_bytes = 64;  // RFC 5280, ub-common-name
constexpr long version_3 = 2;                      // as it is written in a certificate

template <auto release>
struct Releaser {
    template <class T>
    void operator()(T* object) const {
        release(object);
    }
};
using Certificate = std::unique_ptr<X509, Releaser<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Releaser<EVP_PKEY_free>>;
using CurveKey = std::unique_ptr<EC_KEY, Releaser<EC_KEY_free>>;
using Names = std::unique_ptr<GENERAL_NAMES, Releaser<GENERAL_NAMES_free>>;
using File = std::unique_ptr<BIO, Releaser<BIO_free>>;

Key new_key() {
    CurveKey curve_key(EC_KEY_new_by_curve_name(NID_X9_62_prime256v1));
    Key key(EVP_PKEY_new());
    bool done = EC_KEY_generate_key(curve_key.get()) == 1 &&
                EVP_PKEY_set1_EC_KEY(key.get(), curve_key.get()) == 1;
    RINGLAY_ASSERT(done);
    return key;
}

bool is_name(std::string_view name) {
    if (name.empty() || name.size() > max_name_bytes) return false;
    for (char c : name) {
        if (c <= 0x20 || c >= 0x7f) return false;
    }
    return true;
}

void add_name(GENERAL_NAMES* names, const std::string& text) {
    GENERAL_NAME* name = GENERAL_NAME_new();
    auto address = Address::parse(text, 0);
    const void* data = text.data();
    std::size_t size = text.size();
    if (address) {
        std::size_t skipped = address->is_v4() ? 12 : 0;
        data = address->ip.data() + skipped;
        size = address->ip.size() - skipped;
    }
    ASN1_STRING* value = ASN1_STRING_type_new(address ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
    bool done = ASN1_STRING_set(value, data, static_cast<int>(size)) == 1;
    RINGLAY_ASSERT(done);
    GENERAL_NAME_set0_value(name, address ? GEN_IPADD : GEN_DNS, value);
    sk_GENERAL_NAME_push(names, name);
}

void add_extensions(X509* certificate, std::span<const std::string> names) {
    Names others(GENERAL_NAMES_new());
    for (const std::string& name : names) add_name(others.get(), name);
    std::unique_ptr<BASIC_CONSTRAINTS, Releaser<BASIC_CONSTRAINTS_free>> constraints(
        BASIC_CONSTRAINTS_new());
    constraints->ca = 0;
    bool done = X509_add1_ext_i2d(certificate, NID_subject_alt_name, others.get(), 0, 0) == 1 &&
                X509_add1_ext_i2d(certificate, NID_basic_constraints, constraints.get(), 1, 0) == 1;
    RINGLAY_ASSERT(done);
}

void set_subject(X509* certificate, std::string_view common_name) {
    X509_NAME* name = X509_get_subject_name(certificate);
    const auto* text = reinterpret_cast<const unsigned char*>(common_name.data());
    bool done = X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_ASC, text,
                                           static_cast<int>(common_name.size()), -1, 0) == 1 &&
                X509_set_issuer_name(certificate, name) == 1;
    RINGLAY_ASSERT(done);
}

void set_serial(X509* certificate) {
    std::array<unsigned char, 8> bytes{};
    RAND_bytes(bytes.data(), static_cast<int>(bytes.size()));
    bytes[0] &= 0x7f;
    bytes[0] |= 0x40;  // positive, and never short
    std::uint64_t serial = 0;
    for (unsigned char byte : bytes) serial = serial << 8 | byte;
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial);
}

template <class Write>
std::string pem_of(Write write) {
    File file(BIO_new(BIO_s_mem()));
    bool done = write(file.get()) == 1;
    RINGLAY_ASSERT(done);
    char* data = nullptr;
    const auto size = BIO_get_mem_data(file.get(), &data);
    return {data, static_cast<std::size_t>(size)};
}

}  // namespace

Result<TlsIdentity> make_self_signed(std::span<const std::string> names,
                                     std::int64_t not_before_unix_s, std::uint32_t days) {
    if (names.empty() || names.size() > max_names) {
        return fail(Errc::invalid, "certificate: number of names");
    }
    for (const std::string& name : names) {
        if (!is_name(name)) return fail(Errc::invalid, "certificate: name");
    }
    Key key = new_key();
    Certificate certificate(X509_new());
    X509* raw = certificate.get();
    auto from = static_cast<std::time_t>(not_before_unix_s);
    // Without a year of four digits there is no end that can be written down.
    bool has_span =
        ASN1_TIME_adj(X509_getm_notBefore(raw), from, 0, 0) != nullptr &&
        ASN1_TIME_adj(X509_getm_notAfter(raw), from, static_cast<int>(days), 0) != nullptr;
    if (!has_span) {
        ERR_clear_error();
        return fail(Errc::invalid, "certificate: time");
    }
    std::string_view first = names.front();
    set_subject(raw, first.size() <= max_common_name_bytes ? first : "ringlay");
    set_serial(raw);
    add_extensions(raw, names);
    bool done = X509_set_version(raw, version_3) == 1 && X509_set_pubkey(raw, key.get()) == 1 &&
                X509_sign(raw, key.get(), EVP_sha256()) > 0;
    RINGLAY_ASSERT(done);
    TlsIdentity identity;
    identity.certificate_pem = pem_of([&](BIO* out) { return PEM_write_bio_X509(out, raw); });
    identity.private_key_pem = pem_of([&](BIO* out) {
        return PEM_write_bio_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    });
    ERR_clear_error();
    return identity;
}

}  // namespace ringlay::crypto
