#include "crypto/tls.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#ifdef OPENSSL_IS_BORINGSSL
#include <openssl/pool.h>
#endif

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "crypto/tls_words.hpp"
#include "proto/base/address.hpp"
#include "proto/base/assert.hpp"

namespace ringlay::crypto {
namespace {

constexpr std::size_t max_record_bytes = 16 * 1024;
constexpr std::size_t record_overhead_bytes = 512;  // more than any cipher adds
constexpr std::size_t max_unsent_bytes = 64 * 1024;
constexpr std::size_t max_idle_talk_bytes = 256 * 1024;  // without one plain byte
constexpr std::size_t max_bundle_bytes = 16 * 1024 * 1024;
constexpr int max_chain_depth = 10;
constexpr std::string_view alpn = "\x08http/1.1";

// Forward secrecy and authenticated encryption only. TLS 1.3 has nothing else.
constexpr const char* ciphers_of_tls_1_2 = "ECDHE+AESGCM:ECDHE+CHACHA20";

template <auto release>
struct Releaser {
    template <class T>
    void operator()(T* object) const {
        release(object);
    }
};
using Context = std::unique_ptr<SSL_CTX, Releaser<SSL_CTX_free>>;
using Connection = std::unique_ptr<SSL, Releaser<SSL_free>>;
using Certificate = std::unique_ptr<X509, Releaser<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Releaser<EVP_PKEY_free>>;
using File = std::unique_ptr<BIO, Releaser<BIO_free>>;

std::unexpected<std::string> refuse(std::string words) {
    ERR_clear_error();
    return std::unexpected(std::move(words));
}

File text_file(std::string_view text) {
    File file(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
    RINGLAY_ASSERT(file != nullptr);
    return file;
}

// The next certificate of a text; none: it has ended, or what follows cannot be read.
Certificate next_certificate(BIO* text) {
    return Certificate(PEM_read_bio_X509(text, nullptr, nullptr, nullptr));
}

bool has_ended_well() {
    const auto code = ERR_peek_last_error();
    return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

// BoringSSL can leave certificates unparsed but while they are checked (check_chain below), which
// saves 10 KB for each connection.
const SSL_METHOD* client_method() {
#ifdef OPENSSL_IS_BORINGSSL
    return TLS_with_buffers_method();
#else
    return TLS_client_method();
#endif
}

// Whom the certificate has to be for. False: no name of a host.
bool want_host(X509_VERIFY_PARAM* wanted, std::string_view host) {
    X509_VERIFY_PARAM_set_depth(wanted, max_chain_depth);
    if (auto address = Address::parse(host, 0)) {
        return X509_VERIFY_PARAM_set1_ip_asc(wanted, address->ip_text().c_str()) == 1;
    }
    X509_VERIFY_PARAM_set_hostflags(
        wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return X509_VERIFY_PARAM_set1_host(wanted, host.data(), host.size()) == 1;
}

Context new_context(const SSL_METHOD* method) {
    Context context(SSL_CTX_new(method));
    RINGLAY_ASSERT(context != nullptr);
    bool done = SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) == 1 &&
                SSL_CTX_set_cipher_list(context.get(), ciphers_of_tls_1_2) == 1;
    RINGLAY_ASSERT(done);
    SSL_CTX_set_options(context.get(), SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    // A connection lasts for days: resuming a session would save little and keep memory.
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
#ifndef OPENSSL_IS_BORINGSSL
    // The order of BoringSSL: 128 bits are enough, and cheaper.
    done = SSL_CTX_set_ciphersuites(context.get(),
                                    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
                                    "TLS_CHACHA20_POLY1305_SHA256") == 1;
    RINGLAY_ASSERT(done);
#endif
    return context;
}

int select_alpn(SSL*, const unsigned char** out, unsigned char* out_size,
                const unsigned char* offered, unsigned int offered_size, void*) {
    const auto* ours = reinterpret_cast<const unsigned char*>(alpn.data());
    unsigned char* chosen = nullptr;
    int result = SSL_select_next_proto(&chosen, out_size, ours, alpn.size(), offered, offered_size);
    if (result != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

// Where distributions keep their bundle.
constexpr std::array<const char*, 5> usual_bundles{
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem"};

// The text of a file; nothing if there is none.
std::optional<std::string> text_of_file(const std::string& path) {
    File file(BIO_new_file(path.c_str(), "rb"));
    std::string text;
    std::array<char, 16 * 1024> piece;
    while (file && text.size() <= max_bundle_bytes) {
        int size = BIO_read(file.get(), piece.data(), static_cast<int>(piece.size()));
        if (size <= 0) break;
        text.append(piece.data(), static_cast<std::size_t>(size));
    }
    ERR_clear_error();
    return file ? std::optional(std::move(text)) : std::nullopt;
}

}  // namespace

// ----- contexts

struct TlsClientContext::Core {
#ifdef OPENSSL_IS_BORINGSSL
    // The certificates that are kept of peers: those of authorities once for all connections.
    std::unique_ptr<CRYPTO_BUFFER_POOL, Releaser<CRYPTO_BUFFER_POOL_free>> pool{
        CRYPTO_BUFFER_POOL_new()};
#endif
    Context context = new_context(client_method());
    std::unique_ptr<X509_STORE, Releaser<X509_STORE_free>> authorities{X509_STORE_new()};
    std::size_t authority_count = 0;
    std::string source;
};

struct TlsServerContext::Core {
    Context context = new_context(TLS_server_method());
};

struct TlsEngine::Core {
    explicit Core(SSL_CTX* context);

    static int read_input(BIO* bio, char* out, int size);
    static int write_output(BIO* bio, const char* bytes, int size);
    static long control(BIO* bio, int command, long argument, void* pointer);
    static BIO_METHOD* new_pipe();
    static int check_certificate(int is_good, X509_STORE_CTX* checked);
#ifdef OPENSSL_IS_BORINGSSL
    static ssl_verify_result_t check_chain(SSL* connection, std::uint8_t* alert);
    bool is_believed(const STACK_OF(CRYPTO_BUFFER) * chain, std::uint8_t* alert);
#endif

    std::unexpected<Error> fail_with(const Error& why, std::string words);
    std::unexpected<Error> fail_by(std::string_view what);
    void append_output(Bytes bytes);
    std::size_t unsent_bytes() const { return showing.size() - taken + behind.size(); }
    void keep_input();

    Connection connection;
    std::string host;                            // of a client
    const TlsClientContext* believer = nullptr;  // of a client
    bool is_finished = false;                    // the handshake
    std::optional<Error> error;
    std::string failure;

    // What has come and was not read yet: in `kept` or with the caller.
    Bytes input;
    Buffer kept;
    bool has_input_ended = false;
    bool was_cut = false;
    std::size_t idle_talk_bytes = 0;  // since the last plain byte
    std::size_t undelivered_bytes = 0;

    // What is to be sent. Whoever looks at `showing` may hold on to it; then the rest waits.
    Buffer showing;
    std::size_t taken = 0;
    Buffer behind;
    bool is_looked_at = false;
};

std::expected<std::unique_ptr<TlsClientContext>, std::string> TlsClientContext::from_pem(
    std::string_view bundle) {
    if (bundle.size() > max_bundle_bytes) return refuse("too large for a bundle of certificates");
    auto core = std::make_unique<Core>();
    SSL_CTX* context = core->context.get();
    X509_STORE* store = core->authorities.get();
    File text = text_file(bundle);
    ERR_clear_error();
    for (;;) {
        if (Certificate certificate = next_certificate(text.get())) {
            if (X509_STORE_add_cert(store, certificate.get()) == 1) ++core->authority_count;
            ERR_clear_error();
            continue;
        }
        if (has_ended_well()) break;
        // One that the library does not know how to read is not believed; the others are.
        bool is_form = ERR_GET_LIB(ERR_peek_last_error()) == ERR_LIB_PEM;
        ERR_clear_error();
        if (is_form) {
            return refuse("out of form behind " + std::to_string(core->authority_count) +
                          " certificates");
        }
    }
    ERR_clear_error();
    if (core->authority_count == 0) return refuse("no certificate in it");
#ifdef OPENSSL_IS_BORINGSSL
    SSL_CTX_set_custom_verify(context, SSL_VERIFY_PEER, TlsEngine::Core::check_chain);
    SSL_CTX_set0_buffer_pool(context, core->pool.get());
#else
    SSL_CTX_set1_cert_store(context, store);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, TlsEngine::Core::check_certificate);
#endif
    // Zero means success, unlike everywhere else.
    int refused =
        SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>(alpn.data()),
                                static_cast<unsigned>(alpn.size()));
    RINGLAY_ASSERT(refused == 0);
    return std::unique_ptr<TlsClientContext>(new TlsClientContext(std::move(core)));
}

std::expected<std::unique_ptr<TlsClientContext>, std::string> TlsClientContext::load(
    const std::string& bundle) {
    std::vector<std::string> places;
    if (!bundle.empty()) {
        places.push_back(bundle);
    } else {
        places.assign(usual_bundles.begin(), usual_bundles.end());
    }
    std::string looked_for;
    for (const std::string& place : places) {
        looked_for.append(looked_for.empty() ? "" : ", ").append(place);
        auto text = text_of_file(place);
        if (!text) continue;
        auto made = from_pem(*text);
        if (!made) return refuse("certificate authorities: " + place + ": " + made.error());
        (*made)->core_->source = place;
        return made;
    }
    return refuse("no certificate authorities: looked for " + looked_for +
                  " (install ca-certificates, or set SSL_CERT_FILE)");
}

TlsClientContext::TlsClientContext(std::unique_ptr<Core> core) : core_(std::move(core)) {}
TlsClientContext::~TlsClientContext() = default;
std::size_t TlsClientContext::authority_count() const {
    return core_->authority_count;
}
const std::string& TlsClientContext::source() const {
    return core_->source;
}

TlsEngine TlsClientContext::connect(std::string_view host) const {
    auto core = std::make_unique<TlsEngine::Core>(core_->context.get());
    // Names end with a dot in some places; certificates know none.
    core->host = host.ends_with('.') ? host.substr(0, host.size() - 1) : host;
    core->believer = this;
    SSL* connection = core->connection.get();
    SSL_set_connect_state(connection);
    // The libraries take C strings.
    bool done = !core->host.empty() && !host.contains('\0');
    if (done && !Address::parse(host, 0)) {
        done = SSL_set_tlsext_host_name(connection, core->host.c_str()) == 1;
    }
#ifndef OPENSSL_IS_BORINGSSL
    done = done && want_host(SSL_get0_param(connection), core->host);
#endif
    if (!done) {
        static_cast<void>(
            core->fail_with({Errc::invalid, "tls: no name of a host"}, "no name of a host"));
    }
    ERR_clear_error();
    return TlsEngine(std::move(core));
}

std::expected<std::unique_ptr<TlsServerContext>, std::string> TlsServerContext::from_pem(
    std::string_view certificate_chain, std::string_view private_key) {
    if (std::max(certificate_chain.size(), private_key.size()) > max_bundle_bytes) {
        return refuse("too large for certificates");
    }
    auto core = std::make_unique<Core>();
    SSL_CTX* context = core->context.get();
    ERR_clear_error();
    File text = text_file(certificate_chain);
    Certificate own = next_certificate(text.get());
    if (!own || SSL_CTX_use_certificate(context, own.get()) != 1) {
        return refuse("no certificate in the chain");
    }
    while (Certificate issuer = next_certificate(text.get())) {
        if (SSL_CTX_add1_chain_cert(context, issuer.get()) != 1) {
            return refuse("a certificate of the chain cannot be used");
        }
    }
    if (!has_ended_well()) return refuse("the chain is out of form");
    ERR_clear_error();
    File key_text = text_file(private_key);
    Key key(PEM_read_bio_PrivateKey(key_text.get(), nullptr, nullptr, nullptr));
    if (!key) return refuse("no private key that can be read");
    if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 ||
        SSL_CTX_check_private_key(context) != 1) {
        return refuse("the private key is not that of the certificate");
    }
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_alpn_select_cb(context, select_alpn, nullptr);
    ERR_clear_error();
    return std::unique_ptr<TlsServerContext>(new TlsServerContext(std::move(core)));
}

TlsServerContext::TlsServerContext(std::unique_ptr<Core> core) : core_(std::move(core)) {}
TlsServerContext::~TlsServerContext() = default;

TlsEngine TlsServerContext::accept() const {
    auto core = std::make_unique<TlsEngine::Core>(core_->context.get());
    SSL_set_accept_state(core->connection.get());
    return TlsEngine(std::move(core));
}

// ----- the engine's pipes

BIO_METHOD* TlsEngine::Core::new_pipe() {
    BIO_METHOD* method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "engine");
    bool done = method != nullptr && BIO_meth_set_read(method, read_input) == 1 &&
                BIO_meth_set_write(method, write_output) == 1 &&
                BIO_meth_set_ctrl(method, control) == 1;
    RINGLAY_ASSERT(done);
    return method;
}

TlsEngine::Core::Core(SSL_CTX* context) : connection(SSL_new(context)) {
    static const BIO_METHOD* const pipe = new_pipe();
    BIO* bio = BIO_new(pipe);
    RINGLAY_ASSERT(connection != nullptr && bio != nullptr);
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    SSL_set_bio(connection.get(), bio, bio);
    SSL_set_app_data(connection.get(), this);
#ifdef OPENSSL_IS_BORINGSSL
    SSL_set_shed_handshake_config(connection.get(), 1);
#endif
}

int TlsEngine::Core::read_input(BIO* bio, char* out, int size) {
    auto& self = *static_cast<Core*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    if (self.input.empty()) {
        if (self.has_input_ended) {
            self.was_cut = true;
            return 0;
        }
        BIO_set_retry_read(bio);
        return -1;
    }
    std::size_t count = std::min(self.input.size(), static_cast<std::size_t>(size));
    std::copy_n(self.input.begin(), count, reinterpret_cast<std::uint8_t*>(out));
    self.input = self.input.subspan(count);
    if (self.input.empty()) self.kept = Buffer();
    return static_cast<int>(count);
}

int TlsEngine::Core::write_output(BIO* bio, const char* bytes, int size) {
    auto& self = *static_cast<Core*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    // What write() takes ends long before this: only answers to a peer that does not read get here.
    if (self.unsent_bytes() > 2 * max_unsent_bytes) {
        BIO_set_retry_write(bio);
        return -1;
    }
    self.append_output({reinterpret_cast<const std::uint8_t*>(bytes),  //
                        static_cast<std::size_t>(size)});
    return size;
}

long TlsEngine::Core::control(BIO*, int command, long, void*) {
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

void TlsEngine::Core::append_output(Bytes bytes) {
    Buffer& out = is_looked_at || !behind.empty() ? behind : showing;
    out.insert(out.end(), bytes.begin(), bytes.end());
}

void TlsEngine::Core::keep_input() {
    bool is_kept = !kept.empty() && input.data() + input.size() == kept.data() + kept.size();
    if (input.empty() || is_kept) return;
    kept = Buffer(input.begin(), input.end());
    input = kept;
}

// Called for each certificate of the chain, first that nearest to the authority.
int TlsEngine::Core::check_certificate(int is_good, X509_STORE_CTX* checked) {
    int index = SSL_get_ex_data_X509_STORE_CTX_idx();
    auto* connection = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(checked, index));
    auto& self = *static_cast<Core*>(SSL_get_app_data(connection));
    std::string words;
    if (is_good != 1) {
        words = tls::certificate_problem(checked, self.host, self.believer->source());
    } else if (const char* weakness = tls::weakness(checked)) {
        words = weakness;
        X509_STORE_CTX_set_error(checked, X509_V_ERR_CERT_REJECTED);
    } else {
        return 1;
    }
    static_cast<void>(self.fail_with({Errc::no_permission, "tls: certificate"}, std::move(words)));
    return 0;
}

#ifdef OPENSSL_IS_BORINGSSL
ssl_verify_result_t TlsEngine::Core::check_chain(SSL* connection, std::uint8_t* alert) {
    auto& self = *static_cast<Core*>(SSL_get_app_data(connection));
    *alert = SSL_AD_CERTIFICATE_UNKNOWN;
    bool is_good = self.is_believed(SSL_get0_peer_certificates(connection), alert);
    if (is_good && !self.error) return ssl_verify_ok;
    static_cast<void>(
        self.fail_with({Errc::no_permission, "tls: certificate"}, "certificate out of form"));
    return ssl_verify_invalid;
}

bool TlsEngine::Core::is_believed(const STACK_OF(CRYPTO_BUFFER) * chain, std::uint8_t* alert) {
    if (chain == nullptr || sk_CRYPTO_BUFFER_num(chain) == 0) return false;
    Certificate leaf(X509_parse_from_buffer(sk_CRYPTO_BUFFER_value(chain, 0)));
    std::unique_ptr<STACK_OF(X509), Releaser<sk_X509_free>> others(sk_X509_new_null());
    std::vector<Certificate> owned;
    for (std::size_t i = 1; i < sk_CRYPTO_BUFFER_num(chain); ++i) {
        owned.emplace_back(X509_parse_from_buffer(sk_CRYPTO_BUFFER_value(chain, i)));
        if (!owned.back()) return false;
        sk_X509_push(others.get(), owned.back().get());
    }
    std::unique_ptr<X509_STORE_CTX, Releaser<X509_STORE_CTX_free>> check(X509_STORE_CTX_new());
    bool done = leaf &&
                X509_STORE_CTX_init(check.get(), believer->core_->authorities.get(), leaf.get(),
                                    others.get()) == 1 &&
                X509_STORE_CTX_set_default(check.get(), "ssl_server") == 1 &&
                X509_STORE_CTX_set_ex_data(check.get(), SSL_get_ex_data_X509_STORE_CTX_idx(),
                                           connection.get()) == 1 &&
                want_host(X509_STORE_CTX_get0_param(check.get()), host);
    if (!done) return false;
    X509_STORE_CTX_set_verify_cb(check.get(), check_certificate);
    bool is_good = X509_verify_cert(check.get()) == 1;
    if (!is_good) {
        int why = X509_STORE_CTX_get_error(check.get());
        *alert = static_cast<std::uint8_t>(SSL_alert_from_verify_result(why));
    }
    return is_good;
}
#endif

// ----- the engine

// The first failure stays.
std::unexpected<Error> TlsEngine::Core::fail_with(const Error& why, std::string words) {
    if (!error) {
        error = why;
        failure = std::move(words);
    }
    input = Bytes();
    kept = Buffer();
    return std::unexpected(*error);
}

std::unexpected<Error> TlsEngine::Core::fail_by(std::string_view what) {
    if (was_cut) {
        ERR_clear_error();
        return fail_with({Errc::malformed, "tls: cut off"},
                         is_finished ? "the connection was cut off"
                                     : "the connection was cut off in the TLS handshake");
    }
    return fail_with({Errc::malformed, what}, tls::problem_in_queue());
}

TlsEngine::TlsEngine(std::unique_ptr<Core> core) : core_(std::move(core)) {}
TlsEngine::TlsEngine(TlsEngine&&) noexcept = default;
TlsEngine& TlsEngine::operator=(TlsEngine&&) noexcept = default;
TlsEngine::~TlsEngine() = default;

Result<void> TlsEngine::received(Bytes ciphertext) {
    Core& core = *core_;
    if (core.error) return std::unexpected(*core.error);
    core.idle_talk_bytes += ciphertext.size();
    if (core.idle_talk_bytes > max_idle_talk_bytes + max_record_bytes) {
        return core.fail_with({Errc::malformed, "tls: talks without saying anything"},
                              "the peer talks TLS without saying anything");
    }
    core.undelivered_bytes += ciphertext.size();
    if (core.input.empty()) {
        core.input = ciphertext;
        return {};
    }
    Buffer both(core.input.begin(), core.input.end());
    both.insert(both.end(), ciphertext.begin(), ciphertext.end());
    core.kept = std::move(both);
    core.input = core.kept;
    return {};
}

void TlsEngine::received_end() {
    core_->has_input_ended = true;
}

bool TlsEngine::was_cut() const {
    return core_->was_cut;
}

Result<bool> TlsEngine::handshake() {
    Core& core = *core_;
    if (core.error) return std::unexpected(*core.error);
    if (core.is_finished) return true;
    ERR_clear_error();
    int result = SSL_do_handshake(core.connection.get());
    if (result == 1) {
        core.is_finished = true;
        core.idle_talk_bytes = 0;
        core.undelivered_bytes = core.input.size();
        core.keep_input();
        return true;
    }
    int kind = SSL_get_error(core.connection.get(), result);
    if (kind == SSL_ERROR_WANT_READ && !core.was_cut) return false;
    return core.fail_by("tls: handshake");
}

Result<std::size_t> TlsEngine::read(std::span<std::uint8_t> out) {
    Core& core = *core_;
    std::size_t count = 0;
    while (!core.error && count < out.size()) {
        RINGLAY_ASSERT(core.is_finished);
        ERR_clear_error();
        auto room = std::min(out.size() - count, max_record_bytes);
        int result = SSL_read(core.connection.get(), out.data() + count, static_cast<int>(room));
        if (result > 0) {
            count += static_cast<std::size_t>(result);
            core.idle_talk_bytes = 0;
            continue;
        }
        int kind = SSL_get_error(core.connection.get(), result);
        if (kind == SSL_ERROR_WANT_READ && !core.was_cut) {
            if (SSL_has_pending(core.connection.get()) == 0) core.undelivered_bytes = 0;
            break;
        }
        if (kind == SSL_ERROR_ZERO_RETURN) {
            static_cast<void>(core.fail_with({Errc::closed, "tls: the peer has said goodbye"},
                                             "the peer has ended the connection"));
        } else {
            static_cast<void>(core.fail_by("tls: record"));
        }
    }
    core.keep_input();
    if (count == 0 && core.error) return std::unexpected(*core.error);
    return count;
}

std::size_t TlsEngine::readable_bytes() const {
    // Of what has come in part, the library holds one record at most.
    std::size_t most = core_->input.size() + max_record_bytes + record_overhead_bytes;
    return std::min(core_->undelivered_bytes, most);
}

Result<std::size_t> TlsEngine::write(Bytes plain) {
    Core& core = *core_;
    // After the peer's goodbye there may still be something to say to it.
    if (core.error && core.error->code != Errc::closed) return std::unexpected(*core.error);
    RINGLAY_ASSERT(core.is_finished);
    std::size_t count = 0;
    while (count < plain.size() && core.unsent_bytes() + max_record_bytes <= max_unsent_bytes) {
        ERR_clear_error();
        std::size_t size = std::min(plain.size() - count, max_record_bytes);
        int result = SSL_write(core.connection.get(), plain.data() + count, static_cast<int>(size));
        if (result <= 0) {
            int kind = SSL_get_error(core.connection.get(), result);
            if (kind == SSL_ERROR_WANT_WRITE || kind == SSL_ERROR_WANT_READ) break;
            return core.fail_by("tls: write");
        }
        count += static_cast<std::size_t>(result);
    }
    return count;
}

void TlsEngine::say_goodbye() {
    if (!core_->is_finished) return;
    static_cast<void>(SSL_shutdown(core_->connection.get()));
    ERR_clear_error();
}

Bytes TlsEngine::to_send() const {
    Core& core = *core_;
    Bytes left = Bytes(core.showing).subspan(core.taken);
    core.is_looked_at = !left.empty();
    return left;
}

void TlsEngine::take_sent(std::size_t size) {
    Core& core = *core_;
    RINGLAY_ASSERT(size <= core.showing.size() - core.taken);
    core.taken += size;
    core.is_looked_at = false;
    if (core.taken < core.showing.size()) return;
    core.showing = std::exchange(core.behind, {});
    core.taken = 0;
}

const std::string& TlsEngine::failure() const {
    return core_->failure;
}

}  // namespace ringlay::crypto
