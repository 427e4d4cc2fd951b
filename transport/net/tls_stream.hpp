// TLS over any Stream: OpenSSL reads and writes the stream below directly, without a buffer layer
// of its own, and lets its record buffers go when idle. Used on its lane only.
#pragma once

#include "transport/base/clock.hpp"
#include "transport/net/lane.hpp"
#include "transport/net/stream.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

struct ssl_ctx_st;
struct ssl_st;

namespace mailflow {

// RFC 6698 §2.1: one record a server's chain is compared with. `data` are octets.
struct TlsaMatch {
    std::uint8_t usage = 0;
    std::uint8_t selector = 0;
    std::uint8_t matching = 0;
    std::string data;
};

// What a client looks for while the handshake has the server's chain in hand.
struct TlsExpectation {
    std::string server_name;         // SNI; empty: none
    std::vector<TlsaMatch> tlsa;     // empty: the chain is verified against the trusted roots
    std::vector<std::string> names;  // of usage 2, one of which the certificate must have
};

enum class DaneMatch : std::uint8_t {
    not_asked,
    unusable,  // OpenSSL could use none of the records
    none,      // none of them matches
    matched,   // one does, with the name and the dates its usage asks for
};

// Why a server's chain is not verified: what was found first.
enum class ChainProblem : std::uint8_t {
    none,
    untrusted,  // leads nowhere, or is damaged
    dates,      // past, or not yet
    name,       // of DANE usage 2: none of the names
    tlsa,       // none of the records matches
};

// What a handshake came to.
struct TlsFacts {
    std::string version;      // `TLSv1.3`
    std::string cipher;       // `TLS_AES_256_GCM_SHA384`
    std::string group;        // `X25519`; empty when unknown
    std::string server_name;  // SNI as given; empty: none, or no name in ASCII
    bool resumed = false;
    // Of the peer's certificate; empty: none was presented.
    std::string peer_subject;
    bool peer_verified = false;            // chain and dates hold
    std::vector<std::string> peer_emails;  // rfc822Name entries and UPNs
    // Of a server's certificate, to be judged by its client.
    std::vector<std::string> peer_names;      // dNSName entries, lower case
    std::vector<std::string> peer_addresses;  // iPAddress entries
    UtcTime peer_not_before{};
    UtcTime peer_not_after{};
    ChainProblem problem = ChainProblem::none;
    std::string verify_error;  // the problem in OpenSSL's words
    DaneMatch dane = DaneMatch::not_asked;
    // RFC 9266 tls-exporter on 1.3, RFC 5929 tls-unique never: empty on 1.2.
    std::string channel_binding;

    // `TLSv1.3 TLS_AES_256_GCM_SHA384 X25519`
    [[nodiscard]] std::string text() const;
};

enum class TlsRole : std::uint8_t { server, client };

// A Stream over a Stream. Until the handshake is done nothing can be read or written, and closing
// it ends the handshake with Error::cancelled. What the peer ended with close_notify is
// Error::end_of_stream, what just stopped Error::truncated. After Error::would_block the next
// try_write begins with the same octets.
class TlsStream final : public Stream {
  public:
    // `context` not null; kept as long as the stream. `server_name`: SNI of a client; empty: none.
    TlsStream(
        std::unique_ptr<Stream> inner,
        const std::shared_ptr<ssl_ctx_st>& context,
        TlsRole role,
        const std::string& server_name = {});
    // As a client that looks for more.
    TlsStream(
        std::unique_ptr<Stream> inner,
        const std::shared_ptr<ssl_ctx_st>& context,
        const TlsExpectation& expectation);
    ~TlsStream() override;
    TlsStream(const TlsStream&) = delete;
    TlsStream& operator=(const TlsStream&) = delete;

    // Once. Error::cancelled when it was closed meanwhile, else Error::tls_failed with the reason
    // in `why` (not null); the peer is told by an alert, if the stream below takes it.
    Task<ErrorCode> shake_hands(std::string* why);
    // After the handshake.
    [[nodiscard]] TlsFacts facts() const;

    Result<std::size_t> try_read(std::span<char> into) noexcept override;
    Result<std::size_t> try_write(std::span<const char> from) noexcept override;
    Task<ErrorCode> wait(Readiness readiness) override;
    // Our close_notify, and the end of the sending side below; waits for nothing of the peer.
    void shutdown_send() noexcept override;
    void close() noexcept override;

    [[nodiscard]] const Endpoint& local() const noexcept override { return inner_->local(); }

    [[nodiscard]] const Endpoint& remote() const noexcept override { return inner_->remote(); }

  private:
    // RFC 7672 §3: gives OpenSSL the records before the handshake.
    void expect_dane(const TlsExpectation& expectation);
    [[nodiscard]] DaneMatch dane_match() const noexcept;

    // What OpenSSL calls for octets.
    struct Transport;

    struct FreeSsl {
        void operator()(ssl_st* ssl) const noexcept;
    };

    // What a call of OpenSSL that gave `result` (no success) came to: Error::would_block with what
    // to wait for in `wants`, or why it cannot go on.
    [[nodiscard]] ErrorCode judge(int result, Readiness& wants) noexcept;

    std::unique_ptr<Stream> inner_;
    std::unique_ptr<ssl_st, FreeSsl> ssl_;
    ErrorCode inner_error_;        // what the stream below failed with last
    ErrorCode read_end_;           // what every further read returns
    ErrorCode write_end_;          // what every further write returns
    std::size_t read_budget_ = 0;  // while it lasts, OpenSSL may read from the stream below
    Readiness read_wants_ = Readiness::readable;
    Readiness write_wants_ = Readiness::writable;
    bool established_ = false;
    bool acknowledged_ = false;  // the peer's last flight of the handshake
    bool drained_ = false;       // the last read left nothing that it could have returned
    bool closed_ = false;
    DaneMatch dane_ = DaneMatch::not_asked;  // before the handshake: asked as `none`
};

// Shakes hands; closes the stream when `deadline` passes first: Error::timed_out then.
Task<ErrorCode> shake_hands_until(
    Lane& lane, TlsStream& stream, MonotonicTime deadline, std::string* why);

struct TlsAcceptance {
    std::unique_ptr<Stream> stream;  // encrypted; local and remote as before
    TlsFacts facts;
};

// Shakes hands as the server; takes the stream over, and closes it on failure. Error::timed_out
// when `deadline` passes first, Error::tls_failed with the reason in `why` (not null) for anything
// else.
Task<Result<TlsAcceptance>> accept_tls(
    Lane& lane,
    std::unique_ptr<Stream> stream,
    std::shared_ptr<ssl_ctx_st> context,
    MonotonicTime deadline,
    std::string* why);

// The same as the client; `server_name` goes into SNI unless empty. What the certificate is worth
// is for the caller to judge.
Task<Result<TlsAcceptance>> connect_tls(
    Lane& lane,
    std::unique_ptr<Stream> stream,
    std::shared_ptr<ssl_ctx_st> context,
    std::string server_name,
    MonotonicTime deadline,
    std::string* why);

}  // namespace mailflow
