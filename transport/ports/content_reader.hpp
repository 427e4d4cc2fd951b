// A message's content as it leaves us: the prefix, then the stored body with its header edits
// applied, in pieces. Who sends, delivers, exports or attaches a message reads it through this.
#pragma once

#include "transport/ports/body_store.hpp"

#include <memory>

namespace mailflow {

// `content` is copied where needed; `body` reads the stored octets from their beginning.
[[nodiscard]] std::unique_ptr<BodyReader> make_content_reader(
    const Content& content, std::unique_ptr<BodyReader> body);

}  // namespace mailflow
