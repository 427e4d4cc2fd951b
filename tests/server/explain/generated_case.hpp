// Organizations and envelopes drawn from a seed: what the test "explain says what happens" runs
// through both explain and a receive session.
#pragma once

#include "server/explain/explain.hpp"
#include "tests/support/generated_organization.hpp"
#include "tests/support/receive_fixture.hpp"

namespace mailflow {

// Fills the parts and the directory of a fresh fixture: an organization as drawn, receive
// connectors, SRS.
void fill_organization(ReceiveFixture& fixture, Draw& draw);

// Who sends what to whom, from where; `local` is the fixture's front door.
[[nodiscard]] ExplainRequest draw_request(Draw& draw);

}  // namespace mailflow
