#include "crypto/tls_words.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <memory>
#include <span>

#include "proto/base/address.hpp"

namespace ringlay::crypto::tls {
namespace {

constexpr std::size_t max_name_bytes = 64;
constexpr int max_names = 4;
constexpr int least_rsa_bits = 2048;
constexpr int alert_offset = 1000;  // reasons above it are alerts of the peer, in both libraries

template <auto release>
struct Releaser {
    template <class T>
    void operator()(T* object) const {
        release(object);
    }
};

// A peer chooses what is in its certificate, and logs are lines.
std::string printable(std::span<const unsigned char> bytes) {
    std::string text;
    for (unsigned char c : bytes.first(std::min(bytes.size(), max_name_bytes))) {
        text.push_back(c >= 0x20 && c < 0x7f ? static_cast<char>(c) : '.');
    }
    if (bytes.size() > max_name_bytes) text += "...";
    return text;
}

std::string text_of(const ASN1_STRING* string) {
    const unsigned char* data = ASN1_STRING_get0_data(string);
    return printable({data, static_cast<std::size_t>(ASN1_STRING_length(string))});
}

std::string day_of(const ASN1_TIME* time) {
    std::unique_ptr<ASN1_GENERALIZEDTIME, Releaser<ASN1_GENERALIZEDTIME_free>> whole(
        ASN1_TIME_to_generalizedtime(time, nullptr));
    std::string digits = whole ? text_of(whole.get()) : "";
    if (digits.size() < 8) return "an unknown day";
    return digits.substr(0, 4) + "-" + digits.substr(4, 2) + "-" + digits.substr(6, 2);
}

std::string address_text(const ASN1_OCTET_STRING* octets) {
    Address address;
    const unsigned char* data = ASN1_STRING_get0_data(octets);
    auto size = static_cast<std::size_t>(ASN1_STRING_length(octets));
    if (size == 4) return Address::v4(data[0], data[1], data[2], data[3], 0).ip_text();
    if (size != address.ip.size()) return "an odd address";
    std::copy_n(data, size, address.ip.begin());
    return address.ip_text();
}

// Whom a certificate is for: the first of its names and addresses.
std::string names_in(const X509* certificate) {
    std::unique_ptr<GENERAL_NAMES, Releaser<GENERAL_NAMES_free>> names(static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
    std::string text;
    int said = 0;
    const auto count = names ? sk_GENERAL_NAME_num(names.get()) : 0;
    for (auto i = count - count; i < count; ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
        if (name->type != GEN_DNS && name->type != GEN_IPADD) continue;
        if (said == max_names) return text + " and more";
        if (said++ > 0) text += ", ";
        text += name->type == GEN_DNS ? text_of(name->d.dNSName) : address_text(name->d.iPAddress);
    }
    return said == 0 ? "nobody" : text;
}

// The name of the issuer that people know: its common name, or its organization.
std::string issuer_of(const X509* certificate) {
    const X509_NAME* name = X509_get_issuer_name(certificate);
    for (int field : {NID_commonName, NID_organizationName}) {
        int at = X509_NAME_get_index_by_NID(name, field, -1);
        if (at < 0) continue;
        return text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
    }
    return "without a name";
}

}  // namespace

std::string certificate_problem(X509_STORE_CTX* checked, std::string_view host,
                                std::string_view source) {
    const int error = X509_STORE_CTX_get_error(checked);
    const X509* certificate = X509_STORE_CTX_get_current_cert(checked);
    const std::string bundle = "; bundle " + std::string(source.empty() ? "of ours" : source);
    const std::string which =
        X509_STORE_CTX_get_error_depth(checked) > 0 ? "certificate of an issuer" : "certificate";
    if (certificate != nullptr) {
        switch (error) {
            case X509_V_ERR_CERT_HAS_EXPIRED:
                return which + " has expired, on " + day_of(X509_get0_notAfter(certificate));
            case X509_V_ERR_CERT_NOT_YET_VALID:
                return which + " is not valid before " + day_of(X509_get0_notBefore(certificate)) +
                       ", if the clock of this machine is right";
            case X509_V_ERR_HOSTNAME_MISMATCH:
            case X509_V_ERR_IP_ADDRESS_MISMATCH:
                return "certificate is for " + names_in(certificate) + ", not for " +
                       std::string(host);
            case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
                return "certificate is signed by itself" + bundle;
            case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
            case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
            case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
            case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
                return "issuer not known: " + issuer_of(certificate) + bundle;
            default:
                break;
        }
    }
    return which + " refused: " + X509_verify_cert_error_string(error);
}

const char* weakness(X509_STORE_CTX* checked) {
    X509* certificate = X509_STORE_CTX_get_current_cert(checked);
    if (certificate == nullptr) return nullptr;
    std::unique_ptr<EVP_PKEY, Releaser<EVP_PKEY_free>> key(X509_get_pubkey(certificate));
    if (!key) return "certificate with a key of an unknown kind";
    if (EVP_PKEY_id(key.get()) == EVP_PKEY_RSA && EVP_PKEY_bits(key.get()) < least_rsa_bits) {
        return "certificate with an RSA key of less than 2048 bits";
    }
    // Whoever signs itself is believed for being in the bundle, not for the signature.
    if (X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)) == 0) {
        return nullptr;
    }
    switch (X509_get_signature_nid(certificate)) {
        case NID_md5WithRSAEncryption:
        case NID_sha1WithRSAEncryption:
        case NID_ecdsa_with_SHA1:
        case NID_dsaWithSHA1:
            return "certificate signed with MD5 or SHA-1";
        default:
            return nullptr;
    }
}

std::string problem_in_queue() {
    const auto code = ERR_peek_error();
    ERR_clear_error();
    if (ERR_GET_LIB(code) != ERR_LIB_SSL) {
        const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
        return reason == nullptr ? "TLS failed" : std::string("TLS failed: ") + reason;
    }
    const int reason = ERR_GET_REASON(code);
    if (reason > alert_offset && reason <= alert_offset + 255) {
        return std::string("the peer refused: ") +
               SSL_alert_desc_string_long(reason - alert_offset);
    }
    switch (reason) {
        case SSL_R_WRONG_VERSION_NUMBER:
        case SSL_R_HTTP_REQUEST:
            return "the peer does not speak TLS";
        case SSL_R_UNSUPPORTED_PROTOCOL:
            return "the peer knows no TLS 1.2 or later";
        default:
            break;
    }
    const char* words = ERR_reason_error_string(code);
    return std::string("TLS out of form: ") + (words == nullptr ? "unknown reason" : words);
}

}  // namespace ringlay::crypto::tls
