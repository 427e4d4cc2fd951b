// An SMTP server that says what a script wants, and a Network that leads to such servers: the
// remote side for tests of the delivery agent. Answers inside the client's write, without sockets
// or tasks; keeps what it was told. One lane.
#pragma once

#include "transport/net/network.hpp"
#include "transport/smtp/data_decoder.hpp"

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

struct ssl_ctx_st;

namespace mailflow {

// What a peer does instead of being a good server. Replies carry their CRLF.
struct PeerScript {
    std::string greeting = "220 peer.example ESMTP\r\n";
    std::string ehlo = "250-peer.example\r\n250-PIPELINING\r\n250-SIZE 100000\r\n250 8BITMIME\r\n";
    // By the start of the command, the longest that fits; e.g. `RCPT TO:<bob@`. Empty: closes
    // without a word.
    std::map<std::string, std::string> replies;
    std::string end_of_data = "250 2.0.0 taken\r\n";  // empty: closes without a word
    // So many octets behind 354, this is said (may be empty), and the connection is closed.
    std::optional<std::size_t> cut_body_at;
    std::string cut_body_with;
    std::size_t read_limit = SIZE_MAX;  // octets one read of the client gets
    // A 220 to STARTTLS is followed by TLS with this context; null: by nothing at all, ever.
    std::shared_ptr<ssl_ctx_st> tls{};
    // To EHLO inside TLS; empty: as outside. By the start of the command, before `replies`.
    std::string ehlo_inside{};
    std::map<std::string, std::string> replies_inside{};
};

// One accepted connection.
struct PeerDialogue {
    std::vector<std::string> commands;
    std::vector<std::string> messages;  // decoded; acknowledged or not
    std::vector<std::string> inside;    // of the commands, those said inside TLS
    std::string server_name;            // SNI
    std::size_t flights = 0;            // writes of the client outside DATA
    bool client_closed = false;
};

class ScriptedNetwork final : public Network {
  public:
    // Connections to `endpoint` meet this script; nobody listens elsewhere. Further scripts are for
    // the connections after the first; the last one stays.
    void serve(const Endpoint& endpoint, PeerScript script) {
        scripts_[endpoint].push_back(std::move(script));
    }

    // Connections to it wait for their deadline.
    void hang(const Endpoint& endpoint) { hanging_.insert(endpoint); }

    Result<std::unique_ptr<Acceptor>> listen(Lane& lane, const Endpoint& endpoint) override;
    Task<Result<std::unique_ptr<Stream>>> connect(
        Lane& lane,
        Endpoint remote,
        std::optional<IpAddress> source,
        MonotonicTime deadline) override;

    // In the order they were made, failed ones left out.
    [[nodiscard]] const std::vector<std::shared_ptr<PeerDialogue>>& dialogues() const noexcept {
        return dialogues_;
    }

    [[nodiscard]] const std::vector<Endpoint>& attempts() const noexcept { return attempts_; }

    // Every open connection ends now, after these octets; what the client writes later is lost.
    void end_all(const std::string& last_words = {});

  private:
    class PeerStream;
    struct Wire;

    std::map<Endpoint, std::vector<PeerScript>> scripts_;
    std::map<Endpoint, std::size_t> accepted_;
    std::set<Endpoint> hanging_;
    std::vector<std::shared_ptr<PeerDialogue>> dialogues_;
    std::vector<Endpoint> attempts_;
    std::vector<std::weak_ptr<Wire>> wires_;
};

}  // namespace mailflow
