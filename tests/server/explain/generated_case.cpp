#include "tests/server/explain/generated_case.hpp"

namespace mailflow {

namespace {

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
    connector.max_message_size =
        draw.chance(30) ? std::optional<std::uint64_t>(10'000) : std::nullopt;
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

}  // namespace

void fill_organization(ReceiveFixture& fixture, Draw& draw) {
    draw_organization(fixture.parts, draw).copy_to(fixture.directory);
    add_receive_connectors(fixture.parts, draw);
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
    if (draw.chance(45)) request.account = draw_mailbox(draw) + "@contoso.com";
    if (!draw.chance(12)) {
        const bool own = !request.account.empty() && draw.chance(60);
        request.from =
            ReversePath(EmailAddress::parse(own ? request.account : draw_address(draw)).value());
    }
    for (std::size_t i = 1 + draw.below(4); i > 0; --i)
        request.to.emplace_back(EmailAddress::parse(draw_address(draw)).value());
    if (draw.chance(40)) request.size = draw.chance(50) ? 7'000 : 20'000;
    if (draw.chance(50)) {
        request.fields.push_back("From: Somebody <" + draw_address(draw) + ">");
    }
    if (draw.chance(40)) request.fields.push_back("To: <" + draw_address(draw) + ">");
    if (draw.chance(15)) request.fields.emplace_back("Auto-Submitted: auto-replied");
    return request;
}

}  // namespace mailflow
