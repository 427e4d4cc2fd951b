#include "storage/certificate_sqlite.hpp"

#include "transport/base/error.hpp"

namespace mailflow {

namespace {

void bind_key(SqliteQuery& query, const CertificateRecord& certificate) {
    if (certificate.private_key.empty()) {
        query.bind_null();
    } else {
        query.bind_blob(certificate.private_key);
    }
}

}  // namespace

Task<Result<std::vector<CertificateRecord>>> SqliteCertificateStore::read_all() {
    const auto work = [this] {
        return guarded([this] { return read(); });
    };
    auto certificates = co_await offload(keeper_, work);
    co_return certificates;
}

Result<std::vector<CertificateRecord>> SqliteCertificateStore::read() {
    std::vector<CertificateRecord> certificates;
    auto row = writer_.connection().query(
        "SELECT thumbprint, name, chain, private_key, services, created FROM certificate "
        "ORDER BY created, thumbprint");
    while (row.step()) {
        CertificateRecord certificate;
        certificate.thumbprint = row.text(0);
        certificate.name = row.text(1);
        certificate.chain = row.text(2);
        certificate.private_key = row.text(3);
        certificate.services = static_cast<CertificateUses>(row.integer(4));
        certificate.created = row.time(5);
        certificates.push_back(std::move(certificate));
    }
    return certificates;
}

Task<Result<>> SqliteCertificateStore::add(CertificateRecord certificate, ChangeAuthor author) {
    const auto work = [&] {
        return guarded([&] { return insert(certificate, author); });
    };
    auto done = co_await offload(keeper_, work);
    co_return done;
}

Result<> SqliteCertificateStore::insert(
    const CertificateRecord& certificate, const ChangeAuthor& author) {
    if (writer_.connection().in_transaction()) {
        return Error::unavailable;  // an import is being taken whole
    }
    SqliteTransaction transaction(writer_.connection());
    writer_.add_version(author);
    {
        auto row = writer_.connection().query(
            "INSERT INTO certificate(thumbprint, name, chain, private_key, services, created) "
            "VALUES(?, ?, ?, ?, ?, ?)");
        row.bind_text(certificate.thumbprint).bind_text(certificate.name);
        row.bind_text(certificate.chain);
        bind_key(row, certificate);
        row.bind(unsigned{certificate.services}).bind(certificate.created).run();
    }
    transaction.commit();
    writer_.committed();
    return {};
}

Task<Result<>> SqliteCertificateStore::replace(CertificateRecord certificate, ChangeAuthor author) {
    const auto work = [&] {
        return guarded([&] { return update(certificate, author); });
    };
    auto done = co_await offload(keeper_, work);
    co_return done;
}

Result<> SqliteCertificateStore::update(
    const CertificateRecord& certificate, const ChangeAuthor& author) {
    if (writer_.connection().in_transaction()) {
        return Error::unavailable;  // an import is being taken whole
    }
    SqliteTransaction transaction(writer_.connection());
    writer_.add_version(author);
    {
        auto row = writer_.connection().query(
            "UPDATE certificate SET name = ?, private_key = ?, services = ? WHERE thumbprint = ?");
        row.bind_text(certificate.name);
        bind_key(row, certificate);
        row.bind(unsigned{certificate.services}).bind_text(certificate.thumbprint);
        if (row.run() == 0) {
            return Error::not_found;
        }
    }
    transaction.commit();
    writer_.committed();
    return {};
}

Task<Result<>> SqliteCertificateStore::remove(std::string thumbprint, ChangeAuthor author) {
    const auto work = [&] {
        return guarded([&] { return erase(thumbprint, author); });
    };
    auto done = co_await offload(keeper_, work);
    co_return done;
}

Result<> SqliteCertificateStore::erase(const std::string& thumbprint, const ChangeAuthor& author) {
    if (writer_.connection().in_transaction()) {
        return Error::unavailable;  // an import is being taken whole
    }
    SqliteTransaction transaction(writer_.connection());
    writer_.add_version(author);
    const int erased = writer_.connection()
                           .query("DELETE FROM certificate WHERE thumbprint = ?")
                           .bind_text(thumbprint)
                           .run();
    if (erased == 0) {
        return Error::not_found;
    }
    transaction.commit();
    writer_.committed();
    return {};
}

}  // namespace mailflow
