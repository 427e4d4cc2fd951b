#include "tests/support/dialog_runner.hpp"

#include "tests/support/dialog_settings.hpp"
#include "tests/support/receive_fixture.hpp"
#include "tests/support/tls_client.hpp"
#include "transport/base/ascii.hpp"

#include <fstream>
#include <optional>
#include <regex>
#include <set>
#include <stdexcept>

namespace mailflow {

namespace {

std::string unescaped(std::string_view text) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\' || i + 1 == text.size()) {
            result += text[i];
            continue;
        }
        switch (text[++i]) {
            case 'r': result += '\r'; break;
            case 'n': result += '\n'; break;
            case 't': result += '\t'; break;
            case '0': result += '\0'; break;
            case 'x':
                result +=
                    static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
                i += 2;
                break;
            default: result += text[i];
        }
    }
    return result;
}

// One playing of one file.
class Player {
  public:
    Player(const std::string& path, bool octets)
        : path_(path)
        , octets_(octets) {}

    // False when the file forbids this way of playing.
    bool play() {
        std::ifstream file(path_);
        if (!file) {
            fail("cannot be read");
        }
        for (std::string text; std::getline(file, text);) {
            ++line_;
            if (text == "set pieces whole") {
                if (octets_) {
                    return false;
                }
                continue;
            }
            if (!text.empty() && text.front() != '#') {
                step(text);
            }
        }
        f_.test.poll();
        if (peer_ && !output().empty()) {
            fail("the server also says: " + pending_);
        }
        return true;
    }

  private:
    [[noreturn]] void fail(const std::string& what) const {
        throw std::runtime_error(
            path_ + ":" + std::to_string(line_) + (octets_ ? " (octet by octet): " : ": ") + what);
    }

    void step(const std::string& text) {
        const auto blank = text.find(' ');
        const auto verb = text.substr(0, blank);
        const auto rest = blank == std::string::npos ? std::string() : text.substr(blank + 1);
        if (verb == "set") {
            const auto space = rest.find(' ');
            apply_dialog_setting(
                f_,
                rest.substr(0, space),
                space == std::string::npos ? "" : rest.substr(space + 1));
        } else if (verb == "connect") {
            tls_.reset();
            peer_.emplace(f_.connect(rest.empty() ? "198.51.100.7" : rest));
            pending_.clear();
        } else {
            if (!peer_) {
                peer_.emplace(f_.connect());
            }
            connected_step(verb, rest, text);
        }
    }

    void connected_step(const std::string& verb, const std::string& rest, const std::string& text) {
        if (verb == "C:") {
            send(rest + "\r\n");
        } else if (verb == "R:") {
            send(unescaped(rest));
        } else if (verb == "repeat") {
            const auto at = rest.find(" R: ");
            for (auto left = std::stoul(rest.substr(0, at)); left > 0; --left) {
                send(unescaped(rest.substr(at + 4)));
            }
        } else if (verb == "S:" || verb == "S~") {
            expect(rest, verb == "S~");
        } else if (verb == "rest") {
            while (take_line("more")[3] == '-') {
            }
        } else if (verb == "hello") {
            hello(rest);
        } else if (verb == "submit") {
            submit(rest);
        } else if (verb == "tls") {
            begin_tls(rest);
        } else if (verb == "reads") {
            peer_->limit_reads(std::stoul(rest));
        } else if (verb == "wait") {
            f_.test.advance(std::chrono::seconds(std::stoul(rest)));
        } else if (verb == "end") {
            peer_->end();
            f_.test.poll();
        } else if (verb == "reset") {
            peer_->break_off();
            f_.test.poll();
        } else if (verb == "stop") {
            f_.server.stop();
            f_.test.poll();
        } else {
            check(verb, rest, text);
        }
    }

    void check(const std::string& verb, const std::string& rest, const std::string& text) {
        f_.test.poll();
        if (verb == "quiet") {
            require(output().empty(), "the server says: " + pending_);
        } else if (verb == "closed") {
            f_.test.advance(std::chrono::seconds(3));  // it waits a little for the client's end
            require(peer_->is_closed(), "the server has not closed");
        } else if (verb == "stored") {
            const auto count = std::to_string(f_.memory.messages().size());
            require(count == rest, count + " messages are stored");
            require(std::to_string(f_.announced.size()) == rest, "not all are announced");
        } else if (verb == "bodies") {
            const auto count = std::to_string(f_.bodies.count());
            require(count == rest && f_.bodies.open_writers() == 0, count + " bodies are kept");
        } else if (verb == "body") {
            require(!f_.announced.empty(), "no message is stored");
            const auto body = f_.bodies.find(f_.announced.back()->id);
            require(body != nullptr, "the body is not kept");
            require(*body == unescaped(rest), "the body is: " + ascii::escaped(*body));
        } else if (verb == "header") {
            require(!f_.announced.empty(), "no message is stored");
            const auto header = f_.header_of(*f_.announced.back());
            require(header.find(unescaped(rest)) != std::string::npos, "the header is: " + header);
        } else if (verb == "no-header") {
            require(!f_.announced.empty(), "no message is stored");
            const auto header = f_.header_of(*f_.announced.back());
            require(header.find(unescaped(rest)) == std::string::npos, "the header is: " + header);
        } else if (verb == "envelope") {
            require(!f_.announced.empty(), "no message is stored");
            const auto said = f_.envelope_of(*f_.announced.back());
            require(said.find(rest) != std::string::npos, "the envelope is: " + said);
        } else if (verb == "offers" || verb == "lacks") {
            const bool there = keywords_.contains(rest);
            require(there == (verb == "offers"), "EHLO says otherwise");
        } else if (verb == "logged") {
            require(f_.log.count(rest) > 0, "it is not logged");
        } else {
            fail("what is this: " + text);
        }
    }

    void require(bool holds, const std::string& otherwise) const {
        if (!holds) {
            fail(otherwise);
        }
    }

    void send(const std::string& bytes) {
        if (!octets_) {
            send_piece(bytes);
            return;
        }
        for (const char octet : bytes) {
            send_piece(std::string_view(&octet, 1));
        }
    }

    void send_piece(std::string_view bytes) {
        if (tls_) {
            tls_->write(bytes);
        } else {
            peer_->send(bytes);
        }
        f_.test.poll();
    }

    std::string& output() {
        pending_ += tls_ ? tls_->read() : peer_->received();
        return pending_;
    }

    // EHLO, and what is offered.
    void hello(const std::string& name) {
        send("EHLO " + name + "\r\n");
        keywords_.clear();
        for (bool first = true;; first = false) {
            const auto line = take_line("250");
            require(line.starts_with("250"), "the server says: " + line);
            if (!first) {
                keywords_.insert(line.substr(4));
            }
            if (line[3] == ' ') {
                return;
            }
        }
    }

    // `FROM TO HEADER`: a whole transaction, all of it accepted.
    void submit(const std::string& text) {
        const auto first = text.find(' ');
        const auto second = text.find(' ', first + 1);
        send("MAIL FROM:<" + text.substr(0, first) + ">\r\n");
        expect("250 2.1.0", false);
        send("RCPT TO:<" + text.substr(first + 1, second - first - 1) + ">\r\n");
        expect("250 2.1.5", false);
        send("DATA\r\n");
        expect("354", false);
        send(unescaped(text.substr(second + 1)) + "\r\n\r\nbody\r\n.\r\n");
        expect("250 2.6.0", false);
    }

    // From here on the client speaks TLS. `1.2`: at most; `certified`: with a certificate of
    // alice@contoso.com; `fails`: the server gives no handshake.
    void begin_tls(const std::string& how) {
        tls_.emplace(*peer_, f_.client_context(how));
        if (how.find("talks") != std::string::npos) {
            talk_with_finished();
            return;
        }
        tls_->run(f_.test);
        const bool fails = how.find("fails") != std::string::npos;
        require(
            tls_->is_established() != fails,
            "TLS: " + (tls_->failure().empty() ? "no failure" : tls_->failure()));
        if (fails) {
            tls_.reset();
        }
    }

    // A command in the very segment that ends the handshake.
    void talk_with_finished() {
        while (!tls_->is_established()) {
            f_.test.poll();
            tls_->pull();
            SSL_do_handshake(tls_->ssl());
            if (!tls_->is_established()) {
                require(tls_->push(), "TLS: " + tls_->failure());
            }
        }
        tls_->write("EHLO eager.example\r\n");
        f_.test.poll();
    }

    std::string take_line(const std::string& wanted) {
        const auto end = output().find("\r\n");
        if (end == std::string::npos) {
            fail("the server says nothing, wanted: " + wanted);
        }
        auto said = pending_.substr(0, end);
        pending_.erase(0, end + 2);
        return said;
    }

    void expect(const std::string& wanted, bool is_regex) {
        const auto said = take_line(wanted);
        const bool fits =
            is_regex ? std::regex_match(said, std::regex(wanted)) : said.starts_with(wanted);
        require(fits, "the server says: " + said + ", wanted: " + wanted);
    }

    std::string path_;
    bool octets_;
    ReceiveFixture f_;
    std::optional<MemoryPeer> peer_;
    std::optional<TlsClient> tls_;
    std::string pending_;
    std::set<std::string> keywords_;  // of the last EHLO
    int line_ = 0;
};

}  // namespace

void run_dialog(const std::string& path) {
    Player whole(path, false);
    whole.play();
    Player octets(path, true);
    octets.play();
}

}  // namespace mailflow
