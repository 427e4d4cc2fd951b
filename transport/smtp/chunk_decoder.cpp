#include "transport/smtp/chunk_decoder.hpp"

#include <algorithm>

namespace mailflow::smtp {

void ChunkDecoder::begin(std::uint64_t size, bool last) noexcept {
    left_ = size;
    last_ = last;
}

std::size_t ChunkDecoder::feed(std::string_view bytes, std::string& out) {
    const std::size_t before = out.size();
    // RFC 3030 §2: exactly the octets announced, whatever they are.
    const auto taken = bytes.substr(0, std::min<std::uint64_t>(bytes.size(), left_));
    left_ -= taken.size();
    const std::size_t header = binary_ ? take_header(taken) : taken.size();
    if (header > 0) rules_.feed(taken.substr(0, header), out);
    out += taken.substr(header);
    size_ += out.size() - before;
    return taken.size();
}

void ChunkDecoder::finish(std::string& out) {
    const std::size_t before = out.size();
    rules_.finish(out);
    size_ += out.size() - before;
}

// How many of `bytes` belong to the header or the empty line behind it.
std::size_t ChunkDecoder::take_header(std::string_view bytes) noexcept {
    std::size_t at = 0;
    for (; at < bytes.size() && in_header_; ++at) {
        if (bytes[at] == '\n') {
            in_header_ = !empty_line_;
            empty_line_ = true;
        } else if (bytes[at] != '\r') {
            empty_line_ = false;
        }
    }
    return at;
}

}  // namespace mailflow::smtp
