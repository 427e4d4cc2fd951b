// A ReceiveServer on doubles and virtual time: what receive tests and dialogues build on. One lane,
// one connector `Default Frontend mx` on 192.0.2.1:25 for everybody; contoso.com is ours with alice
// and postmaster in it.
#pragma once

#include "server/receive/listener.hpp"
#include "tests/support/memory_bodies.hpp"
#include "tests/support/memory_directory.hpp"
#include "tests/support/memory_log.hpp"
#include "tests/support/memory_network.hpp"
#include "tests/support/memory_store.hpp"
#include "tests/support/memory_tracking.hpp"
#include "tests/support/run_task.hpp"
#include "tests/support/test_certificates.hpp"

#include <memory>
#include <vector>

namespace mailflow {

struct ReceiveFixture {
    ReceiveFixture();
    ~ReceiveFixture();
    ReceiveFixture(const ReceiveFixture&) = delete;
    ReceiveFixture& operator=(const ReceiveFixture&) = delete;

    [[nodiscard]] ReceiveConnector& connector() { return parts.receive_connectors.front(); }

    // `parts` as they stand become the Organization.
    void apply();
    // A client's connection, accepted; the greeting is in its output.
    [[nodiscard]] MemoryPeer connect(std::string_view client = "198.51.100.7");
    // See `tls` of the dialogues.
    [[nodiscard]] std::shared_ptr<ssl_ctx_st> client_context(const std::string& how);
    // As it will be sent.
    [[nodiscard]] std::string header_of(const QueuedMessage& message);
    // `from=… body=… account=…`: for dialogues.
    [[nodiscard]] static std::string envelope_of(const QueuedMessage& message);

    MemoryLog log;
    TestLane test{Log(log)};
    MemoryNetwork network;
    MemoryBodies bodies;
    MemoryStore memory{&bodies};
    FaultyStore store{memory};
    MemoryDirectory directory;
    MemoryTracking tracking;
    QueueIdSource ids{test.clock, 0};
    std::vector<QueuedMessagePtr> announced;
    FoldedRunner worker{test.context};
    AuthGuard guard;
    AuthGate gate{guard, test.lane, test.lane};
    Authenticator authenticator{{directory, worker, gate, "a secret of tests"}};
    Metrics counts;
    ReceiveMetrics metrics{counts};
    ReceiveLane lane;
    Organization::Parts parts;
    bool has_certificate = false;  // from the next `apply` on
    TestCertificate authority;     // of client certificates; made when first needed
    ReceiveServer server;
};

}  // namespace mailflow
