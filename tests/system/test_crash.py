#!/usr/bin/python3
"""kill -9 at random moments: what got its 250 arrives, whole; duplicates are counted. MAILFLOW_SEED repeats the moments."""
import os
import random
import re
import signal
import subprocess
import time
import unittest

from support import BIN, PATIENCE, Process, SystemTest, free_port, wait_for

KILLS = 20
ZONE = "fabrikam.com. MX 10 mx.fabrikam.com.\nmx.fabrikam.com. A 127.0.0.1\n"


class Crash(SystemTest):
    def setUp(self):
        super().setUp()
        self.seed = int(os.environ.get("MAILFLOW_SEED", random.SystemRandom().randrange(1 << 32)))
        self.random = random.Random(self.seed)
        self.acked = self.folder / "acked"

    def kill_while_sending(self, mailflow, relay, to, kills, size, sessions, rate):
        """Sends without end, kills and restarts, then lets the sender end; how many were acknowledged."""
        command = [BIN / "mailflow-lab", "send", "--server", f"127.0.0.1:{relay}", "--from", "postmaster@contoso.com",
                   "--to", to, "--count", 10**9, "--sessions", sessions, "--size", size, "--rate", rate, "--acked", self.acked]
        sender = Process(command, self.folder / "send.log")
        self.stack.callback(sender.stop)
        for _ in range(kills):
            before = self.acknowledged()
            wait_for(lambda: self.acknowledged() > before, "mail is accepted after the restart")
            time.sleep(self.random.uniform(0, 0.4))  # not a wait: the random moment
            mailflow.kill()
            mailflow.start()
        before = self.acknowledged()
        wait_for(lambda: self.acknowledged() > before, "mail is accepted after the last restart")
        sender.stop(signal.SIGTERM)
        return self.acknowledged()

    def acknowledged(self):
        return self.acked.read_bytes().count(b"\n") if self.acked.exists() else 0

    def verify(self, mailflow, *where):
        mailflow.wait_until_empty()
        result = subprocess.run([str(BIN / "mailflow-lab"), "verify", "--acked", str(self.acked), *map(str, where)], text=True,
                                capture_output=True, timeout=PATIENCE)
        print(f"{self.id()} seed {self.seed}: {result.stdout.strip()}", flush=True)
        self.assertEqual(result.returncode, 0, f"seed {self.seed}\n{result.stdout}{result.stderr}")
        return {name: int(number)
                for name, number in re.findall(r"(acknowledged|delivered|lost|duplicates) (\d+)", result.stdout)}

    def spool_files(self, mailflow):
        spool = mailflow.state / "spool"
        return [path for path in spool.rglob("*") if path.is_file()] if spool.exists() else []

    def test_attack_36_mail_to_a_mailbox_survives_20_kills(self):
        mailflow = self.start_mailflow()
        relay = mailflow.relay_port()

        count = self.kill_while_sending(mailflow, relay, "postmaster@contoso.com", KILLS, size=2048, sessions=8, rate=100)

        self.assertGreaterEqual(count, KILLS)
        report = self.verify(mailflow, "--maildir", mailflow.maildir("postmaster").parent)
        self.assertEqual(report["delivered"], count)

    def test_attack_36_relayed_mail_survives_20_kills(self):
        lab = self.start_lab(ZONE, "--smtp", f"127.0.0.1:{free_port()}")
        mailflow = self.start_mailflow(dns=lab.dns)
        mailflow.internet(lab)
        # A cut connection counts against the host; its next attempt must not wait for a minute.
        mailflow.set(message_retry_interval="1s", queue_glitch_retry_interval="1s")
        relay = mailflow.relay_port()

        count = self.kill_while_sending(mailflow, relay, "bob@fabrikam.com", KILLS, size=2048, sessions=8, rate=100)

        report = self.verify(mailflow, "--out", lab.out)
        self.assertEqual(report["delivered"], count)

    def test_attack_36_spooled_bodies_survive_kills_and_none_is_left_over(self):
        mailflow = self.start_mailflow()
        relay = mailflow.relay_port()

        self.kill_while_sending(mailflow, relay, "postmaster@contoso.com", 8, size=1_000_000, sessions=3, rate=20)

        self.verify(mailflow, "--maildir", mailflow.maildir("postmaster").parent)
        mailflow.stop()
        mailflow.start()
        wait_for(lambda: not self.spool_files(mailflow), "bodies without a message are removed")
        self.assertEqual(list((mailflow.maildir("postmaster").parent / "tmp").iterdir()), [],
                         "half-written files of the crashes are removed")


if __name__ == "__main__":
    unittest.main()
