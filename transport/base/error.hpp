// The failures mailflow itself names, as an error category beside the system's. A text says what
// happened in words an administrator can act on. Used everywhere.
#pragma once

#include <boost/system/error_code.hpp>

namespace mailflow {

enum class Error {
    would_block = 1,  // no byte can move now; wait for readiness
    end_of_stream,    // the peer closed its sending side
    timed_out,        // a deadline passed; the connection is closed
    cancelled,        // stopped by us (shutdown, administrator)
    line_too_long,    // a line passed its limit and was discarded up to its CRLF
    syntax,           // text that does not follow its grammar
    too_large,        // a size, count or depth over its named limit
    not_found,        // no such object, message or file
    already_exists,   // the name or id is taken
    conflict,         // the stored state is not the one this change expects
    disk_full,        // no space or no inode left
    store_failed,     // a write or sync failed; the store takes nothing more (latched)
    corrupt,          // a checksum or format test failed
    newer_schema,     // the database was written by a newer program
    locked,           // another process holds it
    refused_target,   // an address we never connect to (loopback, private, our own)
    tls_failed,       // a TLS handshake failed, or a record was wrong; the connection is over
    unavailable,      // a service this needs does not answer now
    truncated,        // a TLS session stopped without its end being said (no close_notify)
};

[[nodiscard]] const boost::system::error_category& mailflow_category() noexcept;
[[nodiscard]] boost::system::error_code make_error_code(Error error) noexcept;

}  // namespace mailflow

template <>
struct boost::system::is_error_code_enum<mailflow::Error> : std::true_type {};
