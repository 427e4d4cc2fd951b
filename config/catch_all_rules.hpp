// The recipient that an accepted domain names as its catch_all: written as anybody knows it, kept
// by its name, so that it follows a rename and goes with the recipient, as names in recipients do.
// Used by OrganizationService. Inside config only.
#pragma once

#include "transport/base/task.hpp"
#include "transport/ports/object_store.hpp"
#include "transport/ports/recipient_store.hpp"

#include <boost/json/object.hpp>

#include <string>

namespace mailflow {

// What becomes of the objects that name the recipient `name` when it is called `new_name`; empty:
// when it goes.
[[nodiscard]] ObjectEdits follow_recipient(
    const ObjectSet& objects, const std::string& name, const std::string& new_name);

// An alias or address there becomes the name of who has it; what nobody is stays as written. An
// error: the store could not be asked. Both outlive the call.
[[nodiscard]] Task<ErrorCode> spell_catch_all(
    RecipientStore& recipients, boost::json::object& domain);

}  // namespace mailflow
