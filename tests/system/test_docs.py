"""docs/security.md names the tests of each attack case: what it names is there, and what is there it names."""
import fnmatch
import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TESTS = ROOT / "tests"
# Cases that arrive over a listening socket; the others are about sending.
CASES = {*range(1, 5), *range(7, 28), 31, 32, *range(34, 39)}


def table():
    """{case: {"D": [dialogue, …], "S": […], "U": […]}}"""
    rows = {}
    for line in (ROOT / "docs" / "security.md").read_text().splitlines():
        row = re.fullmatch(r"\| (\d+) \| .* \| ([^|]*) \|", line)
        if row:
            named = re.findall(r"([DSU]): ([^;]*)", row[2])
            rows[int(row[1])] = {kind: [name.strip() for name in names.split(",")] for kind, names in named}
    return rows


def unit_tests(name, case):
    """Tests of the file `name` that are named with the case's number."""
    text = "".join(path.read_text() for path in TESTS.rglob(name + ".cpp"))
    return re.findall(rf'TEST_CASE\(\s*"attack case {case}: ([^"]*)', text, re.IGNORECASE)


class SecurityTable(unittest.TestCase):
    def setUp(self):
        self.rows = table()
        self.dialogues = {path.stem for path in (TESTS / "dialogs").glob("*.dialog")}
        text = "".join(path.read_text() for path in (TESTS / "system").glob("test_*.py"))
        self.system_tests = re.findall(r"    def (test_\w+)", text)

    def test_every_case_of_receiving_has_a_row_and_a_test_named_with_its_number(self):
        self.assertEqual(set(self.rows), CASES)
        for case, tests in self.rows.items():
            dialogues = [name for name in self.dialogues if re.match(rf"attack-{case}[a-z]?-", name)]
            units = [test for name in tests.get("U", []) for test in unit_tests(name, case)]
            systems = [name for name in self.system_tests if name.startswith(f"test_attack_{case}_")]
            self.assertTrue(dialogues or units or systems, f"case {case}")

    def test_every_test_that_is_named_exists(self):
        for case, tests in self.rows.items():
            for name in tests.get("D", []):
                self.assertTrue(fnmatch.filter(self.dialogues, name), f"case {case}: {name}")
            for name in tests.get("U", []):
                self.assertTrue(unit_tests(name, case), f"case {case}: no test of that number in {name}")
            for name in tests.get("S", []):
                self.assertTrue([test for test in self.system_tests if test.startswith(name)], f"case {case}: {name}")

    def test_every_dialogue_of_an_attack_is_named(self):
        for name in sorted(self.dialogues):
            case = re.match(r"attack-(\d+)[a-z]?-", name)
            if case:
                named = self.rows.get(int(case[1]), {}).get("D", [])
                self.assertTrue([glob for glob in named if fnmatch.fnmatch(name, glob)], name)


if __name__ == "__main__":
    unittest.main()
