#!/usr/bin/python3
"""The process itself: start, refusal to start, signals, status, the objects smtpctl manages."""
import json
import sqlite3
import subprocess
import unittest

from support import BIN, PATIENCE, Mailflow, SystemTest


def run_daemon(mailflow, *words):
    return subprocess.run([str(BIN / "mailflowd"), "--config", str(mailflow.config), *words], text=True,
                          capture_output=True, timeout=PATIENCE)


class Start(SystemTest):
    def test_status_shows_version_durability_listeners_and_totals(self):
        mailflow = self.start_mailflow()

        status = mailflow.json("status")

        self.assertTrue(status["healthy"])
        self.assertRegex(status["version"], r"^\d+\.\d+\.\d+$")
        self.assertEqual(status["durability"], "power-loss")
        self.assertEqual(status["queue"]["messages"], 0)
        self.assertEqual(sorted(listener["connector"] for listener in status["listeners"]), [
            "Client Frontend TLS mail.contoso.com", "Client Frontend mail.contoso.com", "Default Frontend mail.contoso.com"])
        for listener in status["listeners"]:
            self.assertRegex(listener["endpoint"], r"^127\.0\.0\.1:[1-9]\d*$")
        table = mailflow.ctl("status").stdout
        self.assertIn("power-loss", table)
        self.assertIn("healthy", table)

    def test_paths_without_a_folder_are_in_the_working_directory(self):
        mailflow = Mailflow(self.folder / "bare", prefix=["/usr/bin/env", "-C", self.folder / "bare"])
        mailflow.config = "mailflowd.toml"
        self.addCleanup(mailflow.close)

        mailflow.start()

        self.assertTrue(mailflow.socket.is_socket())
        self.assertTrue(mailflow.json("status")["healthy"])

    def test_attack_37_a_second_daemon_on_the_state_directory_refuses_to_start(self):
        mailflow = self.start_mailflow()

        second = run_daemon(mailflow)

        self.assertEqual(second.returncode, 1)
        self.assertIn(str(mailflow.daemon.process.pid), second.stderr)
        self.assertTrue(mailflow.json("status")["healthy"])

    def test_attack_37_a_newer_schema_is_refused_in_words(self):
        mailflow = self.start_mailflow()
        self.assertEqual(mailflow.stop(), 0)
        with sqlite3.connect(mailflow.folder / "state" / "queue.db") as database:
            database.execute("PRAGMA user_version = 9999")
        database.close()

        result = run_daemon(mailflow)

        self.assertEqual(result.returncode, 1)
        self.assertIn("queue.db", result.stderr)
        self.assertIn("newer", result.stderr)

    def test_an_unknown_key_names_file_line_and_the_nearest_key(self):
        mailflow = Mailflow(self.folder / "m", lines=['[threads]', 'lane = 1'])

        result = run_daemon(mailflow)

        self.assertEqual(result.returncode, 2)
        self.assertRegex(result.stderr, r"mailflowd\.toml:\d+: .*lane.*lanes")

    def test_a_node_without_a_dotted_name_is_told_to_set_one(self):
        mailflow = Mailflow(self.folder / "m", node="mailhost")

        result = run_daemon(mailflow)

        self.assertEqual(result.returncode, 2)
        self.assertIn("node.fqdn", result.stderr)

    def test_a_user_it_cannot_change_to_is_refused_and_not_ignored(self):
        mailflow = Mailflow(self.folder / "m", lines=["[process]", 'user = "nobody"'])

        result = run_daemon(mailflow)

        self.assertEqual(result.returncode, 2)
        self.assertIn('[process] user = "nobody"', result.stderr)
        self.assertFalse((mailflow.folder / "state").exists())

    def test_a_durability_that_is_not_offered_is_told_and_not_shown(self):
        mailflow = self.start_mailflow(lines=["[durability]", 'level = "process-crash"'])

        self.assertEqual(mailflow.json("status")["durability"], "power-loss")
        self.assertIn("process-crash is not offered", mailflow.daemon.text())

    def test_check_config_and_version_start_nothing(self):
        mailflow = Mailflow(self.folder / "m")

        self.assertEqual(run_daemon(mailflow, "--check-config").returncode, 0)
        self.assertRegex(run_daemon(mailflow, "--version").stdout, r"^mailflowd \d")
        self.assertFalse((mailflow.folder / "state").exists())

    def test_term_ends_with_0_and_everything_comes_back(self):
        mailflow = self.start_mailflow()
        mailflow.ctl("mailbox", "create", "bob")
        mailflow.ctl("accepted-domain", "create", "Fabrikam", "--domain", "fabrikam.com", "--type", "external-relay")

        self.assertEqual(mailflow.stop(), 0)
        mailflow.start()

        self.assertEqual([b["alias"] for b in mailflow.json("mailbox", "list")], ["bob", "postmaster"])
        self.assertIn("fabrikam.com", [d["domain"] for d in mailflow.json("accepted-domain", "list")])

    def test_hup_keeps_the_daemon_and_its_settings_when_the_file_is_broken(self):
        mailflow = self.start_mailflow()
        mailflow.config.write_text("this is = not [toml")

        mailflow.daemon.process.send_signal(1)

        self.assertTrue(mailflow.json("status")["healthy"])
        self.assertIsNone(mailflow.daemon.process.poll())


class Objects(SystemTest):
    def setUp(self):
        super().setUp()
        self.mailflow = self.start_mailflow()

    def test_send_connectors_live_through_all_verbs(self):
        ctl, read = self.mailflow.ctl, self.mailflow.json
        ctl("send-connector", "create", "Internet", "--usage", "internet", "--address-space", "*")
        self.assertEqual(read("send-connector", "show", "internet")["address_spaces"], ["smtp:*;1"])

        ctl("send-connector", "set", "Internet", "--add-address-space", "fabrikam.com;5", "--max-message-size", "10MB")
        shown = read("send-connector", "show", "Internet")
        self.assertEqual(shown["address_spaces"], ["smtp:*;1", "smtp:fabrikam.com;5"])
        self.assertEqual(shown["max_message_size"], "10 MB")

        ctl("send-connector", "disable", "Internet")
        self.assertFalse(read("send-connector", "show", "Internet")["enabled"])
        ctl("send-connector", "remove", "Internet")
        self.assertEqual(read("send-connector", "list"), [])

    def test_errors_say_what_is_wrong_and_change_nothing(self):
        result = self.mailflow.ctl("send-connector", "create", "Bad", "--address-space", "*contoso.com", check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("*contoso.com", result.stderr)
        result = self.mailflow.ctl("send-connector", "create", "Bad", "--adress-space", "*", check=False)
        self.assertEqual(result.returncode, 2)
        self.assertIn("address-space", result.stderr)
        self.assertEqual(self.mailflow.json("send-connector", "list"), [])

    def test_what_if_shows_and_changes_nothing(self):
        result = self.mailflow.ctl("--what-if", "mailbox", "create", "carol")

        self.assertIn("would be created", result.stdout)
        self.assertEqual([b["alias"] for b in self.mailflow.json("mailbox", "list")], ["postmaster"])

    def test_removing_asks_and_without_a_terminal_does_nothing(self):
        self.mailflow.ctl("mailbox", "create", "dave")

        result = self.mailflow.ctl("mailbox", "remove", "dave", check=False, yes=False)

        self.assertEqual(result.returncode, 1)
        self.assertIn("--yes", result.stderr)
        self.assertEqual(len(self.mailflow.json("mailbox", "list")), 2)

    def test_the_default_domain_cannot_go(self):
        domains = self.mailflow.json("accepted-domain", "list")

        result = self.mailflow.ctl("accepted-domain", "remove", domains[0]["name"], check=False)

        self.assertEqual(result.returncode, 1)
        self.assertIn("default", result.stderr)

    def test_transport_config_is_shown_and_set(self):
        self.mailflow.ctl("transport-config", "set", "--message-retry-interval", "2s")

        self.assertEqual(self.mailflow.json("transport-config", "show")["message_retry_interval"], "2s")
        self.assertIn("message_retry_interval", self.mailflow.ctl("config", "export").stdout)

    def test_help_is_there_at_every_level_with_an_example(self):
        for words in ([], ["send-connector"], ["send-connector", "create"], ["message"], ["track"]):
            result = self.mailflow.ctl(*words, "--help")
            self.assertIn("Example", result.stdout, words)

    def test_lists_can_be_filtered_and_printed_as_csv(self):
        self.mailflow.ctl("mailbox", "create", "erin")

        rows = self.mailflow.ctl("mailbox", "list", "--where", "alias = erin", "--output", "csv").stdout.splitlines()

        self.assertEqual(len(rows), 2)
        self.assertTrue(rows[1].startswith("erin,"))
        self.assertEqual(json.loads(self.mailflow.ctl("mailbox", "list", "--json", "--where", "alias = x").stdout), [])


if __name__ == "__main__":
    unittest.main()
