// TLS over any Stream: OpenSSL reads and writes the stream below directly, without a buffer layer
// of its own, and lets its record buffers go when idle. Used on its lane only.
#pragma once

#include "transport/net/lane.hpp"
#include "transport/net/stream.hpp"

#include <memory>
#include <string>
#include <vector>

struct ssl_ctx_st;

namespace mailflow {

// What a handshake came to.
struct TlsFacts {
    std::string version;      // `TLSv1.3`
    std::string cipher;       // `TLS_AES_256_GCM_SHA384`
    std::string group;        // `X25519`; empty when unknown
    std::string server_name;  // SNI as given; empty: none
    bool resumed = false;
    // Of the peer's certificate; empty: none was presented.
    std::string peer_subject;
    bool peer_verified = false;            // chain and dates hold
    std::vector<std::string> peer_emails;  // rfc822Name entries and UPNs
    // RFC 9266 tls-exporter on 1.3, RFC 5929 tls-unique never: empty on 1.2.
    std::string channel_binding;

    // `TLSv1.3 TLS_AES_256_GCM_SHA384 X25519`
    [[nodiscard]] std::string text() const;
};

struct TlsAcceptance {
    std::unique_ptr<Stream> stream;  // encrypted; local and remote as before
    TlsFacts facts;
};

// Shakes hands as the server; takes the stream over, and closes it on failure. Error::timed_out
// when `deadline` passes first, Error::tls with the reason in `why` (not null) for anything else.
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
