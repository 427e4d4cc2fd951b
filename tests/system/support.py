"""Running the real programs in system tests: mailflowd, smtpctl, mailflow-lab and unpacked peers, on free loopback ports,
everything in a temporary folder, nothing left behind. Waits are for an event and end after 30 s."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BIN = pathlib.Path(os.environ.get("MAILFLOW_BIN", ROOT / "build" / "release" / "bin"))
PEERS = ROOT / "build" / "peers"
PATIENCE = 30


def wait_for(condition, what, seconds=PATIENCE):
    """Polls a condition that no event announces (a file, a port of a peer); returns its first true value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.02)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_open(port):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def peer(name, program):
    path = PEERS / name / program
    if not path.exists():
        raise AssertionError(f"{path} is missing: run scripts/bootstrap")
    return str(path)


def peer_environment(name):
    root = PEERS / name
    libraries = [root / "usr/lib/postfix", root / "usr/lib/x86_64-linux-gnu"]
    return dict(os.environ, LD_LIBRARY_PATH=":".join(str(path) for path in libraries))


class Process:
    """A child whose output goes to a file; stopped with the test."""

    def __init__(self, command, log, env=None, cwd=None):
        self.log = pathlib.Path(log)
        self.output = open(self.log, "ab")
        self.process = subprocess.Popen([str(word) for word in command], stdout=self.output, stderr=subprocess.STDOUT,
                                        env=env, cwd=cwd, start_new_session=True)

    def text(self):
        return self.log.read_text(errors="replace")

    def stop(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"{self.process.args[0]} did not stop within {PATIENCE} s\n{self.text()[-4000:]}")
        self.output.close()
        return self.process.returncode


class Mailflow:
    """One mailflowd with a state directory of its own."""

    def __init__(self, folder, dns=None, domain="contoso.com", node="mail.contoso.com", lines=()):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config = self.folder / "mailflowd.toml"
        self.socket = self.folder / "admin.sock"
        self.runs = 0
        servers = f'servers = ["{dns}"]' if dns else 'servers = ["127.0.0.1:9"]'
        self.config.write_text("\n".join([
            'state_dir = "state"', "[node]", f'fqdn = "{node}"', f'domain = "{domain}"',
            "[listen]", 'address = "127.0.0.1"', "smtp = 0", "[admin]", 'socket = "admin.sock"',
            "[dns]", servers, "[deliver]", 'allow_destinations = ["127.0.0.0/8"]', *lines, ""]))
        self.daemon = None

    def start(self):
        self.runs += 1
        self.daemon = Process([BIN / "mailflowd", "--config", self.config], self.folder / f"mailflowd.{self.runs}.log")
        wait_for(lambda: self.daemon.process.poll() is not None or "\nready" in "\n" + self.daemon.text(),
                 "mailflowd says ready")
        if self.daemon.process.poll() is not None:
            raise AssertionError(f"mailflowd ended with {self.daemon.process.returncode}:\n{self.daemon.text()}")
        return self

    def stop(self):
        return self.daemon.stop() if self.daemon else 0

    def kill(self):
        self.daemon.process.kill()
        self.daemon.process.wait()
        self.daemon.output.close()

    def ctl(self, *words, check=True, yes=True):
        command = [str(BIN / "smtpctl"), "--socket", str(self.socket), *(["--yes"] if yes else []), *map(str, words)]
        result = subprocess.run(command, text=True, capture_output=True, timeout=PATIENCE, stdin=subprocess.DEVNULL)
        if check and result.returncode != 0:
            raise AssertionError(f"{' '.join(command)}: exit {result.returncode}\n{result.stdout}{result.stderr}")
        return result

    def json(self, *words, check=True):
        return json.loads(self.ctl("--json", *words, check=check).stdout)

    def port(self, connector="Default Frontend"):
        for listener in self.json("status")["listeners"]:
            if listener["connector"].startswith(connector):
                return int(listener["endpoint"].rsplit(":", 1)[1])
        raise AssertionError(f"no listener of {connector}")

    def relay_port(self):
        """The connector through which loopback may send to the outside."""
        port = free_port()
        self.ctl("receive-connector", "create", "Local applications", "--binding", f"127.0.0.1:{port}",
                 "--remote-range", "127.0.0.0/8", "--permission-group", "anonymous", "--permission", "any-recipient")
        return port

    def maildir(self, mailbox):
        return self.folder / "state" / "mail" / mailbox / "new"

    def delivered(self, mailbox, count=1):
        folder = self.maildir(mailbox)
        wait_for(lambda: folder.is_dir() and len(list(folder.iterdir())) >= count, f"{count} messages for {mailbox}")
        return sorted(folder.iterdir())

    def track(self, *words):
        return self.json("track", *words)

    def wait_for_event(self, event, *words):
        return wait_for(lambda: [e for e in self.track(*words) if e["event"] == event], f"a {event} event")


class Lab:
    """mailflow-lab serve: DNS from a zone and an SMTP sink."""

    def __init__(self, folder, zone, *words):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        zone_file = self.folder / "zone"
        zone_file.write_text(zone)
        self.out = self.folder / "out"
        self.process = Process([BIN / "mailflow-lab", "serve", "--zone", zone_file, "--out", self.out, *words],
                               self.folder / "lab.log")
        line = wait_for(lambda: next((l for l in self.process.text().splitlines() if l.startswith("{")), None),
                        "mailflow-lab is ready")
        self.ready = json.loads(line)

    def stop(self):
        self.process.stop()


class SystemTest(unittest.TestCase):
    """A temporary folder and a stack of things to stop, in reverse order, also when the test fails."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mailflow-test-"))
        self.stack = contextlib.ExitStack()
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.addCleanup(self.stack.close)

    def start_mailflow(self, **options):
        mailflow = Mailflow(self.folder / "mailflow", **options)
        self.stack.callback(mailflow.stop)
        return mailflow.start()

    def start_lab(self, zone, *words):
        lab = Lab(self.folder / "lab", zone, *words)
        self.stack.callback(lab.stop)
        return lab

    def start_process(self, command, name, **options):
        process = Process(command, self.folder / f"{name}.log", **options)
        self.stack.callback(process.stop)
        return process
