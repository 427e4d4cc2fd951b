#!/usr/bin/python3
"""What an administrator sees of a running server: the protocol log, metrics, back pressure."""
import base64
import csv
import http.client
import io
import json
import re
import signal
import socket
import subprocess
import unittest

from support import BIN, Client, SmallDisk, SystemTest, submit, wait_for

DEFAULT = "Default Frontend mail.contoso.com"
LOCAL = "postmaster@contoso.com"


class ProtocolLog(SystemTest):
    def setUp(self):
        super().setUp()
        self.mailflow = self.start_mailflow()
        self.port = self.mailflow.port()
        self.mailflow.set_connector(DEFAULT, protocol_log="verbose")

    def said(self, *words):
        return [line["event"] + line["data"] for line in self.mailflow.json("log", "tail", *words)]

    def test_a_session_is_seen_from_connect_to_disconnect(self):
        submit(self.port, "a@example.com", LOCAL, b"Subject: not for the log\r\n\r\nsecret content\r\n")

        lines = wait_for(lambda: (lambda found: found if found and found[-1]["event"] == "-" else None)(
            self.mailflow.json("log", "tail", "--connector", DEFAULT)), "the session's last line")

        self.assertEqual([line["sequence_number"] for line in lines], list(range(len(lines))))
        self.assertEqual({line["connector_id"] for line in lines}, {DEFAULT})
        self.assertEqual({line["session_id"] for line in lines}, {lines[0]["session_id"]})
        self.assertRegex(lines[0]["session_id"], r"^[0-9A-F]{16}$")
        self.assertEqual(lines[0]["local_endpoint"], f"127.0.0.1:{self.port}")
        self.assertRegex(lines[0]["remote_endpoint"], r"^127\.0\.0\.1:\d+$")
        self.assertEqual(lines[0]["event"], "+")
        said = [line["event"] + line["data"] for line in lines]
        for expected in ("<EHLO client.example.com", "<MAIL FROM:<a@example.com>", f"<RCPT TO:<{LOCAL}>", "<DATA", "<QUIT"):
            self.assertIn(expected, said)
        self.assertTrue(any(line.startswith(">250 2.6.0 ") for line in said), said)
        self.assertNotIn("secret content", json.dumps(lines))

    def test_the_files_are_csv_with_exchanges_header(self):
        with Client(self.port) as client:
            client.command('NOOP "a, b"')
            client.command("QUIT", "221")
        wait_for(lambda: "<QUIT" in self.said(), "the session is in the log")

        files = sorted((self.mailflow.state / "log" / "receive").iterdir())

        self.assertEqual(len(files), 1)
        self.assertRegex(files[0].name, r"^RECV\d{8}-1\.log$")
        text = files[0].read_text()
        header = text.split("\n")[:5]
        for line, name in zip(header, ("#Software: ", "#Version: ", "#Log-Type: ", "#Date: ", "#Fields: ")):
            self.assertTrue(line.startswith(name), line)
        self.assertEqual(header[4], "#Fields: date-time,connector-id,session-id,sequence-number,local-endpoint,"
                                    "remote-endpoint,event,data,context")
        rows = list(csv.reader(io.StringIO("\n".join(text.split("\n")[5:]))))
        self.assertTrue(all(len(row) == 9 for row in rows if row))
        self.assertIn('NOOP "a, b"', [row[7] for row in rows if row])
        shown = self.mailflow.ctl("--output", "csv", "log", "tail").stdout
        self.assertEqual(shown.split("\n")[1:], text.split("\n")[5:])

    def test_secrets_and_forged_lines_never_get_in(self):
        secret = base64.b64encode(b"\0postmaster\0hunter2").decode()
        with Client(self.port) as client:
            client.command("EHLO client.example.com", "250")
            for line in (f"AUTH PLAIN {secret}", f"auth plain {secret}", f"AUTH {secret}", secret):
                client.command(line)
        with Client(self.port) as client:
            client.command(b"NOOP x\r2026-11-23T00:00:00.000Z,x,0,0,a,b,<,FORGED,\r\n")
            client.command("QUIT")
        wait_for(lambda: "<QUIT" in self.said(), "the sessions are in the log")

        text = "".join(path.read_text() for path in (self.mailflow.state / "log" / "receive").iterdir())

        self.assertNotIn(secret, text)
        self.assertIn("AUTH PLAIN <secret>", text)
        self.assertFalse([line for line in text.split("\n") if line.startswith("2026-11-23T00:00:00.000Z")])
        self.assertIn("NOOP x\\x0d2026-11-23T00:00:00.000Z,x,0,0,a,b,<,FORGED,", text)

    def test_follow_shows_lines_as_they_come(self):
        with Client(self.port) as client:
            client.command("NOOP before")
            wait_for(lambda: "<NOOP before" in self.said(), "the first line")
            output = self.folder / "follow"
            with open(output, "wb") as file:
                follower = subprocess.Popen(
                    [str(BIN / "smtpctl"), "--socket", str(self.mailflow.socket), "log", "tail", "--connector", DEFAULT,
                     "--follow"], stdout=file)
            self.stack.callback(follower.wait)
            self.stack.callback(follower.send_signal, signal.SIGKILL)
            wait_for(lambda: b"NOOP before" in output.read_bytes(), "the lines of before")

            client.command("NOOP while it follows")
            client.command("NOOP once more")

            wait_for(lambda: b"< NOOP once more" in output.read_bytes(), "the lines that come")
            self.assertEqual(output.read_bytes().count(b"NOOP while it follows"), 1)
            self.assertEqual(output.read_bytes().count(b"NOOP before"), 1)

    def test_lines_and_connectors_are_chosen(self):
        port = self.mailflow.relay_port("--protocol-log", "verbose")
        for number in range(5):
            with Client(port) as client:
                client.command(f"NOOP {number}")
                client.command("QUIT")
        wait_for(lambda: len([line for line in self.said() if line == "-"]) == 5, "five sessions")

        self.assertEqual(len(self.said("--lines", 3)), 3)
        self.assertEqual(self.said("--connector", DEFAULT), [])
        self.assertIn("<NOOP 4", self.said("--connector", "LOCAL applications"))
        self.assertRegex(self.mailflow.ctl("log", "tail", "--connector", "Local applications").stdout,
                         r"\d\d:\d\d:\d\d\.\d{3}  [0-9A-F]{6}  127\.0\.0\.1:\d+ +< NOOP 4\n")

    def test_a_log_that_is_not_kept_says_which_command_turns_it_on(self):
        self.mailflow.set_connector(DEFAULT, protocol_log="none")

        missing = self.mailflow.ctl("log", "tail", "--connector", "Nobody", check=False)
        silent = self.mailflow.ctl("log", "tail", "--connector", DEFAULT, check=False)

        self.assertEqual(missing.returncode, 1)
        self.assertIn('no receive-connector "Nobody"', missing.stderr)
        self.assertEqual(silent.returncode, 1)
        self.assertIn(f'smtpctl receive-connector set "{DEFAULT}" --protocol-log verbose', silent.stderr)
        with Client(self.port) as client:
            client.command("NOOP unseen")
        self.mailflow.set_connector(DEFAULT, protocol_log="verbose")
        self.assertNotIn("<NOOP unseen", self.said())
        self.assertEqual(self.mailflow.ctl("log", "tail", "--lines", "1001", check=False).returncode, 2)
        self.assertEqual(self.mailflow.ctl("log", check=False).returncode, 2)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class MetricsText(SystemTest):
    def setUp(self):
        super().setUp()
        self.mailflow = self.start_mailflow()
        self.port = self.mailflow.port()

    def values(self):
        text = self.mailflow.ctl("metrics").stdout
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1])
                for line in text.splitlines() if line and not line.startswith("#")}

    def test_a_message_moves_what_it_should(self):
        before = self.values()
        content = b"Subject: counted\r\n\r\n" + b"0123456789\r\n" * 100

        submit(self.port, "a@example.com", LOCAL, content)
        with Client(self.port) as client:
            client.command("EHLO client.example.com", "250")
            client.command("MAIL FROM:<a@example.com>", "250")
            client.command("RCPT TO:<bob@fabrikam.com>", "550 5.7.1")
            client.command("XYZZY", "500")
            open_now = self.values()["mailflow_receive_sessions"]
        after = wait_for(lambda: (lambda values: values if values["mailflow_receive_sessions"] == 0 else None)(
            self.values()), "the sessions have ended")

        def moved(name, by):
            name = "mailflow_receive_" + name
            self.assertEqual(after.get(name, 0) - before.get(name, 0), by, name)

        self.assertEqual(open_now, 1)
        moved("messages_total", 1)
        moved("recipients_total", 1)
        moved('replies_total{class="2xx",verb="EHLO"}', 2)
        moved('replies_total{class="2xx",verb="MAIL"}', 2)
        moved('replies_total{class="2xx",verb="RCPT"}', 1)
        moved('replies_total{class="5xx",verb="RCPT"}', 1)
        moved('replies_total{class="3xx",verb="DATA"}', 1)
        moved('replies_total{class="2xx",verb="message"}', 1)
        moved('replies_total{class="5xx",verb="other"}', 1)
        moved('refusals_total{reason="no right any-recipient"}', 1)
        moved('sessions_total{connector="internet",outcome="quit"}', 1)
        moved('sessions_total{connector="internet",outcome="lost"}', 1)
        self.assertGreater(after['mailflow_receive_bytes_total{direction="in"}'], len(content))
        self.assertGreater(after['mailflow_receive_bytes_total{direction="out"}'], 100)
        self.assertGreaterEqual(after["mailflow_receive_message_bytes_total"], len(content))

    def test_the_queue_is_shown(self):
        port = self.mailflow.relay_port()
        submit(port, "a@example.com", ["x@fabrikam.com", "y@fabrikam.com"])
        wait_for(lambda: self.values()["mailflow_queue_deferred_recipients"] == 2, "two deferred recipients")

        values = self.values()

        self.assertEqual(values["mailflow_queue_messages"], 1)
        self.assertEqual(values["mailflow_queue_held_messages"], 0)
        self.assertEqual(values["mailflow_queue_stuck_recipients"], 0)
        self.assertEqual(values["mailflow_queue_ready_recipients"], 0)
        self.assertEqual(values['mailflow_pressure_level{resource="disk-space"}'], 0)
        self.assertGreater(values['mailflow_pressure_reading{resource="descriptors"}'], 0)
        self.assertGreater(values["mailflow_uptime_seconds"], 0)

    def test_lanes_tell_how_late_they_are(self):
        name = 'mailflow_lane_lag_seconds_count{lane="0"}'
        first = wait_for(lambda: self.values().get(name), "a measured lag")
        wait_for(lambda: self.values()[name] > first, "another one")

    def test_prometheus_reads_the_admin_socket(self):
        connection = UnixConnection(self.mailflow.socket)
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()

        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.getheader("Content-Type"), "text/plain; version=0.0.4")
        for line in text.splitlines():
            self.assertRegex(line, r'^(# (HELP|TYPE) mailflow_[a-z_]+ .+|mailflow_[a-z_]+(\{[^{}]*\})? [0-9.e+-]+|'
                                   r'mailflow_[a-z_]+_bucket\{.*le="\+Inf".*\} \d+)$')


class BackPressure(SystemTest):
    def setUp(self):
        super().setUp()
        self.disk = SmallDisk(self.folder / "disk", "24m")
        self.stack.callback(self.disk.stop)
        self.mailflow = self.start_mailflow(state=str(self.folder / "disk" / "state"), prefix=self.disk.prefix)
        self.mailflow.state = self.disk.path / "state"
        self.trusted = self.mailflow.relay_port("--permission-group", "trusted")

    def mail(self, port, sender="a@example.com"):
        with Client(port) as client:
            client.command("EHLO client.example.com", "250")
            return client.command(f"MAIL FROM:<{sender}>")

    def test_a_disk_that_fills_refuses_strangers_then_everybody_then_nobody(self):
        stranger = self.mailflow.port()
        self.assertRegex(self.mail(stranger), r"^250 ")

        self.disk.fill(leave=2 << 20)
        self.mailflow.wait_for_pressure("medium")
        self.assertRegex(self.mail(stranger), r"^452 4\.3\.1 Insufficient system resources")
        self.assertRegex(self.mail(stranger, ""), r"^250 ")
        self.assertRegex(self.mail(self.trusted), r"^250 ")
        status = self.mailflow.json("status")
        self.assertTrue(status["healthy"])
        self.assertRegex(" ".join(status["warnings"]), r"back pressure is medium.*disk-space: 9\d\.\d % used")

        self.disk.fill(leave=100_000)
        self.mailflow.wait_for_pressure("high")
        self.assertRegex(self.mail(stranger, ""), r"^452 4\.3\.1")
        self.assertRegex(self.mail(self.trusted), r"^452 4\.3\.1")
        result = self.mailflow.ctl("status", check=False)
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stdout, r"(?m)^Pressure +high \(disk-space: \d+\.\d % used\)$")
        self.assertIn('mailflow_pressure_level{resource="disk-space"} 2', self.mailflow.ctl("metrics").stdout)

        self.disk.empty()
        self.mailflow.wait_for_pressure("normal")
        self.assertRegex(self.mail(stranger), r"^250 ")
        wait_for(lambda: "back pressure falls" in self.mailflow.daemon.text(), "the log tells of it")
        log = self.mailflow.daemon.text()
        self.assertEqual(len(re.findall(r"back pressure rises", log)), 2, log)
        self.assertEqual(len(re.findall(r"back pressure falls", log)), 1, log)
        self.assertIn('refusals_total{reason="back pressure: disk-space"} 3', self.mailflow.ctl("metrics").stdout)

    def test_the_protocol_log_on_a_full_disk_hurts_no_mail(self):
        self.mailflow.set_connector("Local applications", protocol_log="verbose")
        self.disk.fill()
        with Client(self.trusted) as client:
            for _ in range(50):
                client.command("NOOP " + "x" * 400, "250")
        self.disk.empty()
        self.mailflow.wait_for_pressure("normal")

        queue_id = submit(self.trusted, "a@example.com", LOCAL)

        self.mailflow.wait_for_event("DELIVER", queue_id)


if __name__ == "__main__":
    unittest.main()
