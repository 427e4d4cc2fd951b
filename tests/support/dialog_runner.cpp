#include "tests/support/dialog_runner.hpp"

#include "tests/support/receive_fixture.hpp"
#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"

#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <regex>
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

ErrorCode error_named(const std::string& name) {
    static const std::map<std::string, Error> kErrors = {
        {"disk-full", Error::disk_full},
        {"store-failed", Error::store_failed},
        {"unavailable", Error::unavailable}};
    return kErrors.at(name);
}

AcceptedDomain accepted_domain(const std::string& value) {
    const auto blank = value.find(' ');
    const auto name = value.substr(0, blank);
    const auto type = value.substr(blank + 1);
    AcceptedDomain domain{name, DomainName::parse(name).value()};
    domain.type = type == "internal-relay"   ? AcceptedDomainType::internal_relay
                  : type == "external-relay" ? AcceptedDomainType::external_relay
                                             : AcceptedDomainType::authoritative;
    return domain;
}

using Setter = std::function<void(ReceiveFixture&, const std::string&)>;

std::uint32_t number(const std::string& text) {
    return static_cast<std::uint32_t>(std::stoul(text));
}

void permit(ReceiveFixture& f, Permission permission) {
    auto& set = f.connector().permissions;
    set = static_cast<PermissionSet>(set | static_cast<PermissionSet>(permission));
}

const std::map<std::string, Setter>& setters() {
    using F = ReceiveFixture;
    using S = const std::string&;
    static const std::map<std::string, Setter> kSetters = {
        {"pieces",
         [](F&, S) {
         }},
        {"fqdn",
         [](F& f, S v) {
             f.connector().fqdn = v;
         }},
        {"banner",
         [](F& f, S v) {
             f.connector().banner = v;
         }},
        {"remote_range",
         [](F& f, S v) {
             f.connector().remote_ranges = {IpRange::parse(v).value()};
         }},
        {"permission_groups",
         [](F& f, S v) {
             const bool trusted = v == "trusted";
             f.connector().permission_groups =
                 v == "none" ? std::uint8_t{0}
                             : static_cast<std::uint8_t>(
                                   trusted ? PermissionGroup::trusted : PermissionGroup::anonymous);
         }},
        {"permission",
         [](F& f, S v) {
             static const std::map<std::string, Permission> kNames = {
                 {"submit", Permission::submit},
                 {"any-recipient", Permission::any_recipient},
                 {"any-sender", Permission::any_sender},
                 {"authoritative-domain-sender", Permission::authoritative_domain_sender},
                 {"bypass-message-size", Permission::bypass_message_size}};
             permit(f, kNames.at(v));
         }},
        {"max_message_size",
         [](F& f, S v) {
             f.connector().max_message_size = std::stoull(v);
         }},
        {"max_receive_size",
         [](F& f, S v) {
             f.parts.transport.max_receive_size = std::stoull(v);
         }},
        {"max_hop_count",
         [](F& f, S v) {
             f.parts.transport.max_hop_count = number(v);
         }},
        {"max_recipients_per_message",
         [](F& f, S v) {
             f.connector().max_recipients_per_message = number(v);
         }},
        {"max_protocol_errors",
         [](F& f, S v) {
             f.connector().max_protocol_errors = number(v);
         }},
        {"message_rate_limit",
         [](F& f, S v) {
             f.connector().message_rate_limit = number(v);
         }},
        {"connection_timeout",
         [](F& f, S v) {
             f.connector().connection_timeout = std::chrono::seconds(number(v));
         }},
        {"connection_inactivity_timeout",
         [](F& f, S v) {
             f.connector().connection_inactivity_timeout = std::chrono::seconds(number(v));
         }},
        {"tarpit_interval",
         [](F& f, S v) {
             f.connector().tarpit_interval = std::chrono::seconds(number(v));
         }},
        {"domain",
         [](F& f, S v) {
             f.parts.accepted_domains.push_back(accepted_domain(v));
         }},
        {"mailbox",
         [](F& f, S v) {
             f.directory.add_mailbox(v, {v});
         }},
        {"directory",
         [](F& f, S v) {
             f.directory.fail_with(error_named(v));
         }},
        {"store",
         [](F& f, S v) {
             f.store.fail_call(1, error_named(v));
         }},
        {"body_create",
         [](F& f, S v) {
             f.bodies.fail_create_with(error_named(v));
         }},
        {"body_write",
         [](F& f, S v) {
             f.bodies.fail_writes_with(error_named(v), 10);
         }},
        {"body_finish", [](F& f, S v) {
             f.bodies.fail_finish_with(error_named(v));
         }}};
    return kSetters;
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
            if (text == "set pieces whole" && octets_) {
                return false;
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
            setters().at(rest.substr(0, space))(
                f_, space == std::string::npos ? "" : rest.substr(space + 1));
        } else if (verb == "connect") {
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
            require(
                body != nullptr && *body == unescaped(rest),
                "the body is: " + ascii::escaped(*body));
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
            peer_->send(bytes);
            f_.test.poll();
            return;
        }
        for (const char octet : bytes) {
            peer_->send(std::string_view(&octet, 1));
            f_.test.poll();
        }
    }

    std::string& output() {
        pending_ += peer_->received();
        return pending_;
    }

    void expect(const std::string& wanted, bool is_regex) {
        const auto end = output().find("\r\n");
        if (end == std::string::npos) {
            fail("the server says nothing, wanted: " + wanted);
        }
        const auto said = pending_.substr(0, end);
        pending_.erase(0, end + 2);
        const bool fits =
            is_regex ? std::regex_match(said, std::regex(wanted)) : said.starts_with(wanted);
        require(fits, "the server says: " + said + ", wanted: " + wanted);
    }

    std::string path_;
    bool octets_;
    ReceiveFixture f_;
    std::optional<MemoryPeer> peer_;
    std::string pending_;
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
