#include "tests/support/receive_fixture.hpp"

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
          Log(log)})
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

}  // namespace mailflow
