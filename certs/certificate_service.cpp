#include "certs/certificate_service.hpp"

#include "certs/key_file.hpp"
#include "certs/self_signed.hpp"
#include "certs/tls_context_set.hpp"
#include "transport/base/error.hpp"

#include <openssl/crypto.h>
#include <openssl/x509.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace mailflow {

namespace {

constexpr std::string_view kSelfSignedName = "Self-signed";

bool is_sealed(const CertificateRecord& record) noexcept {
    return !record.private_key.empty();
}

// What the worker answers, with the reason of a failure in words.
struct KeyFileAnswer {
    std::optional<SecretBox> box;
    ErrorCode error;
    std::string why;
};

KeyFileAnswer find_key(Files& files, const std::string& path, bool has_sealed, Random& random) {
    KeyFileAnswer answer;
    const auto keep = [&answer](Result<SecretBox> box) {
        if (box) {
            answer.box.emplace(*box);
        } else {
            answer.error = box.error();
        }
    };
    if (files.exists(path)) {
        keep(read_key_file(files, path, answer.why));
    } else if (has_sealed) {
        answer.error = Error::not_found;
        answer.why = "the key file " + path +
                     " is missing, and organization.db holds private keys sealed with it: restore "
                     "it from the backup";
    } else {
        keep(make_key_file(files, path, random, answer.why));
    }
    return answer;
}

CertificateRecord record_of(
    const NewCertificate& made_now, const SecretBox& box, UtcTime now, Random& random) {
    CertificateRecord record;
    record.thumbprint = facts_of(*made_now.certificate).thumbprint;
    record.name = kSelfSignedName;
    record.chain = to_pem(*made_now.certificate);
    auto key = to_der(*made_now.key);
    record.private_key = box.seal(key, record.thumbprint, random);
    OPENSSL_cleanse(key.data(), key.size());
    record.services = static_cast<CertificateUses>(CertificateUse::smtp) |
                      static_cast<CertificateUses>(CertificateUse::https);
    record.created = now;
    return record;
}

}  // namespace

CertificateService::CertificateService(Parts parts)
    : parts_(std::move(parts))
    , trust_(make_system_trust()) {}

CertificateService::~CertificateService() = default;

Task<Result<>> CertificateService::open(std::string* why) {
    auto records = co_await parts_.store.read_all();
    if (!records) {
        *why = "the certificates cannot be read: " + records.error().message();
        co_return records.error();
    }
    const bool has_sealed = std::any_of(records->begin(), records->end(), is_sealed);
    const auto opened = co_await open_key_file(has_sealed, why);
    if (!opened) {
        co_return opened.error();
    }
    if (records->empty()) {
        const auto added = co_await add_self_signed(&*records, why);
        if (!added) {
            co_return added.error();
        }
    }
    const auto work = [this, &records] {
        return load(*records);
    };
    auto loaded = co_await offload(parts_.worker, work);
    if (loaded.sealed > 0 && loaded.opened == 0) {
        *why = "the key file " + parts_.key_file +
               " does not fit: the private keys in organization.db were sealed with another key; "
               "restore the right file from the backup";
        co_return make_error_code(Error::corrupt);
    }
    certificates_ = std::move(loaded.certificates);
    unusable_ = std::move(loaded.unusable);
    co_return Result<>();
}

Task<Result<>> CertificateService::reload() {
    const auto records = co_await parts_.store.read_all();
    if (!records) {
        co_return records.error();
    }
    const auto work = [this, &records] {
        return load(*records);
    };
    auto loaded = co_await offload(parts_.worker, work);
    certificates_ = std::move(loaded.certificates);
    unusable_ = std::move(loaded.unusable);
    co_return Result<>();
}

Task<Result<>> CertificateService::open_key_file(bool has_sealed, std::string* why) {
    const auto work = [this, has_sealed] {
        return find_key(parts_.files, parts_.key_file, has_sealed, parts_.random);
    };
    auto answer = co_await offload(parts_.worker, work);
    if (!answer.box) {
        *why = std::move(answer.why);
        co_return answer.error;
    }
    box_.emplace(*answer.box);
    co_return Result<>();
}

Task<Result<>> CertificateService::add_self_signed(
    std::vector<CertificateRecord>* records, std::string* why) {
    const auto now = parts_.clock.now();
    const auto work = [this, now]() -> Result<CertificateRecord> {
        try {
            const auto made_now = make_self_signed(parts_.node_fqdn, now, parts_.random);
            return record_of(made_now, *box_, now, parts_.random);
        } catch (const std::runtime_error& failure) {
            parts_.log.error("no self-signed certificate", {{"reason", failure.what()}});
            return Error::tls_failed;
        }
    };
    auto record = co_await offload(parts_.worker, work);
    if (!record) {
        *why = "the first certificate cannot be made; the log says why";
        co_return record.error();
    }
    ChangeAuthor author{"mailflowd", "first start: self-signed certificate"};
    const auto added = co_await parts_.store.add(*record, std::move(author));
    if (!added) {
        *why = "the first certificate cannot be stored: " + added.error().message();
        co_return added.error();
    }
    parts_.log.info(
        "made a self-signed certificate",
        {{"name", parts_.node_fqdn}, {"thumbprint", record->thumbprint}});
    records->push_back(std::move(*record));
    co_return Result<>();
}

// ---- on the worker

CertificateService::Loaded CertificateService::load(const std::vector<CertificateRecord>& records) {
    Loaded loaded;
    for (const auto& record : records) {
        load_one(record, loaded);
    }
    return loaded;
}

void CertificateService::load_one(const CertificateRecord& record, Loaded& into) {
    const auto note = [&](const std::string& reason) {
        into.unusable.push_back(
            {CertificateWarning::Kind::unusable,
             record.name,
             0,
             "certificate \"" + record.name + "\" cannot be used: " + reason});
    };
    auto chain = parse_chain(record.chain);
    if (!chain) {
        note("it cannot be read");
    }
    StoredCertificate certificate;
    certificate.name = record.name;
    certificate.services = record.services;
    if (is_sealed(record)) {
        ++into.sealed;
        auto key = box_->open(record.private_key, record.thumbprint);
        if (key) {
            ++into.opened;
            certificate.key = parse_private_key(*key);
            OPENSSL_cleanse(key->data(), key->size());
        } else {
            note("its private key cannot be opened with the key file");
        }
    }
    if (!chain) {
        return;
    }
    certificate.facts = facts_of(*chain->leaf);
    if (certificate.key && X509_check_private_key(chain->leaf.get(), certificate.key.get()) != 1) {
        certificate.key = nullptr;
        note("its private key belongs to another certificate");
    }
    certificate.is_trusted = leads_to_trusted_root(*chain, *trust_);
    certificate.chain = std::make_shared<const ParsedChain>(std::move(*chain));
    into.certificates.push_back(std::move(certificate));
}

// ---- on the console lane

TlsContextsPtr CertificateService::build(const Organization& organization) {
    const auto now = parts_.clock.now();
    if (!tickets_ || now >= tickets_->due()) {
        tickets_ = TicketKeys::make(parts_.random, now, tickets_);
    }
    const auto& connectors = organization.receive_connectors();
    const auto& node = organization.node().fqdn;
    std::vector<std::string> problems;
    auto contexts = std::make_shared<const TlsContextSet>(
        TlsContextSet::Parts{
            certificates_, connectors, node, now, tickets_, trust_, organization.send_connectors()},
        problems);
    warnings_ = find_warnings(certificates_, connectors, node, now);
    warnings_.insert(warnings_.end(), unusable_.begin(), unusable_.end());
    for (auto& problem : problems) {
        warnings_.push_back({CertificateWarning::Kind::unusable, {}, 0, std::move(problem)});
    }
    return contexts;
}

UtcTime CertificateService::rotation_due() const noexcept {
    return tickets_ ? tickets_->due() : parts_.clock.now();
}

}  // namespace mailflow
