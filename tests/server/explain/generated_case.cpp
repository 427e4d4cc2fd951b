#include "tests/server/explain/generated_case.hpp"

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

void add_recipients(MemoryDirectory& directory, Draw& draw) {
    for (const auto& name : kMailboxes) {
        auto mailbox = recipient(name, RecipientKind::mailbox, draw);
        mailbox.upn = mailbox.primary().text();
        if (draw.chance(30)) mailbox.send_as = {draw.pick(kMailboxes)};
        if (draw.chance(25)) mailbox.forwarding.recipient = draw.pick(kAll);
        if (draw.chance(15)) mailbox.forwarding.address = address(draw.pick(kOutside));
        mailbox.forwarding.deliver_and_forward = draw.chance(50);
        mailbox.rewrite_sender_to_primary = maybe(draw, 20, draw.chance(50));
        directory.add(std::move(mailbox));
    }
    for (const auto* name : {"c0", "c1"}) {
        auto contact = recipient(name, RecipientKind::contact, draw);
        contact.external_address =
            address(draw.chance(70) ? draw.pick(kOutside) : draw.pick(kMailboxes) + "@contoso.com");
        directory.add(std::move(contact));
    }
    for (const auto* name : {"g0", "g1", "g2"}) {
        auto group = recipient(name, RecipientKind::group, draw);
        if (draw.chance(50)) group.group.owners = {draw.pick(kAll)};
        group.group.report_to_owner = draw.chance(40);
        group.group.report_to_originator = !group.group.report_to_owner && draw.chance(70);
        group.group.send_oof_to_originator = draw.chance(50);
        directory.add(std::move(group));
        std::vector<std::string> members;
        for (std::size_t i = draw.below(5); i > 0; --i)
            members.push_back(draw.pick(kAll));
        directory.set_members(name, std::move(members));
    }
}

void change(ReceiveConnector& connector, Draw& draw) {
    static const std::vector<PermissionGroup> kGroups = {
        PermissionGroup::anonymous, PermissionGroup::authenticated, PermissionGroup::trusted};
    connector.tarpit_interval = std::chrono::milliseconds(0);
    connector.xclient_from = {IpRange::parse("0.0.0.0/0").value()};
    connector.auth_mechanisms = static_cast<std::uint8_t>(AuthMechanism::plain);
    for (const auto group : kGroups) {
        if (draw.chance(group == PermissionGroup::trusted ? 10 : 65)) {
            connector.permission_groups |= static_cast<std::uint8_t>(group);
        }
    }
    for (const auto right :
         {Permission::any_recipient,
          Permission::any_sender,
          Permission::authoritative_domain_sender,
          Permission::bypass_message_size}) {
        if (draw.chance(35)) connector.permissions |= static_cast<PermissionSet>(right);
    }
    connector.submission = draw.chance(35);
    static const std::vector<SenderPolicy> kPolicies = {
        SenderPolicy::refuse, SenderPolicy::ignore, SenderPolicy::fix};
    connector.sender_policy = draw.pick(kPolicies);
    connector.max_message_size = maybe<std::uint64_t>(draw, 30, 10'000);
    connector.max_recipients_per_message = draw.chance(20) ? 2 : 200;
    connector.reject_reserved_second_level_recipient_domains = draw.chance(30);
    connector.reject_single_label_recipient_domains = draw.chance(30);
}

void add_receive_connectors(Organization::Parts& parts, Draw& draw) {
    auto& usual = parts.receive_connectors.front();
    if (draw.chance(20)) usual.remote_ranges = {IpRange::parse("198.51.100.0/24").value()};
    const auto bindings = usual.bindings;  // push_back moves what `usual` refers to
    for (const auto& [name, range] :
         {std::pair{"Near", "198.51.100.0/25"}, std::pair{"Host", "203.0.113.9"}}) {
        ReceiveConnector connector;
        connector.name = name;
        connector.enabled = draw.chance(80);
        connector.bindings = bindings;
        connector.remote_ranges = {IpRange::parse(range).value()};
        parts.receive_connectors.push_back(std::move(connector));
    }
    for (auto& connector : parts.receive_connectors)
        change(connector, draw);
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

}  // namespace

void fill_organization(ReceiveFixture& fixture, Draw& draw) {
    add_domains(fixture.parts, draw);
    add_recipients(fixture.directory, draw);
    add_receive_connectors(fixture.parts, draw);
    add_send_connectors(fixture.parts, draw);
    add_rewriting(fixture.parts, draw);
    change_settings(fixture.parts, draw);
    if (draw.chance(70)) {
        fixture.lane.services.srs = [](std::string_view text) {
            std::string mac(32, 'k');
            for (std::size_t i = 0; i < text.size(); ++i)
                mac[i % mac.size()] = static_cast<char>(mac[i % mac.size()] * 31 + text[i]);
            return mac;
        };
    }
}

ExplainRequest draw_request(Draw& draw) {
    static const std::vector<std::string> kClients = {
        "198.51.100.7", "198.51.100.200", "203.0.113.9", "192.0.2.77"};
    ExplainRequest request;
    request.client = IpAddress::parse(draw.pick(kClients)).value();
    request.local = Endpoint::parse("192.0.2.1:25").value();
    if (draw.chance(45)) request.account = draw.pick(kMailboxes) + "@contoso.com";
    if (!draw.chance(12)) {
        const bool own = !request.account.empty() && draw.chance(60);
        request.from = ReversePath(address(own ? request.account : draw_address(draw)));
    }
    for (std::size_t i = 1 + draw.below(4); i > 0; --i)
        request.to.emplace_back(address(draw_address(draw)));
    if (draw.chance(40)) request.size = draw.chance(50) ? 7'000 : 20'000;
    if (draw.chance(50)) {
        request.fields.push_back("From: Somebody <" + draw_address(draw) + ">");
    }
    if (draw.chance(40)) request.fields.push_back("To: <" + draw_address(draw) + ">");
    if (draw.chance(15)) request.fields.emplace_back("Auto-Submitted: auto-replied");
    return request;
}

}  // namespace mailflow
