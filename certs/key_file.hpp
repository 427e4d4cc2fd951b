// The key file ([storage] key_file): 64 hex digits, the key of the secret box. Made at first start;
// without it what is sealed in the store is lost, so it is never made anew while the store holds
// sealed rows. Blocks; called at start, on a worker.
#pragma once

#include "certs/secret_box.hpp"
#include "transport/ports/files.hpp"

#include <string>

namespace mailflow {

// Reads the key. Error::not_found, Error::corrupt when it is no key file, or the system's error;
// `why` says it in words that name the file.
[[nodiscard]] Result<SecretBox> read_key_file(
    Files& files, const std::string& path, std::string& why);

// A new key, durable when it returns; mode 0600. Error::already_exists when there is a file.
[[nodiscard]] Result<SecretBox> make_key_file(
    Files& files, const std::string& path, Random& random, std::string& why);

}  // namespace mailflow
