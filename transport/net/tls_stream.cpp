#include "transport/net/tls_stream.hpp"

#include "transport/base/error.hpp"
#include "transport/net/tls_facts.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <new>
#include <utility>

namespace mailflow {

namespace {

// What a call may take from the stream below beyond the octets it returns: record headers, and
// messages of TLS itself. A flood of those does not keep a lane busy longer.
constexpr std::size_t kOverhead = 4 * std::size_t{1024};
// One step of a handshake; the largest message is a client's chain of certificates.
constexpr std::size_t kMaxHandshakeStep = 128 * std::size_t{1024};

Task<ErrorCode> at_once(ErrorCode error) {
    co_return error;
}

// The reason OpenSSL gave first, in its words: `no shared cipher`, `tlsv1 alert unknown ca`.
std::string take_reason() {
    const auto code = ERR_peek_error();
    const auto* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
    ERR_clear_error();
    return reason == nullptr ? "a TLS error without a name" : reason;
}

}  // namespace

// The BIO whose other end is the stream below: no descriptor, no buffer.
struct TlsStream::Transport {
    static TlsStream& owner_of(BIO* bio) noexcept {
        return *static_cast<TlsStream*>(BIO_get_data(bio));
    }

    static int read(BIO* bio, char* into, std::size_t size, std::size_t* got) noexcept {
        auto& owner = owner_of(bio);
        BIO_clear_retry_flags(bio);
        *got = 0;
        owner.inner_error_ = Error::would_block;
        if (owner.read_budget_ > 0) {
            const auto count = owner.inner_->try_read({into, size});
            if (count) {
                *got = *count;
                owner.read_budget_ -= std::min(owner.read_budget_, *count);
                return 1;
            }
            owner.inner_error_ = count.error();
        }
        if (owner.inner_error_ == Error::would_block) {
            BIO_set_retry_read(bio);
        }
        return 0;
    }

    static int write(BIO* bio, const char* from, std::size_t size, std::size_t* taken) noexcept {
        auto& owner = owner_of(bio);
        BIO_clear_retry_flags(bio);
        *taken = 0;
        const auto count = owner.inner_->try_write({from, size});
        if (count) {
            *taken = *count;
            return 1;
        }
        owner.inner_error_ = count.error();
        if (owner.inner_error_ == Error::would_block) {
            BIO_set_retry_write(bio);
        }
        return 0;
    }

    static long control(BIO*, int command, long, void*) noexcept {
        return command == BIO_CTRL_FLUSH ? 1 : 0;
    }

    static BIO_METHOD* make_method() {
        auto* const method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");
        if (method == nullptr) {
            throw std::bad_alloc();
        }
        BIO_meth_set_read_ex(method, read);
        BIO_meth_set_write_ex(method, write);
        BIO_meth_set_ctrl(method, control);
        return method;
    }

    static BIO* make(TlsStream& owner) {
        // Made once, never changed, as long as the process.
        static const BIO_METHOD* const kMethod = make_method();
        auto* const bio = BIO_new(kMethod);
        if (bio == nullptr) {
            throw std::bad_alloc();
        }
        BIO_set_data(bio, &owner);
        BIO_set_init(bio, 1);
        return bio;
    }
};

void TlsStream::FreeSsl::operator()(ssl_st* ssl) const noexcept {
    SSL_free(ssl);
}

TlsStream::TlsStream(
    std::unique_ptr<Stream> inner,
    const std::shared_ptr<ssl_ctx_st>& context,
    TlsRole role,
    const std::string& server_name)
    : inner_(std::move(inner))
    , ssl_(SSL_new(context.get())) {
    if (!ssl_) {
        throw std::bad_alloc();
    }
    auto* const bio = Transport::make(*this);
    SSL_set_bio(ssl_.get(), bio, bio);
    SSL_set_mode(
        ssl_.get(),
        SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    // One read below for a record, not one for its header and one for the rest.
    SSL_set_read_ahead(ssl_.get(), 1);
    if (role == TlsRole::server) {
        SSL_set_accept_state(ssl_.get());
        return;
    }
    SSL_set_connect_state(ssl_.get());
    if (!server_name.empty()) {
        SSL_set_tlsext_host_name(ssl_.get(), server_name.c_str());
    }
}

TlsStream::TlsStream(
    std::unique_ptr<Stream> inner,
    const std::shared_ptr<ssl_ctx_st>& context,
    const TlsExpectation& expectation)
    : TlsStream(std::move(inner), context, TlsRole::client, expectation.server_name) {
    expect_dane(expectation);
}

TlsStream::~TlsStream() = default;

// What OpenSSL cannot use (a whole certificate that is none) is as if it were not published (RFC
// 7671 §4.3); with none left, the handshake authenticates nobody.
void TlsStream::expect_dane(const TlsExpectation& expectation) {
    if (expectation.tlsa.empty()) return;
    dane_ = DaneMatch::unusable;
    ERR_clear_error();
    const auto* base = expectation.names.empty() ? nullptr : expectation.names.front().c_str();
    if (SSL_dane_enable(ssl_.get(), base) <= 0) {
        // Nothing can match then: the context was not made for it.
        dane_ = DaneMatch::none;
        ERR_clear_error();
        return;
    }
    // RFC 7672 §3.1.1: of usage 3 neither names nor dates count.
    SSL_dane_set_flags(ssl_.get(), DANE_FLAG_NO_DANE_EE_NAMECHECKS);
    SSL_set_hostflags(ssl_.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    for (std::size_t i = 1; i < expectation.names.size(); ++i)
        SSL_add1_host(ssl_.get(), expectation.names[i].c_str());
    for (const auto& record : expectation.tlsa) {
        const auto* data = reinterpret_cast<const unsigned char*>(record.data.data());
        const int added = SSL_dane_tlsa_add(
            ssl_.get(), record.usage, record.selector, record.matching, data, record.data.size());
        if (added > 0) dane_ = DaneMatch::none;
    }
    ERR_clear_error();
}

DaneMatch TlsStream::dane_match() const noexcept {
    const bool matches = dane_ == DaneMatch::none &&
                         SSL_get_verify_result(ssl_.get()) == X509_V_OK &&
                         SSL_get0_dane_authority(ssl_.get(), nullptr, nullptr) >= 0;
    return matches ? DaneMatch::matched : dane_;
}

ErrorCode TlsStream::judge(int result, Readiness& wants) noexcept {
    switch (SSL_get_error(ssl_.get(), result)) {
        case SSL_ERROR_WANT_READ: wants = Readiness::readable; return Error::would_block;
        case SSL_ERROR_WANT_WRITE: wants = Readiness::writable; return Error::would_block;
        case SSL_ERROR_ZERO_RETURN: return Error::end_of_stream;
        case SSL_ERROR_SYSCALL:
            // RFC 8446 §6.1: an end without close_notify may be anybody's cut.
            if (!inner_error_ || inner_error_ == Error::end_of_stream) {
                return Error::truncated;
            }
            return inner_error_;
        default: return Error::tls_failed;
    }
}

// ---- the handshake

Task<ErrorCode> TlsStream::shake_hands(std::string* why) {
    while (!closed_) {
        ERR_clear_error();
        read_budget_ = kMaxHandshakeStep;
        const int result = SSL_do_handshake(ssl_.get());
        if (result == 1) {
            established_ = true;
            co_return ErrorCode();
        }
        auto wants = Readiness::readable;
        auto error = judge(result, wants);
        if (error != Error::would_block) {
            *why = error == Error::tls_failed  ? take_reason()
                   : error == Error::truncated ? "the peer closed the connection"
                                               : error.message();
            break;
        }
        error = co_await inner_->wait(wants);
        if (error) {
            *why = error.message();
            break;
        }
    }
    if (closed_) {
        *why = make_error_code(Error::cancelled).message();
        co_return Error::cancelled;
    }
    read_end_ = Error::tls_failed;
    write_end_ = Error::tls_failed;
    co_return Error::tls_failed;
}

TlsFacts TlsStream::facts() const {
    auto facts = read_tls_facts(*ssl_);
    facts.dane = dane_match();
    return facts;
}

// ---- octets

// As much as fits: who gets less takes it that nothing more is there. An end that comes behind
// octets shows at the next call.
Result<std::size_t> TlsStream::try_read(std::span<char> into) noexcept {
    if (closed_) {
        return Error::cancelled;
    }
    if (read_end_) {
        return read_end_;
    }
    if (!established_) {
        return Error::would_block;
    }
    read_budget_ = into.size() + kOverhead;
    read_wants_ = Readiness::readable;
    drained_ = false;
    std::size_t total = 0;
    while (total < into.size()) {
        ERR_clear_error();
        std::size_t count = 0;
        const int result =
            SSL_read_ex(ssl_.get(), into.data() + total, into.size() - total, &count);
        if (result == 1) {
            total += count;
            continue;
        }
        const auto error = judge(result, read_wants_);
        if (error == Error::would_block) {
            drained_ = true;
        } else {
            read_end_ = error;
            if (error == Error::tls_failed) {
                write_end_ = error;
            }
        }
        if (total == 0) {
            return error;
        }
        break;
    }
    return total;
}

Result<std::size_t> TlsStream::try_write(std::span<const char> from) noexcept {
    if (closed_) {
        return Error::cancelled;
    }
    if (write_end_) {
        return write_end_;
    }
    if (!established_) {
        return Error::would_block;
    }
    if (from.empty()) {
        return std::size_t{0};
    }
    ERR_clear_error();
    read_budget_ = kOverhead;
    write_wants_ = Readiness::writable;
    std::size_t count = 0;
    const int result = SSL_write_ex(ssl_.get(), from.data(), from.size(), &count);
    if (result == 1) {
        return count;
    }
    const auto error = judge(result, write_wants_);
    if (error != Error::would_block) {
        write_end_ = error;
    }
    return error;
}

// No coroutine of its own: a session that waits holds one frame less.
Task<ErrorCode> TlsStream::wait(Readiness readiness) {
    if (closed_) {
        return at_once(Error::cancelled);
    }
    if (readiness == Readiness::writable) {
        return inner_->wait(write_wants_);
    }
    // Octets, or an end, that OpenSSL has taken in already never make the stream below readable.
    if (established_ && (!drained_ || read_end_)) {
        return at_once({});
    }
    // Of TLS 1.3 the client has the last word: with Nagle's algorithm its first command waits for
    // our acknowledgement of that, which would wait 40 ms for something to go with.
    if (established_ && !std::exchange(acknowledged_, true)) {
        inner_->acknowledge();
    }
    return inner_->wait(read_wants_);
}

// ---- the end

void TlsStream::shutdown_send() noexcept {
    if (closed_) {
        return;
    }
    if (established_ && !write_end_) {
        ERR_clear_error();
        read_budget_ = 0;
        SSL_shutdown(ssl_.get());
        ERR_clear_error();
        write_end_ = Error::cancelled;
    }
    inner_->shutdown_send();
}

void TlsStream::close() noexcept {
    closed_ = true;
    inner_->close();
}

// ---- with a deadline

namespace {

// Closes a stream whose handshake takes too long.
class HandshakeDeadline final : public Deadline {
  public:
    explicit HandshakeDeadline(TlsStream& stream) noexcept
        : stream_(stream) {}

    [[nodiscard]] bool is_expired() const noexcept { return expired_; }

  private:
    void on_expired() override {
        expired_ = true;
        stream_.close();
    }

    TlsStream& stream_;
    bool expired_ = false;
};

Task<Result<TlsAcceptance>> encrypt(
    Lane& lane, std::unique_ptr<TlsStream> stream, MonotonicTime deadline, std::string* why) {
    const auto error = co_await shake_hands_until(lane, *stream, deadline, why);
    if (error) {
        stream->close();
        co_return error;
    }
    TlsAcceptance done;
    done.facts = stream->facts();
    done.stream = std::move(stream);
    co_return done;
}

}  // namespace

Task<ErrorCode> shake_hands_until(
    Lane& lane, TlsStream& stream, MonotonicTime deadline, std::string* why) {
    HandshakeDeadline limit(stream);
    lane.wheel().set(limit, deadline);
    const auto error = co_await stream.shake_hands(why);
    if (limit.is_expired()) {
        *why = "no TLS handshake in time";
        co_return Error::timed_out;
    }
    co_return error;
}

Task<Result<TlsAcceptance>> accept_tls(
    Lane& lane,
    std::unique_ptr<Stream> stream,
    std::shared_ptr<ssl_ctx_st> context,
    MonotonicTime deadline,
    std::string* why) {
    auto encrypted = std::make_unique<TlsStream>(std::move(stream), context, TlsRole::server);
    return encrypt(lane, std::move(encrypted), deadline, why);
}

Task<Result<TlsAcceptance>> connect_tls(
    Lane& lane,
    std::unique_ptr<Stream> stream,
    std::shared_ptr<ssl_ctx_st> context,
    std::string server_name,
    MonotonicTime deadline,
    std::string* why) {
    auto encrypted =
        std::make_unique<TlsStream>(std::move(stream), context, TlsRole::client, server_name);
    return encrypt(lane, std::move(encrypted), deadline, why);
}

}  // namespace mailflow
