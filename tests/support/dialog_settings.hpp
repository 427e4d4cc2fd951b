// `set FIELD VALUE` of a dialogue file: what each field does to the fixture. A field of the
// connector has the schema's name; `domain`, `mailbox`, `password`, `send_as` add to the
// organization; `directory`, `store`, `body_…` make a double fail; the rest is in the table.
#pragma once

#include "tests/support/receive_fixture.hpp"

#include <string>

namespace mailflow {

// Throws std::out_of_range for a field or a word nobody knows.
void apply_dialog_setting(
    ReceiveFixture& fixture, const std::string& field, const std::string& value);

}  // namespace mailflow
