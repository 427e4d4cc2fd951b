#include "certs/ticket_keys.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cstring>
#include <new>

namespace mailflow {

namespace {

constexpr int kNonceSize = 16;

template <std::size_t size>
void fill(Random& random, std::array<unsigned char, size>& octets) {
    random.fill(std::as_writable_bytes(std::span(octets)));
}

}  // namespace

TicketKeysPtr TicketKeys::make(Random& random, UtcTime now, const TicketKeysPtr& before) {
    Key key;
    fill(random, key.name);
    fill(random, key.cipher);
    fill(random, key.mac);
    auto keys = std::make_shared<const TicketKeys>(key, before ? &before->current_ : nullptr, now);
    OPENSSL_cleanse(&key, sizeof(key));
    return keys;
}

TicketKeys::TicketKeys(const Key& current, const Key* previous, UtcTime made)
    : current_(current)
    , previous_(previous == nullptr ? Key() : *previous)
    , has_previous_(previous != nullptr)
    , made_(made)
    , cipher_(EVP_CIPHER_fetch(nullptr, "AES-256-CBC", nullptr), EVP_CIPHER_free) {
    if (!cipher_) {
        throw std::bad_alloc();
    }
}

TicketKeys::~TicketKeys() {
    OPENSSL_cleanse(&current_, sizeof(current_));
    OPENSSL_cleanse(&previous_, sizeof(previous_));
}

const TicketKeys::Key* TicketKeys::find(const unsigned char* name) const noexcept {
    const auto is_named = [name](const Key& key) {
        return std::memcmp(key.name.data(), name, key.name.size()) == 0;
    };
    if (is_named(current_)) {
        return &current_;
    }
    return has_previous_ && is_named(previous_) ? &previous_ : nullptr;
}

TicketKeys::Answer TicketKeys::prepare(
    const Ticket& ticket, const Key& key, bool sealing) const noexcept {
    std::array<char, 7> digest{'S', 'H', 'A', '2', '5', '6', '\0'};
    auto mac = key.mac;
    const std::array<OSSL_PARAM, 3> parameters{
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, mac.data(), mac.size()),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
        OSSL_PARAM_construct_end()};
    const bool is_ready = EVP_CipherInit_ex2(
                              ticket.cipher,
                              cipher_.get(),
                              key.cipher.data(),
                              ticket.nonce,
                              sealing ? 1 : 0,
                              nullptr) == 1 &&
                          EVP_MAC_CTX_set_params(ticket.mac, parameters.data()) == 1;
    OPENSSL_cleanse(mac.data(), mac.size());
    return is_ready ? Answer::use : Answer::fail;
}

TicketKeys::Answer TicketKeys::seal(const Ticket& ticket) const noexcept {
    std::memcpy(ticket.name, current_.name.data(), current_.name.size());
    // From OpenSSL, like every other random octet of a handshake.
    if (RAND_bytes(ticket.nonce, kNonceSize) != 1) {
        return Answer::fail;
    }
    return prepare(ticket, current_, true);
}

TicketKeys::Answer TicketKeys::open(const Ticket& ticket) const noexcept {
    const auto* key = find(ticket.name);
    if (key == nullptr) {
        return Answer::ignore;
    }
    const auto answer = prepare(ticket, *key, false);
    return answer == Answer::use && key != &current_ ? Answer::use_and_renew : answer;
}

}  // namespace mailflow
