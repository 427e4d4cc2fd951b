#include "tests/support/generated_organization.hpp"

#include "transport/org/delivery_target.hpp"

#include <utility>

namespace mailflow {

namespace {

const std::vector<std::string> kMailboxes = {"m0", "m1", "m2", "m3", "m4", "m5"};
const std::vector<std::string> kAll = {
    "m0", "m1", "m2", "m3", "m4", "m5", "c0", "c1", "g0", "g1", "g2"};
const std::vector<std::string> kDomains = {
    "contoso.com", "sales.contoso.com", "relay.test", "sub.relay.test", "partner.example"};
const std::vector<std::string> kOutside = {
    "bob@fabrikam.com",
    "eve@mail.fabrikam.com",
    "carol@litware.com",
    "dan@example.com",
    "joe@single",
    "x@[203.0.113.5]"};

const std::vector<std::string> kTargets = {
    "lmtp:unix:/run/lmtp", "lmtp:192.0.2.40:24", "smtp:192.0.2.41"};

EmailAddress address(const std::string& text) {
    return EmailAddress::parse(text).value();
}

template <class Value>
std::optional<Value> maybe(Draw& draw, std::size_t percent, Value value) {
    return draw.chance(percent) ? std::optional(value) : std::nullopt;
}

void add_domains(Organization::Parts& parts, Draw& draw) {
    const auto add = [&](const char* name, AcceptedDomainType type, bool subdomains) {
        AcceptedDomain domain{name, DomainName::parse(name).value(), subdomains, type};
        if (draw.chance(30)) domain.catch_all = draw.pick(kAll);
        if (draw.chance(50)) domain.recipient_delimiter = "+";
        parts.accepted_domains.push_back(std::move(domain));
    };
    add("sales.contoso.com", AcceptedDomainType::authoritative, draw.chance(50));
    add("relay.test", AcceptedDomainType::internal_relay, draw.chance(70));
    add("partner.example", AcceptedDomainType::external_relay, draw.chance(30));
}

void restrict(MailRecipient& recipient, Draw& draw) {
    auto& limits = recipient.limits;
    if (draw.chance(15)) limits.accept_from = {draw.pick(kAll), draw.pick(kAll)};
    if (draw.chance(15)) limits.reject_from = {draw.pick(kAll)};
    limits.require_authenticated_sender = draw.chance(15);
    limits.max_receive_size = maybe<std::uint64_t>(draw, 15, 5'000);
    limits.max_send_size = maybe<std::uint64_t>(draw, 15, 10'000);
    limits.max_recipients = maybe<std::uint32_t>(draw, 10, 2);
}

MailRecipient recipient(const std::string& name, RecipientKind kind, Draw& draw) {
    MailRecipient made;
    made.name = name;
    made.alias = name;
    made.kind = kind;
    made.addresses.push_back(address(name + "@contoso.com"));
    if (draw.chance(50)) {
        made.addresses.push_back(address(name + ".other@" + draw.pick(kDomains)));
    }
    restrict(made, draw);
    return made;
}

void add_recipients(GeneratedDirectory& directory, Draw& draw) {
    for (const auto& name : kMailboxes) {
        auto mailbox = recipient(name, RecipientKind::mailbox, draw);
        mailbox.upn = mailbox.primary().text();
        if (draw.chance(30)) mailbox.send_as = {draw.pick(kMailboxes)};
        if (draw.chance(25)) mailbox.forwarding.recipient = draw.pick(kAll);
        if (draw.chance(15)) mailbox.forwarding.address = address(draw.pick(kOutside));
        mailbox.forwarding.deliver_and_forward = draw.chance(50);
        mailbox.rewrite_sender_to_primary = maybe(draw, 20, draw.chance(50));
        if (draw.chance(20)) mailbox.target = parse_delivery_target(draw.pick(kTargets)).value();
        directory.recipients.push_back(std::move(mailbox));
    }
    for (const auto* name : {"c0", "c1"}) {
        auto contact = recipient(name, RecipientKind::contact, draw);
        contact.external_address =
            address(draw.chance(70) ? draw.pick(kOutside) : draw.pick(kMailboxes) + "@contoso.com");
        directory.recipients.push_back(std::move(contact));
    }
    for (const auto* name : {"g0", "g1", "g2"}) {
        auto group = recipient(name, RecipientKind::group, draw);
        if (draw.chance(50)) group.group.owners = {draw.pick(kAll)};
        group.group.report_to_owner = draw.chance(40);
        group.group.report_to_originator = !group.group.report_to_owner && draw.chance(70);
        group.group.send_oof_to_originator = draw.chance(50);
        directory.recipients.push_back(std::move(group));
        std::vector<std::string> members;
        for (std::size_t i = draw.below(5); i > 0; --i)
            members.push_back(draw.pick(kAll));
        directory.members[name] = std::move(members);
    }
}

void add_send_connectors(Organization::Parts& parts, Draw& draw) {
    static const std::vector<std::string> kSpaces = {
        "*",
        "*;5",
        "*.fabrikam.com",
        "fabrikam.com;3",
        "litware.com",
        "*.relay.test",
        "partner.example"};
    for (std::size_t i = draw.below(6); i > 0; --i) {
        SendConnector connector;
        connector.name = "Out" + std::to_string(i);
        connector.enabled = draw.chance(85);
        connector.scoped = draw.chance(15);
        connector.source_servers = {draw.chance(85) ? parts.node.fqdn : "other.contoso.com"};
        connector.address_spaces = {
            AddressSpace::parse(draw.pick(kSpaces)).value(),
            AddressSpace::parse(draw.pick(kSpaces)).value()};
        if (draw.chance(30)) {
            connector.routing = SendRouting::smart_hosts;
            connector.smart_hosts = {parse_smart_host("192.0.2.25").value()};
        }
        connector.max_message_size = maybe<std::uint64_t>(draw, 30, 10'000);
        parts.send_connectors.push_back(std::move(connector));
    }
}

void add_rewriting(Organization::Parts& parts, Draw& draw) {
    const auto add = [&](const char* name, const char* internal, const char* external) {
        AddressRewrite entry;
        entry.name = name;
        entry.internal.domain = DomainName::parse(internal).value();
        entry.external.domain = DomainName::parse(external).value();
        entry.outbound_only = draw.chance(40);
        entry.rewrite_recipient_fields = draw.chance(50);
        if (draw.chance(40)) parts.address_rewrites.push_back(std::move(entry));
    };
    add("Sales", "sales.contoso.com", "shop.test");
    add("Relay", "relay.test", "sub.relay.test");
    if (draw.chance(30)) {
        AddressRewrite entry;
        entry.name = "One";
        entry.internal.address = address("m1@contoso.com");
        entry.external.address = address("first@contoso.com");
        parts.address_rewrites.push_back(std::move(entry));
    }
}

void change_settings(Organization::Parts& parts, Draw& draw) {
    auto& settings = parts.transport;
    settings.recipient_validation = draw.chance(80);
    if (draw.chance(20)) settings.always_bcc = address(draw.pick(kAll) + "@contoso.com");
    static const std::vector<ForwardedSender> kForwarded = {
        ForwardedSender::srs, ForwardedSender::mailbox, ForwardedSender::keep};
    settings.forwarded_sender = draw.pick(kForwarded);
    settings.rewrite_sender_to_primary = draw.chance(70);
    settings.expansion_size_limit = draw.chance(30) ? 2 : 1000;
    if (draw.chance(15)) settings.max_send_size = 12'000;
    if (draw.chance(30)) {
        RemoteDomain domain;
        domain.name = "Fabrikam";
        domain.domain = DomainName::parse("fabrikam.com").value();
        domain.auto_forward_enabled = draw.chance(50);
        domain.auto_reply_enabled = draw.chance(50);
        parts.remote_domains.push_back(std::move(domain));
    }
}

}  // namespace

void GeneratedDirectory::copy_to(MemoryDirectory& directory) const {
    for (const auto& recipient : recipients)
        directory.add(recipient);
    for (const auto& [group, names] : members)
        directory.set_members(group, names);
}

GeneratedDirectory draw_organization(Organization::Parts& parts, Draw& draw) {
    GeneratedDirectory directory;
    add_domains(parts, draw);
    add_recipients(directory, draw);
    add_send_connectors(parts, draw);
    add_rewriting(parts, draw);
    change_settings(parts, draw);
    return directory;
}

std::string draw_mailbox(Draw& draw) {
    return draw.pick(kMailboxes);
}

std::string draw_address(Draw& draw) {
    switch (draw.below(10)) {
        case 0:
        case 1:
        case 2: return draw.pick(kAll) + "@contoso.com";
        case 3: return draw.pick(kAll) + ".other@" + draw.pick(kDomains);
        case 4: return draw.pick(kMailboxes) + "+list@contoso.com";
        case 5: return "nobody@" + draw.pick(kDomains);
        case 6: return (draw.chance(50) ? "postmaster@" : "abuse@") + draw.pick(kDomains);
        case 7: return "first@" + draw.pick(kDomains);
        default: return draw.pick(kOutside);
    }
}

}  // namespace mailflow
