#!/usr/bin/python3
"""Bad clients, full disks, too few descriptors, signals under load, and every limit of a receive connector."""
import os
import resource
import signal
import socket
import stat
import subprocess
import threading
import time
import unittest

from support import BIN, PATIENCE, Client, OwnNetwork, SmallDisk, SystemTest, free_port, is_open, submit, wait_for

LOCAL = "postmaster@contoso.com"
DEFAULT = "Default Frontend mail.contoso.com"


class BadClients(SystemTest):
    def setUp(self):
        super().setUp()
        self.mailflow = self.start_mailflow()
        self.port = self.mailflow.port()

    def assert_serves(self):
        queue_id = submit(self.port, "after@example.com", LOCAL)
        self.mailflow.wait_for_event("DELIVER", queue_id)

    def test_a_reset_in_the_middle_of_data_leaves_nothing(self):
        for size in (10, 1_000_000):
            client = Client(self.port)
            client.begin("a@example.com", [LOCAL])
            client.send(b"Subject: cut\r\n\r\n" + b"x" * 76 + b"\r\n" * size)
            client.reset()

        self.assert_serves()
        self.assertEqual(len(self.mailflow.track("--event", "RECEIVE")), 1)
        self.assertEqual(len(self.mailflow.delivered("postmaster")), 1)
        spool = self.mailflow.state / "spool"
        wait_for(lambda: not [f for f in spool.rglob("*") if f.is_file()], "the cut body is removed")

    def test_a_half_closed_connection_gets_its_250(self):
        with Client(self.port) as client:
            client.begin("a@example.com", [LOCAL])
            client.send(b"Subject: half\r\n\r\nx\r\n.\r\n")
            client.socket.shutdown(socket.SHUT_WR)

            self.assertRegex(client.reply(), rb"^250 2\.6\.0")
            self.assertEqual(client.reply(), b"")
        self.mailflow.delivered("postmaster")

    def test_a_reset_after_the_final_dot_is_whole_or_absent(self):
        client = Client(self.port)
        client.begin("a@example.com", [LOCAL])
        client.send(b"Subject: gone\r\n\r\nwhole\r\n.\r\n")
        client.reset()

        self.assert_serves()
        self.mailflow.wait_until_empty()
        for path in self.mailflow.delivered("postmaster"):
            data = path.read_bytes()
            self.assertTrue(b"Subject: gone" not in data or data.endswith(b"whole\n"), data)

    def test_200_connections_at_once_are_all_served(self):
        clients = [Client(self.port) for _ in range(200)]
        for client in clients:
            self.stack.callback(client.close)
            client.begin("a@example.com", [LOCAL])
            client.send(b"Subject: one of many\r\n\r\nx\r\n.\r\n")

        for client in clients:
            self.assertRegex(client.reply(), rb"^250 2\.6\.0")
        self.mailflow.wait_until_empty()
        self.assertEqual(len(self.mailflow.delivered("postmaster", 200)), 200)

    def test_a_slow_client_and_its_half_command_hold_nobody_up(self):
        with Client(self.port) as slow:
            slow.send(b"EHLO slo")
            self.assert_serves()
            slow.command(b"w.example.com\r\n", "250")

    def test_pipelined_commands_in_one_segment_are_answered_in_order(self):
        with Client(self.port) as client:
            client.command("EHLO c.example.com", "250")
            client.send(b"MAIL FROM:<a@example.com>\r\nRCPT TO:<postmaster@contoso.com>\r\nDATA\r\n")
            self.assertEqual([client.reply()[:3] for _ in range(3)], [b"250", b"250", b"354"])
            client.send(b"Subject: x\r\n\r\nx\r\n.\r\nMAIL FROM:<b@example.com>\r\nRSET\r\nQUIT\r\n")
            self.assertEqual([client.reply()[:3] for _ in range(5)], [b"250", b"250", b"250", b"221", b""])

    def test_very_long_commands_and_junk_are_refused_in_bounded_memory(self):
        before = self.memory()
        with Client(self.port) as client:
            client.send(b"EHLO " + b"x" * (8 << 20) + b"\r\n")
            self.assertRegex(client.reply(), rb"^500 5\.")
            client.command("NOOP", "250")
        with Client(self.port) as client:
            client.command("EHLO c.example.com", "250")
            client.send(os.urandom(100_000).replace(b"\r", b"").replace(b"\n", b"") + b"\r\n")
            self.assertRegex(client.reply(), rb"^500 5\.")

        self.assertLess(self.memory() - before, 4 << 10)
        self.assert_serves()

    def memory(self):
        """Resident KiB of the daemon."""
        with open(f"/proc/{self.mailflow.daemon.process.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


class Signals(SystemTest):
    def test_hup_under_load_loses_nothing(self):
        mailflow = self.start_mailflow()
        acked = self.folder / "acked"
        sender = self.start_process([BIN / "mailflow-lab", "send", "--server", f"127.0.0.1:{mailflow.port()}", "--from",
                                     "a@example.com", "--to", LOCAL, "--count", "300", "--sessions", "5", "--acked", acked],
                                    "send")
        while sender.process.poll() is None:
            mailflow.daemon.process.send_signal(signal.SIGHUP)
            time.sleep(0.02)  # not a wait: the pace of the signals

        self.assertEqual(sender.process.returncode, 0, sender.text())
        self.assertIn("reconnects 0", sender.text())
        self.assertIn("reloaded", mailflow.daemon.text())
        mailflow.wait_until_empty()
        self.assertEqual(len(mailflow.delivered("postmaster", 300)), 300)

    def test_term_under_load_finishes_what_was_acknowledged(self):
        mailflow = self.start_mailflow()
        relay = mailflow.relay_port()
        acked = self.folder / "acked"
        sender = self.start_process([BIN / "mailflow-lab", "send", "--server", f"127.0.0.1:{relay}", "--from", "a@example.com",
                                     "--to", LOCAL, "--count", "1000000", "--sessions", "5", "--rate", "100", "--acked", acked],
                                    "send")
        for round_number in range(3):
            before = acked.read_bytes().count(b"\n") if acked.exists() else 0
            wait_for(lambda: acked.exists() and acked.read_bytes().count(b"\n") > before + 10, "mail flows")
            self.assertEqual(mailflow.stop(), 0)
            mailflow.start()
        sender.stop()
        mailflow.wait_until_empty()

        result = subprocess.run([str(BIN / "mailflow-lab"), "verify", "--acked", str(acked), "--maildir",
                                 str(mailflow.maildir("postmaster").parent)], text=True, capture_output=True, timeout=PATIENCE)
        self.assertEqual(result.returncode, 0, result.stdout)
        self.assertIn("lost 0", result.stdout)

    def test_sessions_are_told_when_the_daemon_stops(self):
        mailflow = self.start_mailflow()
        with Client(mailflow.port()) as client:
            client.command("EHLO c.example.com", "250")

            mailflow.daemon.process.send_signal(signal.SIGTERM)

            self.assertRegex(client.reply(), rb"^421 4\.3\.2")
        self.assertEqual(mailflow.daemon.process.wait(PATIENCE), 0)

    def test_a_log_file_is_opened_anew_by_hup(self):
        mailflow = self.start_mailflow(lines=["[log]", 'target = "file:mail.log"'])
        log = mailflow.folder / "mail.log"
        wait_for(log.exists, "the log file")
        log.rename(mailflow.folder / "mail.log.1")

        mailflow.daemon.process.send_signal(signal.SIGHUP)

        wait_for(log.exists, "a new log file")


class Resources(SystemTest):
    """Not for a daemon with UBSan: its check of virtual calls needs a descriptor and ends the daemon without one."""

    def test_the_admin_socket_is_for_its_owner(self):
        mailflow = self.start_mailflow()

        mode = stat.S_IMODE(mailflow.socket.stat().st_mode)

        self.assertEqual(mode, 0o600)
        self.assertEqual(stat.S_IMODE(mailflow.state.stat().st_mode), 0o700)

    def test_attack_16_without_descriptors_the_daemon_serves_on(self):
        mailflow = self.start_mailflow()
        port = mailflow.port()
        pid = mailflow.daemon.process.pid
        submit(port, "a@example.com", LOCAL)
        mailflow.wait_until_empty()
        used = len(os.listdir(f"/proc/{pid}/fd"))
        _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 10, hard))
        crowd = [socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) for _ in range(40)]
        wait_for(lambda: "cannot accept connections" in mailflow.daemon.text(), "the daemon says why it takes no more")

        for connection in crowd:
            connection.close()
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))

        queue_id = submit(port, "b@example.com", LOCAL)
        mailflow.wait_for_event("DELIVER", queue_id)
        self.assertTrue(mailflow.json("status")["healthy"])
        self.assertLess(mailflow.daemon.text().count("cannot accept connections"), 5, "said once in a while, not each time")

    def test_mail_taken_without_descriptors_is_delivered_when_there_are_some(self):
        mailflow = self.start_mailflow()
        mailflow.set(message_retry_interval="1s", queue_glitch_retry_interval="1s")
        pid = mailflow.daemon.process.pid
        with Client(mailflow.port()) as client:
            client.begin("a@example.com", [LOCAL])
            _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, hard))
            answer = client.text(b"Subject: taken\r\n\r\nx\r\n")
            self.assertRegex(answer, r"^250 2\.6\.0")
            # Delivery wants a file; the log tells that it got none.
            wait_for(lambda: "Too many open files" in mailflow.daemon.text(), "delivery is put off")
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))

        self.assertEqual(len(mailflow.delivered("postmaster")), 1)
        mailflow.wait_until_empty()
        self.assertTrue(mailflow.json("status")["healthy"])

    def test_a_message_that_cannot_get_a_descriptor_is_not_acknowledged(self):
        mailflow = self.start_mailflow()
        pid = mailflow.daemon.process.pid
        with Client(mailflow.port()) as client:
            client.begin("a@example.com", [LOCAL])
            _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{pid}/fd")), hard))
            answer = client.text(b"Subject: large\r\n\r\n" + b"0123456789\r\n" * 100_000)
            self.assertRegex(answer, r"^4(51 4\.3\.0|52 4\.3\.1)")
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))
            client.command("MAIL FROM:<a@example.com>", "250")
            client.command(f"RCPT TO:<{LOCAL}>", "250")
            client.command("DATA", "354")
            self.assertRegex(client.text(b"Subject: again\r\n\r\n" + b"0123456789\r\n" * 100_000), r"^250 2\.6\.0")

        self.assertEqual(len(mailflow.delivered("postmaster")), 1)
        mailflow.wait_until_empty()


class FullDisk(SystemTest):
    def setUp(self):
        super().setUp()
        self.disk = SmallDisk(self.folder / "disk", "24m")
        self.stack.callback(self.disk.stop)
        self.mailflow = self.start_mailflow(state=str(self.folder / "disk" / "state"), prefix=self.disk.prefix)
        self.mailflow.state = self.disk.path / "state"
        # Trusted: taken until the disk is as good as full (test_seen.py has the strangers).
        self.relay = self.mailflow.relay_port("--permission-group", "trusted")

    def make_room(self):
        self.disk.empty()
        self.mailflow.wait_for_pressure("normal")

    def send(self, content):
        """The reply to a message that waits in the queue: nothing routes it."""
        with Client(self.relay) as client:
            client.command("EHLO c.example.com", "250")
            for line in (f"MAIL FROM:<{LOCAL}>", "RCPT TO:<x@fabrikam.com>", "DATA"):
                answer = client.command(line)
                if not answer.startswith(("250", "354")):
                    return answer
            return client.text(content)

    def fill_by_mail(self, content):
        accepted = 0
        for _ in range(20_000):
            answer = self.send(content)
            if not answer.startswith("250"):
                return accepted, answer
            accepted += 1
        raise AssertionError("the disk never filled")

    def test_attack_34_large_bodies_on_a_full_disk_are_452_and_it_recovers(self):
        self.disk.fill(leave=3 << 20)
        large = b"Subject: large\r\n\r\n" + b"0123456789\r\n" * 80_000

        accepted, answer = self.fill_by_mail(large)

        self.assertRegex(answer, r"^452 4\.3\.1")
        self.make_room()
        self.assertRegex(self.send(large), r"^250 2\.6\.0")
        self.assertEqual(len(self.mailflow.json("message", "list")), accepted + 1)
        bodies = [f for f in (self.mailflow.state / "spool").rglob("*") if f.is_file()]
        self.assertEqual(len(bodies), accepted + 1, "a refused body is removed")

    def test_attack_34_small_messages_on_a_full_disk_are_452_and_nothing_acknowledged_is_lost(self):
        self.disk.fill(leave=1 << 20)

        accepted, answer = self.fill_by_mail(b"Subject: small\r\n\r\n" + b"0123456789\r\n" * 300)

        self.assertRegex(answer, r"^4(52 4\.3\.1|51 4\.3\.0)")
        self.assertGreater(accepted, 10)
        self.make_room()
        if self.mailflow.daemon.process.poll() is None and self.send(b"Subject: after\r\n\r\nx\r\n").startswith("250"):
            accepted += 1
            self.assertEqual(self.mailflow.stop(), 0)
        else:
            self.fail(f"a full disk ended the service:\n{self.mailflow.daemon.text()[-3000:]}")
        self.mailflow.start()
        self.assertEqual(len(self.mailflow.json("message", "list", "--limit", 10_000)), accepted)

    def test_delivery_to_a_full_disk_waits_and_goes_on(self):
        self.mailflow.set(queue_glitch_retry_interval="1s", message_retry_interval="1s")
        content = b"Subject: delivered late\r\n\r\n" + b"0123456789\r\n" * 100_000
        # Room for the body, not for its copy in the mailbox.
        self.disk.fill(leave=int(1.8 * len(content)))

        queue_id = submit(self.relay, "a@example.com", LOCAL, content)

        # By the log: on a full disk history is what may be lost.
        wait_for(lambda: f"deferred queue-id={queue_id}" in self.mailflow.daemon.text(), "delivery is put off")
        self.assertIn("code=4.3.1", self.mailflow.daemon.text())
        self.disk.empty()
        self.mailflow.delivered("postmaster")
        self.mailflow.wait_until_empty()


class Limits(SystemTest):
    """Each setting of a receive connector, seen by a client."""

    def setUp(self):
        super().setUp()
        self.mailflow = self.start_mailflow()
        self.port = self.mailflow.port()

    def limit(self, **settings):
        self.mailflow.set_connector(DEFAULT, **settings)

    def test_banner_and_fqdn(self):
        self.limit(fqdn="mx.contoso.com")
        with Client(self.port) as client:
            self.assertTrue(client.greeting.startswith(b"220 mx.contoso.com "))
            self.assertIn("250-mx.contoso.com", client.command("EHLO c.example.com"))
        submit(self.port, "a@example.com", LOCAL)
        self.assertIn(b"by mx.contoso.com", self.mailflow.delivered("postmaster")[0].read_bytes())

        self.limit(banner="220 Welcome to Contoso")
        with Client(self.port) as client:
            self.assertEqual(client.greeting, b"220 Welcome to Contoso\r\n")
        bad = self.mailflow.ctl("receive-connector", "set", DEFAULT, "--banner", "554 go away", check=False)
        self.assertEqual(bad.returncode, 1)

    def test_max_recipients_per_message(self):
        self.limit(max_recipients_per_message=2)
        for name in ("ann", "bob", "cat"):
            self.mailflow.ctl("mailbox", "create", name)
        with Client(self.port) as client:
            client.command("EHLO c.example.com", "250")
            client.command("MAIL FROM:<a@example.com>", "250")
            client.command("RCPT TO:<ann@contoso.com>", "250")
            client.command("RCPT TO:<bob@contoso.com>", "250")
            client.command("RCPT TO:<cat@contoso.com>", "452 4.5.3")
            client.command("DATA", "354")
            self.assertRegex(client.text(b"Subject: two\r\n\r\nx\r\n"), "^250")
        self.mailflow.delivered("ann")
        self.mailflow.delivered("bob")
        self.assertFalse(self.mailflow.maildir("cat").is_dir())

    def test_max_protocol_errors(self):
        self.limit(max_protocol_errors=2, tarpit_interval=0)
        with Client(self.port) as client:
            client.command("EHLO c.example.com", "250")
            client.command("JUNK", "500 5.3.3")
            client.command("RCPT TO:<a@contoso.com>", "503 5.5.2")
            client.command("JUNK", "421 4.7.0")
            self.assertEqual(client.reply(), b"")
        with Client(self.port) as client:
            client.command("EHLO c.example.com", "250")
            client.command("MAIL FROM:<a@example.com>", "250")
            for _ in range(10):  # refused recipients are no protocol errors
                client.command("RCPT TO:<nobody@contoso.com>", "550 5.1.1")

    def test_max_inbound_connection(self):
        self.limit(max_inbound_connection=2)
        with Client(self.port), Client(self.port) as second:
            with Client(self.port, greeting=b"421 4.3.2 "):
                pass
            second.command("QUIT", "221")
            second.close()
            # The session's end is the server's to see.
            def served():
                with Client(self.port, greeting=None) as client:
                    return client.greeting.startswith(b"220")
            wait_for(served, "a place is free again")

    def test_message_rate_limit(self):
        self.limit(message_rate_limit=2)
        for _ in range(2):
            submit(self.port, "a@example.com", LOCAL)
        with Client(self.port) as client:
            client.command("EHLO c.example.com", "250")
            client.command("MAIL FROM:<a@example.com>", "421 4.4.2")
            self.assertEqual(client.reply(), b"")

    def test_inactivity_and_session_timeouts(self):
        self.limit(connection_inactivity_timeout="1s", connection_timeout="4s")
        with Client(self.port) as idle:
            begun = time.monotonic()
            self.assertRegex(idle.reply(), rb"^4(51 4\.7\.0|21 4\.4\.2)")
            self.assertGreater(time.monotonic() - begun, 0.9)
        with Client(self.port) as busy:
            begun = time.monotonic()
            answer = "250"
            while answer.startswith("250"):
                answer = busy.command("NOOP")
                time.sleep(0.1)  # not a wait: a client that is never silent for long
            self.assertTrue(answer.startswith("421 4.4.2") or answer == "", answer)
            self.assertGreater(time.monotonic() - begun, 3.5)

    def test_max_message_size(self):
        self.limit(max_message_size="64KB")
        large = b"Subject: x\r\n\r\n" + b"0123456789\r\n" * 6000
        with Client(self.port) as client:
            self.assertIn("SIZE 65536", client.command("EHLO c.example.com", "250"))
            client.command("MAIL FROM:<a@example.com> SIZE=70000", "552 5.3.4")
            client.command("MAIL FROM:<a@example.com>", "250")
            client.command(f"RCPT TO:<{LOCAL}>", "250")
            client.command("DATA", "354")
            self.assertRegex(client.text(large), r"^552 5\.3\.4")
            client.command("NOOP", "250")
        self.mailflow.set_connector(DEFAULT, permission="bypass-message-size")
        submit(self.port, "a@example.com", LOCAL, large)

    def test_remote_ranges_choose_the_connector(self):
        # Port 0 is a port of its own for each connector; a number is shared.
        self.port = free_port()
        self.limit(binding=f"127.0.0.1:{self.port}")
        self.mailflow.ctl("receive-connector", "create", "One host", "--binding", f"127.0.0.1:{self.port}", "--remote-range",
                          "127.0.0.5", "--permission-group", "anonymous", "--permission", "any-recipient", "--banner",
                          "220 one host")

        with Client(self.port, source="127.0.0.5") as client:
            self.assertEqual(client.greeting, b"220 one host\r\n")
            client.command("EHLO c.example.com", "250")
            client.command("MAIL FROM:<a@example.com>", "250")
            client.command("RCPT TO:<x@fabrikam.com>", "250")
        with Client(self.port, source="127.0.0.6") as client:
            self.assertNotEqual(client.greeting, b"220 one host\r\n")
        self.limit(remote_range="192.0.2.0/24")
        with Client(self.port, source="127.0.0.6", greeting=b"421 4.3.2 "):
            pass

    def test_permission_groups(self):
        self.mailflow.ctl("receive-connector", "set", DEFAULT, "--remove-permission-group", "anonymous")
        with Client(self.port) as client:
            client.command("EHLO c.example.com", "250")
            client.command("MAIL FROM:<a@example.com>", "530 5.7.1")

    def test_a_disabled_connector_closes_its_port(self):
        self.mailflow.ctl("receive-connector", "disable", DEFAULT)
        wait_for(lambda: not is_open(self.port), "the port closes")

        self.mailflow.ctl("receive-connector", "enable", DEFAULT)

        wait_for(lambda: is_open(self.mailflow.port()), "a port opens")

    def test_a_running_session_keeps_its_rights_and_sees_new_mailboxes(self):
        with Client(self.port) as client:
            client.command("EHLO c.example.com", "250")
            client.command("MAIL FROM:<a@example.com>", "250")
            client.command("RCPT TO:<late@contoso.com>", "550 5.1.1")
            self.mailflow.ctl("mailbox", "create", "late")
            client.command("RCPT TO:<late@contoso.com>", "250")


@unittest.skipUnless(os.geteuid() == 0, "a network of one's own needs root")
class LimitsPerSource(SystemTest):
    """What loopback is exempt from."""

    HERE, ONE, OTHER = "192.0.2.1", "192.0.2.2", "192.0.2.3"

    def setUp(self):
        super().setUp()
        self.network = OwnNetwork(self.HERE, self.ONE, self.OTHER)
        self.stack.enter_context(self.network)
        self.mailflow = self.start_mailflow(address=self.HERE)
        self.port = self.mailflow.port()

    def client(self, source, **options):
        return Client(self.port, host=self.HERE, source=source, **options)

    def test_attack_15_max_inbound_connection_per_source(self):
        self.mailflow.set_connector(DEFAULT, max_inbound_connection_per_source=2)

        with self.client(self.ONE), self.client(self.ONE):
            with self.client(self.ONE, greeting=b"421 4.3.2 "):
                pass
            with self.client(self.OTHER):
                pass

    def test_max_inbound_connection_percentage_per_source(self):
        self.mailflow.set_connector(DEFAULT, max_inbound_connection=10, max_inbound_connection_percentage_per_source=30)

        with self.client(self.ONE), self.client(self.ONE), self.client(self.ONE):
            with self.client(self.ONE, greeting=b"421 4.3.2 "):
                pass
            with self.client(self.OTHER):
                pass

    def test_tarpit_interval(self):
        self.mailflow.set_connector(DEFAULT, tarpit_interval="1s")
        with self.client(self.ONE) as client:
            client.command("EHLO c.example.com", "250")
            client.command("MAIL FROM:<a@example.com>", "250")
            begun = time.monotonic()
            client.command("RCPT TO:<nobody@contoso.com>", "550 5.1.1")
            self.assertGreater(time.monotonic() - begun, 0.95)

    def test_many_sources_at_once(self):
        results = []
        # Sockets are made here, in this thread's network; the talking is done side by side.
        clients = [self.client(source) for source in (self.ONE, self.OTHER) for _ in range(5)]

        def talk(client):
            with client:
                client.begin("a@example.com", [LOCAL])
                results.append(client.text(b"Subject: x\r\n\r\nx\r\n")[:3])
        threads = [threading.Thread(target=talk, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        self.assertEqual(results, ["250"] * 10)


if __name__ == "__main__":
    unittest.main()
