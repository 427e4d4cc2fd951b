// Challenges of a hostile server: no mechanism lets itself be led anywhere, and a server that does
// not know the password never proves itself. The first octet chooses the mechanism, zero octets
// part the challenges; `N` at the front of one stands for our own nonce.
#include "transport/base/result.hpp"
#include "transport/smtp/sasl_client.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

namespace {

using mailflow::smtp::ClientMechanism;

mailflow::smtp::SaslClientSecrets secrets() {
    mailflow::smtp::SaslClientSecrets all;
    all.username = "user";
    all.password = "pencil";
    all.access_token = "token";
    all.channel_binding = std::string(32, 'b');
    return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const auto mechanism = static_cast<ClientMechanism>(data[0] % 6);
    std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
    mailflow::smtp::SaslClient client(mechanism, secrets());
    const auto begun = client.begin();
    if (!begun) std::abort();
    const std::string first = begun->value_or("");
    const auto at = first.find("r=");
    const bool is_scram = mechanism <= ClientMechanism::scram_sha_256;
    for (int round = 0; round < 6; ++round) {
        const auto end = std::min(rest.find('\0'), rest.size());
        std::string challenge(rest.substr(0, end));
        if (challenge.starts_with('N') && at != std::string::npos) {
            challenge = first.substr(at) + challenge.substr(1);
        }
        // A million rounds of hashing are legal and slow.
        if (challenge.find("i=") != std::string::npos &&
            challenge.find("i=4096") == std::string::npos) {
            return 0;
        }
        const auto answer = client.answer(challenge);
        if (is_scram && client.is_server_proved()) std::abort();
        if (!answer && client.is_server_proved()) std::abort();
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return 0;
}
