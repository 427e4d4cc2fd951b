#include "tests/support/scripted_peer.hpp"

#include "transport/base/error.hpp"
#include "transport/base/one_shot.hpp"

#include <openssl/bio.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>

namespace mailflow {

namespace {

struct FreeTls {
    void operator()(SSL* tls) const noexcept { SSL_free(tls); }
};

}  // namespace

// Both directions of one connection, and the server's mind.
struct ScriptedNetwork::Wire {
    PeerScript script;
    std::shared_ptr<PeerDialogue> dialogue;
    std::string to_client;
    std::string line;
    smtp::DataDecoder decoder;
    std::string message;
    std::size_t body_octets = 0;
    bool in_data = false;
    std::size_t chunk_left = 0;
    bool is_last_chunk = false;
    bool ended = false;   // the server closed
    bool closed = false;  // the client did
    bool deaf = false;    // nothing is heard or said any more
    std::unique_ptr<SSL, FreeTls> tls;
    OneShot<ErrorCode>* reader = nullptr;

    void say(std::string_view words) {
        if (tls) {
            std::size_t written = 0;
            SSL_write_ex(tls.get(), words.data(), words.size(), &written);
            flush_tls();
            return;
        }
        to_client += words;
        wake({});
    }

    // ---- TLS, over OpenSSL's own memory

    void begin_tls() {
        if (!script.tls) {
            deaf = true;
            return;
        }
        tls.reset(SSL_new(script.tls.get()));
        SSL_set_accept_state(tls.get());
        SSL_set_bio(tls.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    }

    void flush_tls() {
        std::array<char, 4096> octets{};
        std::size_t count = 0;
        while (BIO_read_ex(SSL_get_wbio(tls.get()), octets.data(), octets.size(), &count) == 1)
            to_client.append(octets.data(), count);
        wake({});
    }

    void take_encrypted(std::string_view octets) {
        std::size_t written = 0;
        BIO_write_ex(SSL_get_rbio(tls.get()), octets.data(), octets.size(), &written);
        if (SSL_is_init_finished(tls.get()) == 0) {
            const int result = SSL_do_handshake(tls.get());
            const bool failed =
                result != 1 && SSL_get_error(tls.get(), result) != SSL_ERROR_WANT_READ;
            flush_tls();
            if (failed) end();
            if (result != 1) return;
            const auto* name = SSL_get_servername(tls.get(), TLSEXT_NAMETYPE_host_name);
            dialogue->server_name = name == nullptr ? "" : name;
        }
        std::array<char, 4096> plain{};
        std::size_t count = 0;
        std::string all;
        while (SSL_read_ex(tls.get(), plain.data(), plain.size(), &count) == 1)
            all.append(plain.data(), count);
        if (!all.empty()) take(all);
    }

    void end() {
        ended = true;
        wake({});
    }

    void wake(ErrorCode error) {
        if (auto* const one = std::exchange(reader, nullptr)) one->complete(error);
    }

    void hear(std::string_view octets) {
        if (deaf) return;
        if (tls) {
            take_encrypted(octets);
        } else {
            take(octets);
        }
    }

    void take(std::string_view octets) {
        if (!in_data) ++dialogue->flights;
        while (!octets.empty() && !ended && !deaf) {
            octets.remove_prefix(
                in_data          ? take_data(octets)
                : chunk_left > 0 ? take_chunk(octets)
                                 : take_command(octets));
        }
    }

    std::size_t take_chunk(std::string_view octets) {
        const auto taken = std::min(octets.size(), chunk_left);
        message += octets.substr(0, taken);
        chunk_left -= taken;
        if (chunk_left == 0) end_chunk();
        return taken;
    }

    void end_chunk() {
        if (!is_last_chunk) {
            reply("250 2.0.0 go on\r\n");
            return;
        }
        dialogue->messages.push_back(std::exchange(message, {}));
        reply(script.end_of_data);
    }

    // `BDAT 123 LAST`
    void begin_chunk(const std::string& command) {
        chunk_left = std::stoul(command.substr(5));
        is_last_chunk = command.ends_with(" LAST");
        if (chunk_left == 0) end_chunk();
    }

    std::size_t take_command(std::string_view octets) {
        const auto end = octets.find('\n');
        line += octets.substr(0, end);
        if (end == std::string_view::npos) return octets.size();
        line.resize(line.size() - (line.ends_with('\r') ? 1 : 0));
        answer(std::exchange(line, {}));
        return end + 1;
    }

    std::size_t take_data(std::string_view octets) {
        if (script.cut_body_at) octets = octets.substr(0, *script.cut_body_at - body_octets);
        const auto taken = decoder.feed(octets, message);
        body_octets += taken;
        if (script.cut_body_at && body_octets >= *script.cut_body_at) {
            say(script.cut_body_with);
            this->end();
        } else if (decoder.is_complete()) {
            in_data = false;
            dialogue->messages.push_back(std::exchange(message, {}));
            reply(script.end_of_data);
        }
        return taken;
    }

    void answer(const std::string& command) {
        dialogue->commands.push_back(command);
        const std::string* scripted = nullptr;
        for (const auto& [start, words] : script.replies) {
            // The map is ordered: of the starts that fit, the longest comes last.
            if (command.starts_with(start)) scripted = &words;
        }
        if (tls) {
            dialogue->inside.push_back(command);
            for (const auto& [start, words] : script.replies_inside) {
                if (command.starts_with(start)) scripted = &words;
            }
        }
        if (command.starts_with("BDAT ")) {
            begin_chunk(command);
        } else if (scripted != nullptr) {
            begin_data_if(*scripted);
            reply(*scripted);
            if (command == "STARTTLS" && scripted->starts_with("220")) begin_tls();
        } else if (command.starts_with("EHLO")) {
            reply(tls && !script.ehlo_inside.empty() ? script.ehlo_inside : script.ehlo);
        } else if (command == "STARTTLS" && script.tls) {
            reply("220 go ahead\r\n");
            begin_tls();
        } else if (command == "DATA") {
            begin_data_if("354");
            reply("354 go ahead\r\n");
        } else if (command == "QUIT") {
            reply("221 bye\r\n");
            end();
        } else {
            reply("250 ok\r\n");
        }
    }

    void begin_data_if(const std::string& words) {
        if (!words.starts_with("354")) return;
        in_data = true;
        decoder = smtp::DataDecoder();
        body_octets = 0;
    }

    void reply(const std::string& words) {
        say(words);
        if (words.empty() || words.starts_with("421")) end();
    }
};

class ScriptedNetwork::PeerStream final : public Stream {
  public:
    PeerStream(std::shared_ptr<Wire> wire, const Endpoint& remote)
        : wire_(std::move(wire))
        , remote_(remote) {}

    ~PeerStream() override { wire_->dialogue->client_closed = true; }

    PeerStream(const PeerStream&) = delete;
    PeerStream& operator=(const PeerStream&) = delete;

    Result<std::size_t> try_read(std::span<char> into) noexcept override {
        if (wire_->closed) return Error::cancelled;
        if (wire_->to_client.empty())
            return wire_->ended ? Error::end_of_stream : Error::would_block;
        const auto count =
            std::min({into.size(), wire_->to_client.size(), wire_->script.read_limit});
        std::copy_n(wire_->to_client.begin(), count, into.begin());
        wire_->to_client.erase(0, count);
        return count;
    }

    Result<std::size_t> try_write(std::span<const char> from) noexcept override {
        if (wire_->closed) return Error::cancelled;
        if (wire_->ended)
            return boost::system::errc::make_error_code(boost::system::errc::broken_pipe);
        wire_->hear({from.data(), from.size()});
        return from.size();
    }

    Task<ErrorCode> wait(Readiness readiness) override {
        if (wire_->closed) co_return Error::cancelled;
        if (readiness == Readiness::writable || !wire_->to_client.empty() || wire_->ended)
            co_return ErrorCode();
        OneShot<ErrorCode> awake;
        wire_->reader = &awake;
        const auto error = co_await awake.wait();
        co_return error;
    }

    void shutdown_send() noexcept override { wire_->end(); }

    void close() noexcept override {
        wire_->closed = true;
        wire_->dialogue->client_closed = true;
        wire_->wake(Error::cancelled);
    }

    [[nodiscard]] const Endpoint& local() const noexcept override { return local_; }

    [[nodiscard]] const Endpoint& remote() const noexcept override { return remote_; }

  private:
    std::shared_ptr<Wire> wire_;
    Endpoint local_{IpAddress::v4(0xc0000205), 40000};
    Endpoint remote_;
};

Result<std::unique_ptr<Acceptor>> ScriptedNetwork::listen(Lane&, const Endpoint&) {
    return ErrorCode(Error::unavailable);
}

Task<Result<std::unique_ptr<Stream>>> ScriptedNetwork::connect(
    Lane& lane, Endpoint remote, std::optional<IpAddress>, MonotonicTime deadline) {
    attempts_.push_back(remote);
    if (hanging_.contains(remote)) {
        co_await lane.sleep_until(deadline);
        co_return ErrorCode(Error::timed_out);
    }
    const auto found = scripts_.find(remote);
    if (found == scripts_.end()) {
        co_return boost::system::errc::make_error_code(boost::system::errc::connection_refused);
    }
    const auto& scripts = found->second;
    auto wire = std::make_shared<Wire>();
    wire->script = scripts[std::min(accepted_[remote]++, scripts.size() - 1)];
    wire->dialogue = std::make_shared<PeerDialogue>();
    wire->reply(wire->script.greeting);
    dialogues_.push_back(wire->dialogue);
    wires_.push_back(wire);
    std::unique_ptr<Stream> stream = std::make_unique<PeerStream>(std::move(wire), remote);
    co_return stream;
}

void ScriptedNetwork::end_all(const std::string& last_words) {
    for (const auto& weak : wires_) {
        if (const auto wire = weak.lock()) {
            wire->say(last_words);
            wire->end();
        }
    }
}

}  // namespace mailflow
