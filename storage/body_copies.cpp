#include "storage/body_copies.hpp"

#include "transport/base/error.hpp"

#include <utility>

namespace mailflow {

namespace {

constexpr std::size_t kCopyPiece = 256U << 10U;

std::vector<std::uint64_t> files_of(const Submission& submission) {
    std::vector<std::uint64_t> files;
    for (const auto& copy : submission.copies) {
        if (copy.content.body.file != 0) {
            files.push_back(copy.content.body.file);
        }
    }
    return files;
}

ErrorCode copy(Files& files, const std::string& from, const std::string& to) {
    auto source = files.open(from);
    if (!source) {
        return source.error();
    }
    auto target = files.create(to);
    if (!target) {
        return target.error();
    }
    for (std::uint64_t offset = 0;;) {
        const auto piece = (*source)->read(offset, kCopyPiece);
        if (!piece) {
            return piece.error();
        }
        if (piece->empty()) {
            const auto synced = (*target)->sync();
            return synced ? ErrorCode() : synced.error();
        }
        if (const auto written = (*target)->append(*piece); !written) {
            return written.error();
        }
        offset += piece->size();
    }
}

}  // namespace

Task<ErrorCode> BodyCopies::make(const Submission& submission) {
    auto files = files_of(submission);
    if (files.empty()) {
        co_return ErrorCode();
    }
    const auto from = submission.message.content.body.file;
    auto work = [this, from, &files] {
        return make_all(from, files);
    };
    const auto error = co_await offload(worker_, work);
    co_return error;
}

void BodyCopies::remove(const Submission& submission) noexcept {
    auto files = files_of(submission);
    if (!files.empty()) {
        worker_.post([&spool = spool_, files = std::move(files)] {
            for (const auto file : files) {
                spool.remove(file);
            }
        });
    }
}

ErrorCode BodyCopies::make_all(std::uint64_t from, const std::vector<std::uint64_t>& files) {
    for (std::size_t made = 0; made < files.size(); ++made) {
        if (const auto error = make_one(from, files[made])) {
            for (std::size_t i = 0; i <= made; ++i) {
                spool_.remove(files[i]);
            }
            return error;
        }
    }
    return {};
}

ErrorCode BodyCopies::make_one(std::uint64_t from, std::uint64_t file) {
    auto& files = spool_.files();
    const auto source = spool_.path_of(from);
    const auto target = spool_.path_of(file);
    const auto linked = files.link(source, target);
    if (!linked) {
        // A file system without links, or with too many of one file.
        if (const auto error = copy(files, source, target)) {
            return error;
        }
    }
    const auto synced = files.sync_directory(spool_.folder_of(file));
    return synced ? ErrorCode() : synced.error();
}

}  // namespace mailflow
