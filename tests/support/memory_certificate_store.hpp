// A CertificateStore that keeps its certificates in memory. One thread.
#pragma once

#include "transport/base/ascii.hpp"
#include "transport/base/error.hpp"
#include "transport/ports/certificate_store.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace mailflow {

class MemoryCertificateStore final : public CertificateStore {
  public:
    Task<Result<std::vector<CertificateRecord>>> read_all() override {
        if (error_) {
            co_return error_;
        }
        co_return certificates_;
    }

    Task<Result<>> add(CertificateRecord certificate, ChangeAuthor author) override {
        if (error_) {
            co_return error_;
        }
        if (find(certificate.thumbprint) != nullptr || is_taken(certificate)) {
            co_return make_error_code(Error::already_exists);
        }
        certificates_.push_back(std::move(certificate));
        std::sort(certificates_.begin(), certificates_.end(), [](const auto& a, const auto& b) {
            return std::tie(a.created, a.thumbprint) < std::tie(b.created, b.thumbprint);
        });
        authors_.push_back(std::move(author));
        co_return Result<>();
    }

    Task<Result<>> replace(CertificateRecord certificate, ChangeAuthor author) override {
        if (error_) {
            co_return error_;
        }
        auto* const found = find(certificate.thumbprint);
        if (found == nullptr) {
            co_return make_error_code(Error::not_found);
        }
        if (is_taken(certificate)) {
            co_return make_error_code(Error::already_exists);
        }
        found->name = certificate.name;
        found->private_key = certificate.private_key;
        found->services = certificate.services;
        authors_.push_back(std::move(author));
        co_return Result<>();
    }

    Task<Result<>> remove(std::string thumbprint, ChangeAuthor author) override {
        if (error_) {
            co_return error_;
        }
        const auto removed = std::erase_if(certificates_, [&](const auto& certificate) {
            return certificate.thumbprint == thumbprint;
        });
        if (removed == 0) {
            co_return make_error_code(Error::not_found);
        }
        authors_.push_back(std::move(author));
        co_return Result<>();
    }

    // Every call ends so; no error: works again.
    void fail_with(ErrorCode error) noexcept { error_ = error; }

    // Who changed something, in order.
    [[nodiscard]] const std::vector<ChangeAuthor>& authors() const noexcept { return authors_; }

  private:
    CertificateRecord* find(const std::string& thumbprint) {
        const auto found =
            std::find_if(certificates_.begin(), certificates_.end(), [&](const auto& one) {
                return one.thumbprint == thumbprint;
            });
        return found == certificates_.end() ? nullptr : &*found;
    }

    // Its name, by another.
    [[nodiscard]] bool is_taken(const CertificateRecord& certificate) const {
        return std::any_of(certificates_.begin(), certificates_.end(), [&](const auto& one) {
            return one.thumbprint != certificate.thumbprint &&
                   ascii::equal_ignoring_case(one.name, certificate.name);
        });
    }

    std::vector<CertificateRecord> certificates_;
    std::vector<ChangeAuthor> authors_;
    ErrorCode error_;
};

}  // namespace mailflow
