// A TLS client in memory: OpenSSL's own, on the far end of a MemoryPeer. The test moves the octets:
// `run` until both sides have nothing more to say.
#pragma once

#include "tests/support/memory_stream.hpp"
#include "tests/support/run_task.hpp"
#include "tests/support/test_certificates.hpp"

#include <catch2/catch.hpp>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>

namespace mailflow {

class TlsClient {
  public:
    explicit TlsClient(
        MemoryPeer& peer,
        std::shared_ptr<ssl_ctx_st> context = make_test_client_context(),
        const std::string& server_name = {})
        : peer_(peer)
        , context_(std::move(context))
        , ssl_(SSL_new(context_.get()), SSL_free) {
        SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
        SSL_set_connect_state(ssl_.get());
        if (!server_name.empty()) {
            SSL_set_tlsext_host_name(ssl_.get(), server_name.c_str());
        }
    }

    [[nodiscard]] SSL* ssl() noexcept { return ssl_.get(); }

    [[nodiscard]] bool is_established() noexcept { return SSL_is_init_finished(ssl()) == 1; }

    // The handshake and the lane's work, until nothing moves.
    void run(TestLane& test) {
        for (bool moved = true; moved;) {
            test.poll();
            ERR_clear_error();
            if (!is_established() && SSL_do_handshake(ssl()) != 1) {
                const auto code = ERR_peek_error();
                if (code != 0 && failure_.empty()) failure_ = ERR_reason_error_string(code);
            }
            moved = push();
            moved = pull() || moved;
        }
        test.poll();
    }

    void write(std::string_view text) {
        REQUIRE(
            SSL_write(ssl(), text.data(), static_cast<int>(text.size())) ==
            static_cast<int>(text.size()));
        push();
    }

    // What has arrived. After it, `has_ended` says whether the server said that it was all.
    std::string read() {
        pull();
        std::string text;
        std::array<char, 16384> octets{};
        for (;;) {
            const int count = SSL_read(ssl(), octets.data(), static_cast<int>(octets.size()));
            if (count <= 0) {
                ended_ = SSL_get_error(ssl(), count) == SSL_ERROR_ZERO_RETURN;
                const auto code = ERR_peek_error();
                if (code != 0) failure_ = ERR_reason_error_string(code);
                ERR_clear_error();
                push();
                return text;
            }
            text.append(octets.data(), static_cast<std::size_t>(count));
        }
    }

    void send_close_notify() {
        SSL_shutdown(ssl());
        push();
    }

    [[nodiscard]] bool has_ended() const noexcept { return ended_; }

    // The first reason OpenSSL gave, such as an alert of the server's.
    [[nodiscard]] const std::string& failure() const noexcept { return failure_; }

    // What TLS wants to send goes to the server; true when there was something.
    bool push() {
        std::array<char, 16384> octets{};
        bool any = false;
        for (;;) {
            const int count =
                BIO_read(SSL_get_wbio(ssl()), octets.data(), static_cast<int>(octets.size()));
            if (count <= 0) {
                return any;
            }
            any = true;
            peer_.send({octets.data(), static_cast<std::size_t>(count)});
        }
    }

    bool pull() {
        const auto octets = peer_.received();
        if (!octets.empty()) {
            BIO_write(SSL_get_rbio(ssl()), octets.data(), static_cast<int>(octets.size()));
        }
        return !octets.empty();
    }

  private:
    MemoryPeer& peer_;
    std::shared_ptr<ssl_ctx_st> context_;
    std::unique_ptr<SSL, void (*)(SSL*)> ssl_;
    std::string failure_;
    bool ended_ = false;
};

}  // namespace mailflow
