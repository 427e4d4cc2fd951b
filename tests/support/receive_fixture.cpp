#include "tests/support/receive_fixture.hpp"

#include "certs/self_signed.hpp"
#include "certs/ticket_keys.hpp"
#include "certs/tls_context_set.hpp"
#include "transport/ports/content_reader.hpp"

#include <openssl/ssl.h>

namespace mailflow {

namespace {

Endpoint front_door() {
    return {IpAddress::v4(0xc0000201), 25};
}

Organization::Parts default_parts() {
    Organization::Parts parts;
    parts.version = 1;
    parts.node.fqdn = "mx.contoso.com";
    AcceptedDomain domain{"contoso.com", DomainName::parse("contoso.com").value()};
    domain.is_default = true;
    parts.accepted_domains.push_back(domain);
    ReceiveConnector connector;
    connector.name = "Default Frontend mx";
    connector.bindings = {front_door()};
    connector.remote_ranges = {
        IpRange::parse("0.0.0.0-255.255.255.255").value(),
        IpRange::parse("::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff").value()};
    connector.permission_groups = static_cast<std::uint8_t>(PermissionGroup::anonymous);
    connector.tarpit_interval = std::chrono::milliseconds(0);
    parts.receive_connectors.push_back(connector);
    return parts;
}

// One certificate for all, made anew: a P-256 key takes less than a millisecond.
TlsContextsPtr make_contexts(ReceiveFixture& f) {
    auto made = make_self_signed("mx.contoso.com", f.test.clock.now(), f.test.random);
    StoredCertificate stored;
    stored.name = "self-signed";
    stored.services = static_cast<CertificateUses>(CertificateUse::smtp);
    stored.facts = facts_of(*made.certificate);
    auto chain = std::make_shared<ParsedChain>();
    chain->leaf = std::move(made.certificate);
    stored.chain = std::move(chain);
    stored.key = std::move(made.key);
    const TrustStorePtr trust(X509_STORE_new(), X509_STORE_free);
    X509_STORE_add_cert(trust.get(), f.authority.certificate.get());
    std::vector<std::string> problems;
    auto contexts = std::make_shared<TlsContextSet>(
        TlsContextSet::Parts{
            std::span(&stored, 1),
            f.parts.receive_connectors,
            f.parts.node.fqdn,
            f.test.clock.now(),
            TicketKeys::make(f.test.random, f.test.clock.now(), nullptr),
            trust},
        problems);
    return contexts;
}

std::string word(std::string_view name, std::string_view value) {
    return std::string(name) + "=" + std::string(value) + " ";
}

}  // namespace

ReceiveFixture::ReceiveFixture()
    : lane(ReceiveServices{
          test.lane,
          store,
          bodies,
          directory,
          tracking,
          ids,
          [this](QueuedMessagePtr message) { announced.push_back(std::move(message)); },
          Log(log),
          &authenticator,
          &metrics})
    , parts(default_parts())
    , server(network, {&lane}) {
    directory.add_mailbox("alice", {"alice@contoso.com", "a.smith@contoso.com"});
    directory.add_mailbox("postmaster", {"postmaster@contoso.com"});
}

// Suspended sessions must end before the lane goes.
ReceiveFixture::~ReceiveFixture() {
    memory.hold_commits(false);
    server.stop();
    server.abort();
    for (int i = 0; i < 100 && test.lane.tasks().live() > 0; ++i) {
        test.advance(std::chrono::seconds(60));
    }
}

void ReceiveFixture::apply() {
    if (has_certificate) {
        if (authority.key == nullptr) {
            TestCertificateWish wish;
            wish.common_name = "Contoso CA";
            wish.is_authority = true;
            authority = make_test_certificate(wish);
        }
        server.set_tls_contexts(make_contexts(*this));
    }
    server.apply(std::make_shared<const Organization>(parts));
    test.poll();
}

MemoryPeer ReceiveFixture::connect(std::string_view client) {
    if (server.listeners().empty()) {
        apply();
    }
    MemoryPeer peer(front_door(), {IpAddress::parse(client).value(), 40000});
    network.push(peer, front_door());
    test.poll();
    return peer;
}

std::shared_ptr<ssl_ctx_st> ReceiveFixture::client_context(const std::string& how) {
    auto context = make_test_client_context();
    const auto says = [&how](const char* what) {
        return how.find(what) != std::string::npos;
    };
    if (says("1.2")) {
        SSL_CTX_set_max_proto_version(context.get(), TLS1_2_VERSION);
    }
    if (says("1.1")) {
        SSL_CTX_set_security_level(context.get(), 0);
        SSL_CTX_set_min_proto_version(context.get(), TLS1_1_VERSION);
        SSL_CTX_set_max_proto_version(context.get(), TLS1_1_VERSION);
    }
    if (says("http")) {
        const std::string_view alpn = "\x08http/1.1";
        SSL_CTX_set_alpn_protos(
            context.get(),
            reinterpret_cast<const unsigned char*>(alpn.data()),
            static_cast<unsigned>(alpn.size()));
    }
    if (says("certified") || says("stranger")) {
        TestCertificateWish wish;
        wish.common_name = "alice";
        wish.alternative_names = "email:alice@contoso.com";
        const auto mine = make_test_certificate(wish, says("stranger") ? nullptr : &authority);
        SSL_CTX_use_certificate(context.get(), mine.certificate.get());
        SSL_CTX_use_PrivateKey(context.get(), mine.key.get());
    }
    return context;
}

std::string ReceiveFixture::header_of(const QueuedMessage& message) {
    auto reader = make_content_reader(message.content, make_memory_reader(bodies.find(message.id)));
    std::string text;
    for (;;) {
        const auto piece = test.run(reader->next());
        if (!piece || piece->empty()) {
            break;
        }
        text += *piece;
    }
    return text.substr(0, text.find("\r\n\r\n") + 2);
}

std::string ReceiveFixture::envelope_of(const QueuedMessage& message) {
    const auto& envelope = message.envelope;
    static constexpr const char* kBodies[] = {"7bit", "8bitmime", "binarymime"};
    static constexpr const char* kReturns[] = {"", "full", "hdrs"};
    auto text = word("from", envelope.reverse_path.text()) +
                word("body", kBodies[static_cast<std::size_t>(envelope.body)]) +
                word("utf8", envelope.smtputf8 ? "yes" : "no") +
                word("ret", kReturns[static_cast<std::size_t>(envelope.dsn_return)]) +
                word("envid", envelope.envelope_id) + word("auth", envelope.authenticated_sender) +
                word("requiretls", envelope.require_tls ? "yes" : "no") +
                word("priority", std::to_string(envelope.priority));
    if (envelope.deliver_by) {
        text += word("by", std::to_string(envelope.deliver_by->seconds));
        text += word("by-mode", envelope.deliver_by->return_late ? "R" : "N");
    }
    const auto held = envelope.release - message.accepted;
    text += word("held", envelope.release == UtcTime{} ? "no" : "yes");
    if (envelope.release != UtcTime{}) {
        text += word(
            "for", std::to_string(std::chrono::duration_cast<std::chrono::seconds>(held).count()));
    }
    for (const auto& recipient : message.recipients) {
        text += word("to", recipient.original) + word("target", recipient.address.text()) +
                word("notify", std::to_string(recipient.dsn.notify)) +
                word("orcpt", recipient.dsn.original_recipient);
    }
    const auto& origin = message.origin;
    return text + word("connector", origin.connector) + word("client", origin.client.text()) +
           word("with", origin.protocol) + word("account", origin.account) +
           word("tls", origin.tls.empty() ? "no" : "yes") +
           word("trusted", origin.trusted ? "yes" : "no");
}

}  // namespace mailflow
