#include "transport/net/connection.hpp"

#include <stdexcept>

namespace mailflow {

namespace {

// How much a peer may still send to a connection that is being finished.
constexpr std::size_t kMaxDropped = 1024 * 1024;

}  // namespace

Connection::Connection(Lane& lane, std::unique_ptr<Stream> stream)
    : lane_(lane)
    , stream_(std::move(stream)) {}

Connection::~Connection() {
    // None when TLS could not take it over.
    if (stream_) {
        stream_->close();
    }
}

// ---- reading

ErrorCode Connection::ended() const noexcept {
    if (expired_) {
        return Error::timed_out;
    }
    if (closed_) {
        return Error::cancelled;
    }
    return {};
}

Result<std::string_view> Connection::receive() noexcept {
    const auto scratch = lane_.scratch();
    const auto count = stream_->try_read(scratch);
    drained_ = !count || *count < scratch.size();
    if (!count) {
        ended_reading_ = count.error() != Error::would_block;
        return count.error();
    }
    return std::string_view(scratch.data(), *count);
}

void Connection::release_if_empty() noexcept {
    if (start_ == input_.size()) {
        std::string().swap(input_);
        start_ = 0;
    }
}

// The first line of `octets`, if its end is there. `used`: how many octets are done with.
std::optional<Result<std::string_view>> Connection::line_from(
    std::string_view octets, std::size_t limit, std::size_t& used) noexcept {
    const auto end = octets.find('\n');
    if (end == std::string_view::npos) {
        // The octet after the limit may be the CR of a line that just fits.
        discarding_ = discarding_ || octets.size() > limit + 1;
        used = discarding_ ? octets.size() : 0;
        return std::nullopt;
    }

    used = end + 1;
    auto line = octets.substr(0, end);
    bare_ = !line.ends_with('\r');
    if (!bare_) {
        line.remove_suffix(1);
    }
    if (std::exchange(discarding_, false) || line.size() > limit) {
        return Result<std::string_view>(Error::line_too_long);
    }
    return Result<std::string_view>(line);
}

std::optional<Result<std::string_view>> Connection::buffered_line(std::size_t limit) {
    std::size_t used = 0;
    auto line = line_from(unread(), limit, used);
    start_ += used;
    return line;
}

Task<Result<std::string_view>> Connection::read_line(std::size_t limit) {
    for (;;) {
        if (auto line = buffered_line(limit)) {
            co_return *line;
        }
        release_if_empty();
        if (const auto end = ended()) {
            co_return end;
        }
        if (drained_) {
            const auto error = co_await stream_->wait(Readiness::readable);
            if (const auto end = ended()) {
                co_return end;
            }
            if (error) {
                co_return error;
            }
        }

        const auto octets = receive();
        if (!octets) {
            if (octets.error() == Error::would_block) {
                continue;
            }
            co_return octets.error();
        }
        if (!input_.empty()) {
            input_.append(*octets);
            continue;
        }
        // The usual case: a whole line and nothing else, seen where it was read, never copied.
        std::size_t used = 0;
        auto line = line_from(*octets, limit, used);
        input_.assign(octets->substr(used));
        start_ = 0;
        if (line) {
            co_return *line;
        }
    }
}

Task<ErrorCode> Connection::read_to(OctetSink& sink) {
    if (buffered() > 0) {
        start_ += sink.take(unread());
        co_return ErrorCode();
    }
    release_if_empty();
    for (;;) {
        if (const auto end = ended()) {
            co_return end;
        }
        if (drained_) {
            const auto error = co_await stream_->wait(Readiness::readable);
            if (const auto end = ended()) {
                co_return end;
            }
            if (error) {
                co_return error;
            }
        }
        const auto octets = receive();
        if (octets) {
            const auto taken = sink.take(*octets);
            input_.assign(octets->substr(taken));
            co_return ErrorCode();
        }
        if (octets.error() != Error::would_block) {
            co_return octets.error();
        }
    }
}

namespace {

class Keeper final : public OctetSink {
  public:
    explicit Keeper(std::string& into) noexcept
        : into_(into) {}

    std::size_t take(std::string_view octets) override {
        into_.assign(octets);
        return octets.size();
    }

  private:
    std::string& into_;
};

class Dropper final : public OctetSink {
  public:
    std::size_t take(std::string_view octets) override {
        count_ += octets.size();
        return octets.size();
    }

    [[nodiscard]] std::size_t count() const noexcept { return count_; }

  private:
    std::size_t count_ = 0;
};

}  // namespace

Task<Result<std::string_view>> Connection::read_some() {
    if (buffered() == 0) {
        std::string octets;
        Keeper keeper(octets);
        const auto error = co_await read_to(keeper);
        if (error) {
            co_return error;
        }
        input_.swap(octets);
        start_ = 0;
    }
    co_return unread();
}

void Connection::consume(std::size_t count) noexcept {
    start_ += count;
    release_if_empty();
}

bool Connection::has_input() {
    if (buffered() == 0) {
        release_if_empty();
        if (const auto octets = receive()) {
            input_.assign(*octets);
        }
    }
    return buffered() > 0;
}

// ---- writing

ErrorCode Connection::try_write(std::string_view& bytes) noexcept {
    if (const auto end = ended()) {
        return end;
    }
    while (!bytes.empty()) {
        const auto count = stream_->try_write(bytes);
        if (!count) {
            return count.error();
        }
        bytes.remove_prefix(*count);
    }
    return {};
}

Task<ErrorCode> Connection::write(std::string_view bytes) {
    for (;;) {
        const auto error = try_write(bytes);
        writing_ = error == Error::would_block;
        if (!writing_) {
            co_return error;
        }
        const auto broken = co_await stream_->wait(Readiness::writable);
        if (const auto end = ended()) {
            co_return end;
        }
        if (broken) {
            co_return broken;
        }
    }
}

// ---- encrypting

Task<Result<TlsFacts>> Connection::start_tls(
    std::shared_ptr<ssl_ctx_st> context, MonotonicTime deadline, std::string* why) {
    const TlsExpectation nothing;
    auto facts = co_await encrypt(context, TlsRole::server, nothing, deadline, why);
    co_return facts;
}

Task<Result<TlsFacts>> Connection::start_tls_as_client(
    std::shared_ptr<ssl_ctx_st> context,
    std::string server_name,
    MonotonicTime deadline,
    std::string* why) {
    TlsExpectation expectation;
    expectation.server_name = std::move(server_name);
    auto facts = co_await encrypt(context, TlsRole::client, expectation, deadline, why);
    co_return facts;
}

Task<Result<TlsFacts>> Connection::start_tls_as_client(
    std::shared_ptr<ssl_ctx_st> context,
    TlsExpectation expectation,
    MonotonicTime deadline,
    std::string* why) {
    auto facts = co_await encrypt(context, TlsRole::client, expectation, deadline, why);
    co_return facts;
}

Task<Result<TlsFacts>> Connection::encrypt(
    const std::shared_ptr<ssl_ctx_st>& context,
    TlsRole role,
    const TlsExpectation& expectation,
    MonotonicTime deadline,
    std::string* why) {
    if (buffered() > 0) {
        throw std::logic_error("octets before a TLS handshake");
    }
    release_if_empty();
    if (const auto end = ended()) {
        *why = end.message();
        co_return end;
    }
    // In place before the handshake, so that closing the connection ends it.
    auto encrypted = role == TlsRole::server
                         ? std::make_unique<TlsStream>(std::move(stream_), context, TlsRole::server)
                         : std::make_unique<TlsStream>(std::move(stream_), context, expectation);
    auto& tls = *encrypted;
    stream_ = std::move(encrypted);
    drained_ = true;

    const auto error = co_await shake_hands_until(lane_, tls, deadline, why);
    if (const auto end = ended()) {
        *why = end.message();
        co_return end;
    }
    if (error) {
        expired_ = error == Error::timed_out;
        close();
        co_return error;
    }
    co_return tls.facts();
}

// ---- ending

void Connection::set_deadline(MonotonicTime when) {
    lane_.wheel().set(*this, when);
}

void Connection::expires_after(Duration duration) {
    set_deadline(lane_.clock().monotonic() + duration);
}

void Connection::on_expired() {
    const auto words = last_words_;
    if (!closed_ && !words.empty()) {
        close_with(words);
    }
    expired_ = true;
    stream_->close();
}

void Connection::close_with(std::string_view words) noexcept {
    if (!writing_ && try_write(words) == ErrorCode()) {
        stream_->shutdown_send();
    }
    close();
}

void Connection::close() noexcept {
    closed_ = true;
    stream_->close();
}

Task<void> Connection::finish(Duration patience) {
    last_words_ = {};
    stream_->shutdown_send();
    expires_after(patience);
    Dropper dropper;
    while (dropper.count() < kMaxDropped) {
        const auto error = co_await read_to(dropper);
        if (error) {
            break;
        }
    }
    close();
}

}  // namespace mailflow
