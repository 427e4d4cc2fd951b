#!/usr/bin/python3
"""The demo behind scripts/run: one server, one outside world (DNS and an SMTP sink), four messages and their histories."""
import atexit
import json
import pathlib
import signal
import smtplib
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BIN = ROOT / "build" / "release" / "bin"
PATIENCE = 30
DOMAIN = "contoso.example"
OUTSIDE = "fabrikam.example"

results = []
children = []


def say(text=""):
    print(text, flush=True)


def check(what, holds):
    results.append((what, bool(holds)))
    say(f"   {'held' if holds else 'FAILED'}: {what}")


def wait_for(condition, what):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    check(what, False)
    return None


def start(name, folder, *command):
    output = open(folder / f"{name}.log", "wb")
    process = subprocess.Popen([str(word) for word in command], stdout=output, stderr=subprocess.STDOUT)
    children.append(process)
    return process


def stop_children():
    for process in reversed(children):
        if process.poll() is None:
            process.terminate()
    for process in reversed(children):
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()


class Server:
    def __init__(self, folder):
        self.folder = folder
        self.socket = folder / "admin.sock"

    def ctl(self, *words, show=True):
        if show:
            say("   $ smtpctl " + " ".join(f"'{w}'" if " " in w or "*" in w else w for w in words))
        result = subprocess.run([str(BIN / "smtpctl"), "--socket", str(self.socket), *words], text=True, capture_output=True)
        if result.returncode != 0:
            say("     " + (result.stdout + result.stderr).strip())
            check(f"smtpctl {words[0]} works", False)
        return result.stdout

    def json(self, *words):
        return json.loads(self.ctl("--json", *words, show=False) or "null")

    def history(self, queue_id):
        for line in self.ctl("track", queue_id).splitlines():
            say("     " + line)


def send(port, sender, recipient, subject):
    """Sends one message; the QueueId from the final reply, or nothing."""
    text = f"From: {sender}\r\nTo: {recipient}\r\nSubject: {subject}\r\n\r\nsent by the demo\r\n"
    with smtplib.SMTP("127.0.0.1", port, "demo.example", timeout=PATIENCE) as client:
        client.ehlo()
        client.mail(sender)
        client.rcpt(recipient)
        code, words = client.data(text)
    words = words.decode()
    say(f"   {sender} -> {recipient}: {code} {words}")
    if code != 250 or "QueueId=" not in words:
        check(f"the server takes a message for {recipient}", False)
        return ""
    return words.split("QueueId=")[1][:13]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_world(folder):
    (folder / "zone").write_text(
        f"{OUTSIDE}. MX 10 mx1.{OUTSIDE}.\nmx1.{OUTSIDE}. A 127.0.0.1\n")
    start("lab", folder, BIN / "mailflow-lab", "serve", "--zone", folder / "zone", "--out", folder / "outside")
    line = wait_for(lambda: next((l for l in (folder / "lab.log").read_text().splitlines() if l.startswith("{")), None),
                    "the outside world starts")
    return json.loads(line) if line else None


def start_server(folder, lab):
    (folder / "mailflowd.toml").write_text(f'''state_dir = "state"
[node]
fqdn = "mail.{DOMAIN}"
domain = "{DOMAIN}"
[listen]
address = "127.0.0.1"
smtp = 0
submission = 0
submissions = 0
[admin]
socket = "admin.sock"
[dns]
servers = ["{lab['dns']}"]
[deliver]
allow_destinations = ["127.0.0.0/8"]
[log]
target = "file:mailflowd.log"
''')
    process = start("stdout", folder, BIN / "mailflowd", "--config", folder / "mailflowd.toml")
    wait_for(lambda: process.poll() is not None or "ready" in (folder / "stdout.log").read_text(), "mailflowd gets ready")
    if process.poll() is not None:
        say((folder / "stdout.log").read_text())
        check("mailflowd starts", False)
        return None
    return Server(folder)


def events(server, queue_id):
    return server.json("track", queue_id) or []


def has_event(server, queue_id, name):
    return [e for e in events(server, queue_id) if e["event"] == name]


def inbound(server, port):
    say("\n1. A message in, to postmaster")
    queue_id = send(port, f"alice@{OUTSIDE}", f"postmaster@{DOMAIN}", "one message in")
    new = server.folder / "state" / "mail" / "postmaster" / "new"
    files = wait_for(lambda: new.is_dir() and list(new.iterdir()), "the message is in the Maildir")
    if files:
        say(f"   {files[0]}")
        for line in files[0].read_text().splitlines()[:8]:
            say("     | " + line)
    server.history(queue_id)
    check("one message in, delivered to the Maildir", files and has_event(server, queue_id, "DELIVER"))


def outbound(server, port, lab):
    say("\n2. A message out, by MX")
    sink_port = lab["smtp"][0].rsplit(":", 1)[1]
    server.ctl("send-connector", "create", "Internet", "--usage", "internet", "--address-space", "*", "--port", sink_port)
    server.ctl("transport-config", "set", "--message-retry-interval", "2s")
    queue_id = send(port, f"postmaster@{DOMAIN}", f"bob@{OUTSIDE}", "one message out")
    sent = wait_for(lambda: has_event(server, queue_id, "SEND"), "the message leaves")
    server.history(queue_id)
    check("one message out, by MX to the outside", sent)

    say("\n3. A message to a host that first says 451")
    queue_id = send(port, f"postmaster@{DOMAIN}", f"451-rcpt-1@{OUTSIDE}", "one retry")
    deferred = wait_for(lambda: has_event(server, queue_id, "DEFER"), "the first attempt is deferred")
    if deferred:
        for line in server.ctl("message", "show", queue_id).splitlines():
            say("     " + line)
    sent = wait_for(lambda: has_event(server, queue_id, "SEND"), "the retry succeeds")
    server.history(queue_id)
    check("one retry, seen and delivered", deferred and sent)

    say("\n4. A message that bounces")
    queue_id = send(port, f"postmaster@{DOMAIN}", f"550-rcpt@{OUTSIDE}", "one bounce")
    new = server.folder / "state" / "mail" / "postmaster" / "new"

    def report():
        return [f for f in new.iterdir() if "Undeliverable" in f.read_text(errors="replace")]

    files = wait_for(report, "the report is in the sender's Maildir")
    if files:
        say(f"   {files[0]}")
        for line in files[0].read_text(errors="replace").splitlines():
            if line.startswith(("Subject:", "From:", "To:", "Final-Recipient:", "Action:", "Status:", "Remote-MTA:", "Diagnostic-Code:")):
                say("     | " + line)
    server.history(queue_id)
    check("one bounce, reported to its sender", files and has_event(server, queue_id, "FAIL"))


def main():
    once = "--once" in sys.argv[1:]
    folder = ROOT / "var" / time.strftime("run-%Y%m%d-%H%M%S")
    suffix = 0
    while True:
        try:
            folder.mkdir(parents=True)
            break
        except FileExistsError:
            suffix += 1
            folder = folder.with_name(folder.name.split(".")[0] + f".{suffix}")
    atexit.register(stop_children)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    say(f"Everything of this run is below {folder.relative_to(ROOT)}")
    lab = start_world(folder)
    server = start_server(folder, lab) if lab else None
    if server:
        port = free_port()
        open_at = {listener["connector"]: listener["endpoint"] for listener in server.json("status")["listeners"]}
        smtp = open_at[f"Default Frontend mail.{DOMAIN}"]
        server.ctl("receive-connector", "create", "Local applications", "--binding", f"127.0.0.1:{port}", "--remote-range",
                   "127.0.0.0/8", "--permission-group", "anonymous", "--permission", "any-recipient")
        inbound(server, int(smtp.rsplit(":", 1)[1]))
        outbound(server, port, lab)
    failed = [what for what, holds in results if not holds]
    if server and not once and not failed:
        say(f"""
mailflowd is up.
  mail for {DOMAIN} comes in at    {smtp}
  mail to anywhere is taken at     127.0.0.1:{port}   (from this machine)
  mail programs log in at          {open_at[f"Client Frontend mail.{DOMAIN}"]} (STARTTLS), {open_at[f"Client Frontend TLS mail.{DOMAIN}"]} (TLS)
  try:  swaks --server {smtp} --to postmaster@{DOMAIN}
  look: export MAILFLOW_SOCKET={server.socket.relative_to(ROOT)}
        build/release/bin/smtpctl status;  build/release/bin/smtpctl track;  build/release/bin/smtpctl message list
  log:  {(folder / 'mailflowd.log').relative_to(ROOT)}
Ctrl-C stops it.""")
        try:
            children[-1].wait()
        except KeyboardInterrupt:
            say("stopping")
    stop_children()
    say()
    say(f"failed: {'; '.join(failed)}" if failed or not results else f"all {len(results)} held: " + "; ".join(w for w, _ in results))
    return 1 if failed or not results else 0


if __name__ == "__main__":
    sys.exit(main())
