// Reads what a handshake came to out of OpenSSL. Used by TlsStream only.
#pragma once

#include "transport/net/tls_stream.hpp"

namespace mailflow {

[[nodiscard]] TlsFacts read_tls_facts(ssl_st& ssl);

}  // namespace mailflow
