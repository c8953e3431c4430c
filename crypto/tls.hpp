// TLS without sockets: bytes of the network in, bytes for the network out, and between them the
// conversation. Behind it BoringSSL or OpenSSL; nothing of either is seen here.
//
// Owner    a context is made once and shared, constant afterwards; it outlives its engines. An
//          engine belongs to one connection.
// Thread   contexts: any. An engine: one at a time.
// Bound    in: one record (16 KiB) that has come in part; out: 64 KiB that take_sent() has not
//          taken bound what write() accepts. Both are given back while nothing is on its way. A
//          peer that sends 256 KiB of handshake, or of anything but plain bytes, is refused.
// Errors   Result: malformed (the peer's TLS is not in order), no_permission (a certificate that
//          is not to be believed), closed, invalid (no name of a host); failure() has a sentence
//          for an operator. An engine that has failed stays so.
// Clock    certificates are held against the library's own clock.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "proto/base/bytes.hpp"
#include "proto/base/result.hpp"

namespace ringlay::crypto {

class TlsEngine;

// What a client believes: a bundle of certificate authorities, TLS 1.2 or later.
class TlsClientContext {
  public:
    // `bundle`: a PEM file; empty: the first there is of the places where distributions keep it.
    // Errors: a sentence that says which files were looked for.
    static std::expected<std::unique_ptr<TlsClientContext>, std::string> load(
        const std::string& bundle);
    // From the text of a bundle.
    static std::expected<std::unique_ptr<TlsClientContext>, std::string> from_pem(
        std::string_view bundle);
    ~TlsClientContext();
    TlsClientContext(const TlsClientContext&) = delete;
    TlsClientContext& operator=(const TlsClientContext&) = delete;

    std::size_t authority_count() const;
    const std::string& source() const;  // the file; empty: from_pem

    // For one connection to `host`: a name, or an IP address in its text form. Sends the name (not
    // an address) as SNI and checks the certificate for it.
    TlsEngine connect(std::string_view host) const;

  private:
    friend class TlsEngine;
    struct Core;
    explicit TlsClientContext(std::unique_ptr<Core> core);
    std::unique_ptr<Core> core_;
};

// What a server shows. For fleets and tests; ringlay itself serves behind a proxy.
class TlsServerContext {
  public:
    static std::expected<std::unique_ptr<TlsServerContext>, std::string> from_pem(
        std::string_view certificate_chain, std::string_view private_key);
    ~TlsServerContext();
    TlsServerContext(const TlsServerContext&) = delete;
    TlsServerContext& operator=(const TlsServerContext&) = delete;

    TlsEngine accept() const;

  private:
    friend class TlsEngine;
    struct Core;
    explicit TlsServerContext(std::unique_ptr<Core> core);
    std::unique_ptr<Core> core_;
};

// A certificate that a test or a fleet makes for itself, P-256, valid for these names and addresses
// for `days` from `not_before_unix_s` on; signed by itself, so it is its own bundle.
struct TlsIdentity {
    std::string certificate_pem;
    std::string private_key_pem;
};
Result<TlsIdentity> make_self_signed(std::span<const std::string> names,
                                     std::int64_t not_before_unix_s, std::uint32_t days);

class TlsEngine {
  public:
    TlsEngine(TlsEngine&&) noexcept;
    TlsEngine& operator=(TlsEngine&&) noexcept;
    ~TlsEngine();

    // Bytes that came from the network. They are read where they lie, by the next call of
    // handshake() or read(); what that call leaves is kept. Call read() until it has nothing, then
    // again.
    Result<void> received(Bytes ciphertext);
    Result<void> received(Buffer&& ciphertext) = delete;  // it would be gone too soon
    void received_end();  // the network has no more: without a goodbye before it, a cut
    bool was_cut() const;

    // Carries the handshake on. True: it is finished, and read() and write() work.
    Result<bool> handshake();

    // Plain bytes into `out`; 0: more must come from the network first. Errors: closed (the peer
    // has said goodbye), malformed (cut off, or not in order).
    Result<std::size_t> read(std::span<std::uint8_t> out);
    // No more plain bytes than this can come of what was received so far.
    std::size_t readable_bytes() const;

    // Takes plain bytes; returns how many. 0: what is to be sent must go first, then the same bytes
    // are offered again.
    Result<std::size_t> write(Bytes plain);
    void say_goodbye();

    // What is to be sent to the network: looked at, then taken as it was sent. What was looked at
    // stays where it is until then, whatever is called.
    Bytes to_send() const;
    void take_sent(std::size_t size);

    // In words for an operator, once something has failed: `certificate has expired`.
    const std::string& failure() const;

  private:
    friend class TlsClientContext;
    friend class TlsServerContext;
    struct Core;
    explicit TlsEngine(std::unique_ptr<Core> core);
    std::unique_ptr<Core> core_;
};

}  // namespace ringlay::crypto
