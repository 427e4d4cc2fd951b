#!/usr/bin/python3
"""`mailflow-lab run`, the harness other projects use: the very CI job of docs/testing-with-mailflow.md, and its promises."""
import json
import os
import pathlib
import re
import signal
import subprocess
import unittest

from support import BIN, PATIENCE, ROOT, SystemTest, wait_for


def example(name):
    """A fenced block of the page, marked `<!-- example: NAME -->`."""
    page = (ROOT / "docs" / "testing-with-mailflow.md").read_text()
    found = re.search(rf"<!-- example: {re.escape(name)} -->\n```\w*\n(.*?)```", page, re.S)
    if not found:
        raise AssertionError(f"docs/testing-with-mailflow.md has no example {name}")
    return found.group(1)


def processes_with(text):
    """Command lines of running processes that contain a text."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in line:
            found.append(line)
    return found


class LabRun(SystemTest):
    def setUp(self):
        super().setUp()
        self.temporary = self.folder / "tmp"
        self.temporary.mkdir()
        self.environment = dict(os.environ, TMPDIR=str(self.temporary))
        # The job's checkout, as far as its last step sees it.
        checkout = self.folder / "mailflow" / "build" / "release"
        checkout.mkdir(parents=True)
        (checkout / "bin").symlink_to(BIN)

    def run_lab(self, *words):
        return subprocess.run([str(BIN / "mailflow-lab"), "run", *words], cwd=self.folder, env=self.environment, text=True,
                              capture_output=True, timeout=2 * PATIENCE)

    def test_the_ci_job_of_the_documentation_runs(self):
        (self.folder / "test-mail.sh").write_text(example("test-mail.sh"))
        steps = re.findall(r"^ *- run: (.*)$", example("ci.yml"), re.M)
        self.assertTrue(steps[-1].endswith("mailflow-lab run -- sh test-mail.sh"), steps)

        result = subprocess.run(["sh", "-c", steps[-1]], cwd=self.folder, env=self.environment, text=True,
                                capture_output=True, timeout=2 * PATIENCE)

        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertIn("the message arrived", result.stdout)
        self.assertEqual(list(self.temporary.iterdir()), [], "everything is removed")

    def test_the_exit_status_is_the_commands(self):
        self.assertEqual(self.run_lab("--", "sh", "-c", "exit 7").returncode, 7)
        self.assertEqual(self.run_lab("--", "sh", "-c", "kill -9 $$").returncode, 128 + 9)
        missing = self.run_lab("--mailflowd", "/nowhere/mailflowd", "--", "true")
        self.assertEqual(missing.returncode, 125)
        self.assertIn("/nowhere/mailflowd", missing.stderr)
        self.assertEqual(list(self.temporary.iterdir()), [])

    def test_environment_and_file_say_the_same(self):
        result = self.run_lab("--domain", "shop.test", "--", "sh", "-c", 'env | grep ^MAILFLOW_; cat "$MAILFLOW_LAB_JSON"')

        self.assertEqual(result.returncode, 0, result.stderr)
        variables = dict(line.split("=", 1) for line in result.stdout.splitlines() if line.startswith("MAILFLOW_"))
        values = json.loads(result.stdout[result.stdout.index("{"):])
        self.assertEqual(variables["MAILFLOW_DOMAIN"], "shop.test")
        for name in ("relay_port", "smtp_port", "submission_port", "submissions_port", "domain", "sink_dir", "sink_port",
                     "maildirs", "socket", "dns", "log"):
            self.assertEqual(str(values[name]), variables["MAILFLOW_" + name.upper()], name)

    def test_a_bounce_and_local_mail_are_seen_by_the_command(self):
        script = '''
            import os, pathlib, smtplib, time
            with smtplib.SMTP(os.environ["MAILFLOW_SMTP_HOST"], int(os.environ["MAILFLOW_RELAY_PORT"])) as server:
                server.sendmail("postmaster@lab.test", ["550-rcpt@example.org"], "Subject: x\\r\\n\\r\\nx\\r\\n")
            box = pathlib.Path(os.environ["MAILFLOW_MAILDIRS"]) / "postmaster" / "new"
            end = time.monotonic() + 30
            while not (box.is_dir() and any("Undeliverable" in f.read_text() for f in box.iterdir())):
                assert time.monotonic() < end, "no bounce"
                time.sleep(0.05)
        '''
        (self.folder / "bounce.py").write_text("\n".join(line[12:] for line in script.splitlines()))

        result = self.run_lab("--", "/usr/bin/python3", "bounce.py")

        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_an_interrupted_run_leaves_no_process_and_no_folder(self):
        process = self.start_process([BIN / "mailflow-lab", "run", "--", "sh", "-c", "echo begun; exec sleep 600"], "lab",
                                     env=self.environment)
        wait_for(lambda: "begun" in process.text(), "the command runs")
        self.assertNotEqual(processes_with(str(self.temporary)), [])

        process.process.send_signal(signal.SIGTERM)

        self.assertEqual(process.process.wait(PATIENCE), 128 + signal.SIGTERM)
        self.assertEqual(processes_with(str(self.temporary)), [])
        self.assertEqual(list(self.temporary.iterdir()), [])

    def test_a_kept_folder_stays(self):
        result = self.run_lab("--dir", str(self.folder / "kept"), "--", "true")

        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertTrue(any((self.folder / "kept").rglob("queue.db")))


if __name__ == "__main__":
    unittest.main()
