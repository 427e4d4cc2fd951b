#include "storage/body_spooling.hpp"

#include "storage/body_checksum.hpp"
#include "storage/body_reader.hpp"

#include <algorithm>
#include <utility>

namespace mailflow {

namespace {

// Keeps the octets and their share of the memory; the share goes first, at the commit.
struct HeldBody {
    HeldBody(std::string octets, BodyBudget::Share taken)
        : bytes(std::move(octets))
        , share(std::move(taken)) {}

    std::string bytes;
    BodyBudget::Share share;
};

// Found again through the shared pointer to the octets.
struct HeldBodyDeleter {
    std::unique_ptr<HeldBody> body;

    void operator()(const std::string* /*bytes*/) noexcept { body.reset(); }
};

std::shared_ptr<const std::string> hold(std::string octets, BodyBudget::Share share) {
    auto body = std::make_unique<HeldBody>(std::move(octets), std::move(share));
    const std::string* bytes = &body->bytes;
    return std::shared_ptr<const std::string>(bytes, HeldBodyDeleter{std::move(body)});
}

}  // namespace

// One body on its way in. Octets gather in memory; whenever they pass the row's limit they go to
// the file, which the first time makes.
class SpoolingBodyStore::Writer final : public BodyWriter {
  public:
    Writer(const Parts& parts, QueueId id, BodyBudget::Share share)
        : parts_(parts)
        , id_(id)
        , share_(std::move(share)) {}

    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    ~Writer() override {
        if (file_ && !finished_) {
            drop_file();
        }
    }

    Result<> write(std::string_view bytes) noexcept override {
        if (failure_) {
            return failure_;
        }
        checksum_.update(bytes);
        size_ += bytes.size();
        memory_ += bytes;
        if (memory_.size() > share_.octets() && !grow()) {
            spill();
        }
        if (failure_) {
            return failure_;
        }
        return {};
    }

    [[nodiscard]] std::uint64_t size() const noexcept override { return size_; }

    Task<Result<StoredBody>> finish() override {
        if (failure_) {
            co_return failure_;
        }
        StoredBody body;
        body.ref.length = size_;
        body.ref.checksum = checksum_.finish();
        if (!file_) {
            finished_ = true;
            share_.shrink_to(memory_.size());
            body.bytes = hold(std::move(memory_), std::move(share_));
            co_return body;
        }
        auto sync = [this] {
            return write_rest_and_sync();
        };
        failure_ = co_await offload(parts_.worker, sync);
        if (failure_) {
            co_return failure_;
        }
        finished_ = true;
        file_.reset();
        body.ref.file = id_.value;
        co_return body;
    }

  private:
    // By doubling, up to the row's limit; a body that is in a file already has no use for more.
    [[nodiscard]] bool grow() noexcept {
        const auto wanted = std::max<std::uint64_t>(memory_.size(), 2 * share_.octets());
        return !file_ && memory_.size() <= parts_.row_limit &&
               share_.try_grow_to(std::min(wanted, parts_.row_limit));
    }

    void spill() noexcept {
        if (!file_) {
            auto file = parts_.spool.files().create(parts_.spool.path_of(id_.value));
            if (!file) {
                // Nothing was written: this body fails, and the store goes on (attack case 16).
                failure_ = file.error();
                return;
            }
            file_ = std::move(*file);
        }
        const auto written = file_->append(memory_);
        if (!written) {
            failure_ = failure_from(written.error());
        }
        memory_.clear();
        share_.shrink_to(std::min(parts_.row_limit, kFirstShare));
    }

    // On the worker. The folder is synced as well: the file is new in it.
    ErrorCode write_rest_and_sync() noexcept {
        const auto written = file_->append(memory_);
        if (!written) {
            return failure_from(written.error());
        }
        const auto synced = file_->sync();
        if (!synced) {
            return failure_from(synced.error());
        }
        const auto folder = parts_.spool.files().sync_directory(parts_.spool.folder_of(id_.value));
        return folder ? ErrorCode() : failure_from(folder.error());
    }

    void drop_file() noexcept {
        file_.reset();
        parts_.worker.post([&spool = parts_.spool, file = id_.value] { spool.remove(file); });
    }

    // A full disk and a want of descriptors or memory pass; after any other failed write or sync
    // (attack case 35) the store takes nothing more.
    [[nodiscard]] ErrorCode failure_from(const ErrorCode& error) const noexcept {
        namespace errc = boost::system::errc;
        if (error == Error::disk_full || error == errc::too_many_files_open ||
            error == errc::too_many_files_open_in_system || error == errc::not_enough_memory) {
            return error;
        }
        parts_.on_failed("spool file " + id_.text() + ": " + error.message());
        return Error::store_failed;
    }

    const Parts& parts_;
    QueueId id_;
    BodyBudget::Share share_;
    BodyChecksum checksum_;
    std::string memory_;
    std::unique_ptr<File> file_;
    std::uint64_t size_ = 0;
    ErrorCode failure_;
    bool finished_ = false;
};

SpoolingBodyStore::SpoolingBodyStore(Parts parts)
    : parts_(parts)
    , budget_(parts.memory_limit, parts.worker) {}

Task<Result<std::unique_ptr<BodyWriter>>> SpoolingBodyStore::create(QueueId id) {
    auto share = co_await budget_.take(std::min(parts_.row_limit, kFirstShare));
    co_return std::unique_ptr<BodyWriter>(std::make_unique<Writer>(parts_, id, std::move(share)));
}

Task<Result<std::unique_ptr<BodyReader>>> SpoolingBodyStore::open(QueueId id, BodyRef ref) {
    if (ref.file == 0) {
        FetchBody from_row = [&connection = parts_.connection, row = id.value](
                                 std::uint64_t offset, std::size_t size) -> Result<std::string> {
            return connection.read_blob(
                "body", "bytes", static_cast<std::int64_t>(row), offset, size);
        };
        co_return std::unique_ptr<BodyReader>(std::make_unique<CheckedBodyReader>(
            parts_.reader, std::move(from_row), ref, kBodyPiece));
    }
    auto& files = parts_.spool.files();
    auto open_file = [&files, path = parts_.spool.path_of(ref.file)] {
        return files.open(path);
    };
    auto opened = co_await offload(parts_.worker, open_file);
    if (!opened) {
        co_return opened.error();
    }
    FetchBody from_file = [file = std::shared_ptr<File>(std::move(*opened))](
                              std::uint64_t offset, std::size_t size) {
        return file->read(offset, size);
    };
    co_return std::unique_ptr<BodyReader>(
        std::make_unique<CheckedBodyReader>(parts_.worker, std::move(from_file), ref, kBodyPiece));
}

void SpoolingBodyStore::discard(QueueId /*id*/, const BodyRef& ref) noexcept {
    if (ref.file != 0) {
        parts_.worker.post([&spool = parts_.spool, file = ref.file] { spool.remove(file); });
    }
}

void SpoolingBodyStore::settle(const std::shared_ptr<const std::string>& bytes) noexcept {
    if (auto* deleter = std::get_deleter<HeldBodyDeleter>(bytes);
        deleter != nullptr && deleter->body) {
        deleter->body->share.shrink_to(0);
    }
}

}  // namespace mailflow
