#include "transport/addressing/transliteration.hpp"

#include <array>

namespace mailflow {

namespace {

constexpr std::uint32_t kFirst = 0xc0;
constexpr std::uint32_t kInRow = 16;

// Sixteen characters in a row; `-`: none.
// clang-format off
constexpr std::array<std::string_view, 25> kRows{
    "A A A A Ae Aa Ae C E E E E I I I I",  // U+00C0
    "D N O O O O Oe - Oe U U U Ue Y Th ss",  // U+00D0
    "a a a a ae aa ae c e e e e i i i i",  // U+00E0
    "d n o o o o oe - oe u u u ue y th y",  // U+00F0
    "A a A a A a C c C c C c C c D d",  // U+0100
    "D d E e E e E e E e E e G g G g",  // U+0110
    "G g G g H h H h I i I i I i I i",  // U+0120
    "I i Ij ij J j K k k L l L l L l L",  // U+0130
    "l L l N n N n N n n N n O o O o",  // U+0140
    "O o Oe oe R r R r R r S s S s S s",  // U+0150
    "S s T t T t T t U u U u U u U u",  // U+0160
    "U u U u W w Y y Y Z z Z z Z z s",  // U+0170
    "b B B b - - O C c D D D d - E E",  // U+0180
    "E F f G - hv - I K k l - - N n O",  // U+0190
    "O o Oi oi P p - - - - - t T t T U",  // U+01A0
    "u - V Y y Z z - - - - - - - - -",  // U+01B0
    "- - - - Dz Dz dz Lj Lj lj Nj Nj nj A a I",  // U+01C0
    "i O o U u Ue ue Ue ue Ue ue Ue ue e Ae ae",  // U+01D0
    "A a Ae ae G g G g K k O o O o - -",  // U+01E0
    "j Dz Dz dz G g Hv - N n Aa aa Ae ae Oe oe",  // U+01F0
    "A a A a E e E e I i I i O o O o",  // U+0200
    "R r R r U u U u S s T t - - H h",  // U+0210
    "N d Ou ou Z z A a E e Oe oe O o O o",  // U+0220
    "O o Y y l n t j db qp A C c L T s",  // U+0230
    "z - - B U - E e J j Q q R r Y y",  // U+0240
};
// clang-format on

}  // namespace

std::string_view ascii_spelling(std::uint32_t code_point) noexcept {
    if (code_point < kFirst || code_point >= kFirst + kRows.size() * kInRow) {
        return {};
    }
    auto row = kRows[(code_point - kFirst) / kInRow];
    for (auto skipped = (code_point - kFirst) % kInRow; skipped > 0; --skipped) {
        row.remove_prefix(row.find(' ') + 1);
    }
    const auto spelling = row.substr(0, row.find(' '));
    return spelling == "-" ? std::string_view() : spelling;
}

}  // namespace mailflow
