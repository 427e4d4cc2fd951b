#include "certs/key_file.hpp"

#include "transport/base/encoding.hpp"
#include "transport/base/error.hpp"

#include <algorithm>

namespace mailflow {

namespace {

constexpr std::size_t kTextSize = 2 * SecretBox::kKeySize;

std::string folder_of(const std::string& path) {
    const auto slash = path.rfind('/');
    if (slash == std::string::npos) {
        return ".";
    }
    return slash == 0 ? "/" : path.substr(0, slash);
}

SecretBox::Key key_from(std::string_view octets) {
    SecretBox::Key key{};
    std::transform(octets.begin(), octets.end(), key.begin(), [](char octet) {
        return static_cast<std::byte>(octet);
    });
    return key;
}

Result<> write_synced(Files& files, const std::string& path, std::string_view text) {
    auto file = files.create(path);
    if (!file) {
        return file.error();
    }
    if (const auto written = (*file)->append(text); !written) {
        return written.error();
    }
    return (*file)->sync();
}

// Whole or not at all: a key file cut short by a crash would be taken for a damaged one.
Result<> write_key(Files& files, const std::string& path, std::string_view text) {
    const auto half = path + ".new";
    // What an earlier attempt left; nothing was ever sealed with it.
    static_cast<void>(files.remove(half));
    if (const auto written = write_synced(files, half, text); !written) {
        return written.error();
    }
    if (const auto renamed = files.rename(half, path); !renamed) {
        return renamed.error();
    }
    return files.sync_directory(folder_of(path));
}

}  // namespace

Result<SecretBox> read_key_file(Files& files, const std::string& path, std::string& why) {
    auto file = files.open(path);
    if (!file) {
        why = "the key file " + path + " cannot be read: " + file.error().message();
        return file.error();
    }
    auto text = (*file)->read(0, kTextSize + 2);
    if (!text) {
        why = "the key file " + path + " cannot be read: " + text.error().message();
        return text.error();
    }
    if (text->ends_with('\n')) {
        text->pop_back();
    }
    const auto octets = hex_decode(*text);
    if (!octets || octets->size() != SecretBox::kKeySize) {
        why = "the key file " + path + " is damaged: it should hold " + std::to_string(kTextSize) +
              " hex digits";
        return Error::corrupt;
    }
    return SecretBox(key_from(*octets));
}

Result<SecretBox> make_key_file(
    Files& files, const std::string& path, Random& random, std::string& why) {
    if (files.exists(path)) {
        why = "the key file " + path + " is there already";
        return Error::already_exists;
    }
    SecretBox::Key key{};
    random.fill(key);
    const std::string_view octets(reinterpret_cast<const char*>(key.data()), key.size());
    if (const auto written = write_key(files, path, hex_encode(octets) + "\n"); !written) {
        why = "the key file " + path + " cannot be made: " + written.error().message();
        return written.error();
    }
    return SecretBox(key);
}

}  // namespace mailflow
