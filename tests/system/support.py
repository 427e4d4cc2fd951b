"""Running the real programs in system tests: mailflowd, smtpctl, mailflow-lab and unpacked peers, on free loopback ports,
everything in a temporary folder, nothing left behind. Waits are for an event and end after 30 s."""
import contextlib
import ctypes
import email
import fcntl
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
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
    libraries = [root / "usr/lib/postfix", root / "usr/lib/dovecot", root / "usr/lib/x86_64-linux-gnu"]
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

    def __init__(self, folder, dns=None, domain="contoso.com", node="mail.contoso.com", lines=(), address="127.0.0.1",
                 state="state", allow='"127.0.0.0/8"', prefix=(), submission=0, dnssec='trust_ad = "none"'):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.state = self.folder / state
        self.prefix = list(prefix)
        self.expected_exit = 0
        self.config = self.folder / "mailflowd.toml"
        self.socket = self.folder / "admin.sock"
        self.runs = 0
        servers = f'servers = ["{dns}"]' if dns else 'servers = ["127.0.0.1:9"]'
        self.config.write_text("\n".join([
            f'state_dir = "{state}"', "[node]", f'fqdn = "{node}"', f'domain = "{domain}"' if domain else "",
            "[listen]", f'address = "{address}"', "smtp = 0", f"submission = {submission}", "submissions = 0",
            "[admin]", 'socket = "admin.sock"',
            "[dns]", servers, dnssec, "[deliver]", f"allow_destinations = [{allow}]", *lines, ""]))
        self.daemon = None

    def start(self):
        self.runs += 1
        self.daemon = Process([*self.prefix, BIN / "mailflowd", "--config", self.config],
                              self.folder / f"mailflowd.{self.runs}.log")
        wait_for(lambda: self.daemon.process.poll() is not None or "\nready" in "\n" + self.daemon.text(),
                 "mailflowd says ready")
        if self.daemon.process.poll() is not None:
            raise AssertionError(f"mailflowd ended with {self.daemon.process.returncode}:\n{self.daemon.text()}")
        return self

    def stop(self):
        return self.daemon.stop() if self.daemon else 0

    def close(self):
        """The end of a test: a daemon that does not end well fails it."""
        code = self.stop()
        if code not in (self.expected_exit, -signal.SIGKILL):
            raise AssertionError(f"mailflowd ended with {code}:\n{self.daemon.text()[-4000:]}")

    def kill(self):
        self.daemon.process.kill()
        self.daemon.process.wait()
        self.daemon.output.close()

    def ctl(self, *words, check=True, yes=True, said=""):
        command = [str(BIN / "smtpctl"), "--socket", str(self.socket), *(["--yes"] if yes else []), *map(str, words)]
        result = subprocess.run(command, text=True, capture_output=True, timeout=PATIENCE, input=said)
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

    def relay_port(self, *words):
        """The connector through which loopback may send to the outside."""
        port = free_port()
        self.ctl("receive-connector", "create", "Local applications", "--binding", f"127.0.0.1:{port}", "--remote-range",
                 "127.0.0.0/8", "--permission-group", "anonymous", "--permission", "any-recipient", *words)
        return port

    def internet(self, lab, *words):
        """The send connector for everything, by MX to the lab's sinks."""
        self.ctl("send-connector", "create", "Internet", "--usage", "internet", "--address-space", "*", "--port",
                 lab.sink_port, *words)

    def set(self, **settings):
        """transport-config set."""
        words = [word for name, value in settings.items() for word in ("--" + name.replace("_", "-"), value)]
        self.ctl("transport-config", "set", *words)

    def set_connector(self, name, **settings):
        words = [word for key, value in settings.items() for word in ("--" + key.replace("_", "-"), value)]
        self.ctl("receive-connector", "set", name, *words)

    def wait_for_pressure(self, level):
        wait_for(lambda: self.json("status", check=False)["back_pressure"]["level"] == level, f"back pressure is {level}")

    def maildir(self, mailbox):
        return self.state / "mail" / mailbox / "new"

    def delivered(self, mailbox, count=1):
        folder = self.maildir(mailbox)
        wait_for(lambda: folder.is_dir() and len(list(folder.iterdir())) >= count, f"{count} messages for {mailbox}")
        return sorted(folder.iterdir())

    def track(self, *words):
        return self.json("track", *words)

    def wait_for_event(self, event, *words, count=1):
        def found():
            events = [e for e in self.track(*words) if e["event"] == event]
            return events if len(events) >= count else None
        return wait_for(found, f"{count} {event} events of {' '.join(words)}")

    def show(self, queue_id):
        return self.json("message", "show", queue_id)

    def wait_until_empty(self):
        """Patience begins anew with each message that leaves: how many there are does not matter."""
        left = None
        while left != 0:
            before = left
            left = wait_for(lambda: (lambda count: [count] if before is None or count < before else None)(
                self.json("status")["queue"]["messages"]), f"one of {before} queued messages leaves")[0]

    def reports(self, mailbox="postmaster", count=1):
        """The delivery reports in a mailbox, parsed."""
        def found():
            files = self.maildir(mailbox).iterdir() if self.maildir(mailbox).is_dir() else []
            parsed = [email.message_from_bytes(path.read_bytes()) for path in sorted(files)]
            reports = [Report(message) for message in parsed if message.get_content_type() == "multipart/report"]
            return reports if len(reports) >= count else None
        return wait_for(found, f"{count} reports for {mailbox}")


class Report:
    """A delivery status notification (RFC 3464)."""

    def __init__(self, message):
        self.message = message
        self.text, self.status, self.original = message.get_payload()
        blocks = self.status.get_payload()
        self.about_message = blocks[0]
        self.recipients = blocks[1:]

    def field(self, name, recipient=0):
        value = self.recipients[recipient][name]
        return " ".join(value.split()) if value else value


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
        self.dns = self.ready["dns"]
        self.sink_port = int(self.ready["smtp"][0].rsplit(":", 1)[1])

    def stop(self):
        self.process.stop()

    def lines(self, name):
        path = self.out / name
        # The last line may be half written.
        return [json.loads(line) for line in path.read_text().split("\n")[:-1]] if path.exists() else []

    def messages(self, to=None):
        return [m for m in self.lines("messages.jsonl") if to is None or to in m["to"]]

    def sessions(self):
        return self.lines("sessions.jsonl")

    def wait_for_messages(self, count=1, to=None, seconds=PATIENCE):
        def found():
            messages = self.messages(to)
            return messages if len(messages) >= count else None
        return wait_for(found, f"{count} messages outside" + (f" for {to}" if to else ""), seconds)

    def content(self, message):
        return (self.out / message["file"]).read_bytes()


class Client:
    """A raw SMTP client that says exactly what the test says."""

    def __init__(self, port, host="127.0.0.1", source=None, greeting=b"220 "):
        self.socket = socket.create_connection((host, port), timeout=PATIENCE, source_address=source and (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.greeting = self.reply()
        if greeting is not None and not self.greeting.startswith(greeting):
            self.close()
            raise AssertionError(f"greeted with {self.greeting}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """Closes with RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def reply(self):
        """One reply, all its lines; empty when the server closed."""
        data = b""
        while not data.endswith(b"\r\n") or data.split(b"\r\n")[-2][3:4] == b"-":
            try:
                piece = self.socket.recv(1)
            except ConnectionResetError:
                break
            if not piece:
                break
            data += piece
        return data

    def send(self, data):
        self.socket.sendall(data)

    def command(self, line, expect=None):
        self.send(line.encode() + b"\r\n" if isinstance(line, str) else line)
        answer = self.reply()
        if expect is not None and not answer.decode().startswith(expect):
            raise AssertionError(f"{line!r} was answered {answer!r}, not {expect}")
        return answer.decode()

    def begin(self, sender, recipients, parameters=""):
        """Up to the 354."""
        self.command("EHLO client.example.com", "250")
        self.command(f"MAIL FROM:<{sender}>{parameters}", "250")
        for recipient in recipients:
            self.command(f"RCPT TO:<{recipient}>", "250")
        self.command("DATA", "354")

    def text(self, content, step=1 << 16):
        """The content, dot-stuffed, and the final dot."""
        stuffed = content.replace(b"\r\n.", b"\r\n..")
        data = (b"." + stuffed if stuffed.startswith(b".") else stuffed) + b".\r\n"
        for start in range(0, len(data), step):
            self.send(data[start:start + step])
        return self.reply().decode()


def submit(port, sender, recipients, content=b"Subject: test\r\n\r\nhello\r\n", parameters=""):
    """Sends one message; its QueueId."""
    with Client(port) as client:
        client.begin(sender, [recipients] if isinstance(recipients, str) else recipients, parameters)
        answer = client.text(content)
        if not answer.startswith("250 2.6.0"):
            raise AssertionError(f"the message was answered {answer!r}")
        client.command("QUIT", "221")
    return answer.split("QueueId=")[1][:13]


def without_trace(data):
    """The octets of a message that arrived behind the trace fields we add, with CRLF lines."""
    if b"\r\n" not in data:
        data = data.replace(b"\n", b"\r\n")
    while data.split(b":", 1)[0] in (b"Return-Path", b"Delivered-To", b"Received"):
        lines = data.split(b"\r\n")
        count = 1
        while lines[count][:1] in (b" ", b"\t"):
            count += 1
        data = b"\r\n".join(lines[count:])
    return data


class OwnNetwork:
    """A network namespace with addresses that are not loopback's: what a limit per source needs, without leaving the
    machine. Everything the test starts meanwhile lives in it. Root only."""

    CLONE_NEWNET = 0x40000000
    SIOCSIFFLAGS, SIOCSIFADDR, IFF_UP = 0x8914, 0x8916, 1

    def __init__(self, *addresses):
        self.addresses = addresses

    def __enter__(self):
        self.outside = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        self.call("unshare", self.CLONE_NEWNET)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            fcntl.ioctl(control, self.SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", self.IFF_UP))
            for number, address in enumerate(self.addresses):
                fcntl.ioctl(control, self.SIOCSIFADDR, struct.pack(
                    "16sHH4s8x", f"lo:{number}".encode(), socket.AF_INET, 0, socket.inet_aton(address)))
        return self

    def __exit__(self, *_):
        self.call("setns", self.outside, self.CLONE_NEWNET)
        os.close(self.outside)

    @staticmethod
    def call(name, *arguments):
        libc = ctypes.CDLL(None, use_errno=True)
        if getattr(libc, name)(*arguments) != 0:
            raise OSError(ctypes.get_errno(), name)


class SmallDisk:
    """A file system of a few megabytes in a mount namespace of its own, gone with the process that holds it."""

    def __init__(self, folder, size):
        folder.mkdir()
        options = ["--mount"] if os.geteuid() == 0 else ["--mount", "--map-root-user"]
        self.holder = Process(["unshare", *options, "sh", "-c",
                               f"mount -t tmpfs -o size={size} none {folder} && echo mounted && exec sleep infinity"],
                              folder.parent / "disk.log")
        wait_for(lambda: "mounted" in self.holder.text() or self.holder.process.poll() is not None, "a small disk")
        if "mounted" not in self.holder.text():
            # A changed root is no mount point, and some hosts let nobody make namespaces.
            raise unittest.SkipTest(f"no mount namespace of one's own here: {self.holder.text().strip()}")
        # Runs a command that sees it.
        self.prefix = ["nsenter", "-t", str(self.holder.process.pid), "-m", *([] if os.geteuid() == 0 else ["-U"]), "--"]
        self.path = pathlib.Path(f"/proc/{self.holder.process.pid}/root{folder}")

    def fill(self, leave=0):
        """Takes all but `leave` octets."""
        free = shutil.disk_usage(self.path).free
        with open(self.path / "ballast", "ab") as ballast:
            ballast.write(b"x" * max(0, free - leave))

    def empty(self):
        (self.path / "ballast").unlink()

    def stop(self):
        self.holder.stop()


class SystemTest(unittest.TestCase):
    """A temporary folder and a stack of things to stop, in reverse order, also when the test fails."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mailflow-test-"))
        self.stack = contextlib.ExitStack()
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.addCleanup(self.stack.close)

    def start_mailflow(self, **options):
        mailflow = Mailflow(self.folder / "mailflow", **options)
        self.stack.callback(mailflow.close)
        return mailflow.start()

    def start_lab(self, zone, *words, name="lab"):
        lab = Lab(self.folder / name, zone, *words)
        self.stack.callback(lab.stop)
        return lab

    def start_process(self, command, name, **options):
        process = Process(command, self.folder / f"{name}.log", **options)
        self.stack.callback(process.stop)
        return process
