// Any octets as an answer to a fixed query, and as an answer to themselves: no read outside, no
// endless walk, bounds kept.
#include "dns/limits.hpp"
#include "dns/message.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace mailflow::dns;
    const std::string_view packet(reinterpret_cast<const char*>(data), size);
    static const auto kQuery =
        encode_query(0x4d46, Question{"contoso.com", RecordType::mx}).value();

    static_cast<void>(decode_answer(packet, kQuery));
    // The right head in front, so that the records are reached.
    auto answer = kQuery.substr(0, kQuery.size() - 11);
    answer[2] = static_cast<char>(0x81);
    if (size >= 6) {
        answer.replace(6, 6, packet.substr(0, 6));
        answer += packet.substr(6);
    }
    const auto decoded = decode_answer(answer, kQuery);
    if (decoded &&
        (decoded->answers.size() > kMaxRecords || decoded->authority.size() > kMaxRecords))
        std::abort();
    return 0;
}
