"""A real JupyterHub on loopback, with the class's configuration: two students sign in and run a lesson."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import nbformat
import pytest
import requests
import websocket

PROJECT = Path(__file__).resolve().parents[2]
LESSON = "02_gradient_descent.ipynb"
PROXY = "5.3.0"  # of the npm package configurable-http-proxy
PASSWORD = "chalk-and-sponge"
LIMIT = 180.0  # seconds for anything to start


def free_port() -> int:
    with socket.socket() as any_port:
        any_port.bind(("127.0.0.1", 0))
        return int(any_port.getsockname()[1])


@pytest.fixture(scope="module")
def proxy() -> Path:
    """The hub's proxy, fetched once through npm to where the configuration looks for it."""
    folder = PROJECT / "build" / "hub"
    command = folder / "node_modules" / ".bin" / "configurable-http-proxy"
    if not command.exists():
        if shutil.which("npm") is None:
            raise RuntimeError(f"the hub's proxy is neither in {folder} nor to be had: npm is not installed")
        line = ["npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", str(folder)]
        subprocess.run([*line, f"configurable-http-proxy@{PROXY}"], check=True, stdout=subprocess.DEVNULL)
    return command


@dataclass
class Hub:
    address: str
    homes: Path
    log: Path
    students: dict[str, Student] = field(default_factory=dict)

    def student(self, name: str) -> Student:
        """Signed in, with a server that runs."""
        if name not in self.students:
            self.students[name] = Student(self, name)
            self.students[name].sign_in()
            self.students[name].start()
        return self.students[name]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, proxy: Path) -> Iterator[Hub]:
    """The hub of deploy/jupyterhub_config.py as it is tried; only the ports are the test's."""
    folder = tmp_path_factory.mktemp("hub")
    public, inner, api = free_port(), free_port(), free_port()
    settings = folder / "settings.py"
    settings.write_text(
        f"load_subconfig({str(PROJECT / 'deploy' / 'jupyterhub_config.py')!r})\n"
        f"c.JupyterHub.bind_url = 'http://127.0.0.1:{public}'\n"
        f"c.JupyterHub.hub_port = {inner}\n"
        f"c.ConfigurableHTTPProxy.api_url = 'http://127.0.0.1:{api}'\n"
    )
    state, log = folder / "state", folder / "log"
    env = {**os.environ, "COURSE_HUB_TRIAL": PASSWORD, "COURSE_HUB_STATE": str(state)}
    env = {name: value for name, value in env.items() if not name.startswith(("COURSE_RECORD", "JUPYTER"))}
    line = [sys.executable, "-m", "jupyterhub", "-f", str(settings)]
    with open(log, "wb") as said:
        process = subprocess.Popen(line, env=env, cwd=folder, stdout=said, stderr=said)
    made = Hub(f"http://127.0.0.1:{public}", state / "homes", log)
    try:
        end = time.monotonic() + LIMIT
        while True:
            with contextlib.suppress(requests.ConnectionError):
                if requests.get(f"{made.address}/hub/health", timeout=10).ok:
                    break
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"the hub does not start:\n{log.read_text()}")
            time.sleep(0.2)
        yield made
    finally:
        process.send_signal(signal.SIGTERM)  # it ends its servers and its proxy, too
        process.wait(timeout=240)


class Student:
    """What a student's browser does: a session with its cookies."""

    def __init__(self, hub: Hub, name: str) -> None:
        self.hub, self.name = hub, name
        self.session = requests.Session()
        self.base = f"{hub.address}/user/{name}"

    def sign_in(self, password: str = PASSWORD) -> requests.Response:
        login = f"{self.hub.address}/hub/login"
        self.session.get(login, timeout=30)
        form = {"username": self.name, "password": password, "_xsrf": self.session.cookies["_xsrf"]}
        return self.session.post(login, data=form, timeout=LIMIT)

    def start(self) -> None:
        """Ask for the server and wait until it answers."""
        end = time.monotonic() + LIMIT
        while True:
            answer = self.session.get(f"{self.hub.address}/hub/spawn", timeout=LIMIT)
            if answer.ok and answer.url.startswith(self.base):
                return
            assert time.monotonic() < end, f"{answer.url}: {answer.status_code}\n{self.hub.log.read_text()}"
            time.sleep(1)

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        """A request to the student's own server."""
        token = next(
            (one.value for one in self.session.cookies if one.name == "_xsrf" and self.name in one.path), ""
        )
        more = {"timeout": LIMIT, "headers": {"X-XSRFToken": token}} | more
        return self.session.request(method, f"{self.base}/{path}", **more)

    @contextlib.contextmanager
    def kernel(self) -> Iterator[Kernel]:
        """A kernel as JupyterLab starts it for the copy of the lesson."""
        body = {"path": f"course/{LESSON}", "type": "notebook", "name": LESSON, "kernel": {"name": "python3"}}
        answer = self.ask("POST", "api/sessions", json=body)
        assert answer.status_code == 201, answer.text
        opened = answer.json()
        cookies = "; ".join(
            f"{one.name}={one.value}"
            for one in self.session.cookies
            if self.base.endswith(one.path.rstrip("/")) or one.path == "/"
        )
        address = f"{self.base}/api/kernels/{opened['kernel']['id']}/channels".replace("http", "ws", 1)
        query = urlencode({"session_id": opened["id"]})
        channel = websocket.create_connection(
            f"{address}?{query}", cookie=cookies, origin=self.hub.address, timeout=LIMIT
        )
        try:
            yield Kernel(channel)
        finally:
            channel.close()
            self.ask("DELETE", f"api/sessions/{opened['id']}")


class Kernel:
    def __init__(self, channel: websocket.WebSocket) -> None:
        self.channel = channel

    def run(self, code: str) -> str:
        """What a cell prints and shows, as text. Raises: AssertionError with the traceback where it fails."""
        number = secrets.token_hex(8)
        header = {
            "msg_id": number,
            "msg_type": "execute_request",
            "username": "",
            "session": number,
            "version": "5.3",
        }
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "allow_stdin": False,
            "stop_on_error": True,
        }
        self.channel.send(
            json.dumps(
                {
                    "header": header,
                    "parent_header": {},
                    "metadata": {},
                    "content": content,
                    "channel": "shell",
                    "buffers": [],
                }
            )
        )
        printed, error, answered, idle = "", "", False, False
        while not (answered and idle):
            message = json.loads(self.channel.recv())
            if message["parent_header"].get("msg_id") != number:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                printed += content["text"]
            elif kind == "display_data":
                printed += content["data"]["text/plain"] + "\n"
            elif kind == "error":
                error = "\n".join(content["traceback"])
            answered |= kind == "execute_reply"
            idle |= kind == "status" and content["execution_state"] == "idle"
        assert not error, error
        return printed


def first_cells(path: Path) -> list[str]:
    """The code of a lesson up to its first claim, with the smallest profile."""
    code = [cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    last = next(index for index, source in enumerate(code) if re.search(r"^\s*claim\(", source, re.MULTILINE))
    return [source.replace('PROFILE = "standard"', 'PROFILE = "smoke"') for source in code[: last + 1]]


# ---- signing in


def test_a_wrong_password_does_not_sign_in(hub: Hub) -> None:
    stranger = Student(hub, "mallory")
    answer = stranger.sign_in("guess-guess-guess")
    assert answer.status_code == 403
    assert "Invalid username or password" in answer.text
    assert "login" in stranger.session.get(f"{hub.address}/hub/home", timeout=30).url


def test_it_listens_on_this_machine_only(hub: Hub) -> None:
    import psutil

    port = int(hub.address.rsplit(":", 1)[1])
    heard = {
        one.laddr.ip
        for one in psutil.net_connections("tcp")
        if one.status == "LISTEN" and one.laddr.port == port
    }
    assert heard == {"127.0.0.1"}


# ---- working


@pytest.mark.parametrize("who", ["ada", "blaise"])
def test_a_student_runs_the_first_cells_of_a_lesson(hub: Hub, who: str) -> None:
    student = hub.student(who)
    course = hub.homes / who / "course"
    lessons = sorted(path.name for path in (PROJECT / "notebooks").glob("[0-9]*.ipynb"))
    assert sorted(path.name for path in course.glob("*.ipynb")) == lessons
    listed = student.ask("GET", "api/contents/course").json()["content"]
    assert {one["name"] for one in listed} >= set(lessons)
    with student.kernel() as kernel:
        printed = [kernel.run(source) for source in first_cells(course / LESSON)]
        assert re.search(r"^✓ .+  02\.", printed[-1], re.MULTILINE), printed
        assert kernel.run("import os; print(os.getcwd())").strip() == str(course)
        assert kernel.run("import torch; print(torch.get_num_threads())").strip() == "1"
    records = hub.homes / who / ".course" / "records"
    record = json.loads((records / "claims-02.json").read_text())
    assert record["profile"] == "smoke"
    assert record["claims"][0]["verdict"] == "holds"


def test_a_process_that_takes_too_much_memory_gets_a_memory_error(hub: Hub) -> None:
    with hub.student("ada").kernel() as kernel:
        code = (
            "try:\n    bytearray(4 * 2**30)\n    print('had it')\nexcept MemoryError:\n    print('refused')"
        )
        assert kernel.run(code).strip() == "refused"
        assert kernel.run("print(1 + 1)").strip() == "2", "and the kernel lives"


def test_a_student_cannot_reach_another_one_s_server(hub: Hub) -> None:
    ada, blaise = hub.student("ada"), hub.student("blaise")
    assert ada.ask("GET", "api/status").ok
    answer = ada.session.get(f"{blaise.base}/api/contents/course", timeout=30)
    assert answer.status_code in (403, 404), answer.url
    assert "02_gradient" not in answer.text
    assert requests.get(f"{blaise.base}/api/contents/course", timeout=30).status_code == 403


def test_what_a_student_changed_is_there_after_a_new_start(hub: Hub) -> None:
    ada = hub.student("ada")
    copy = hub.homes / "ada" / "course" / LESSON
    found = ada.ask("GET", f"api/contents/course/{LESSON}").json()
    found["content"]["cells"].append(
        {"cell_type": "markdown", "id": "mine", "metadata": {}, "source": "My own note"}
    )
    body = {"type": "notebook", "format": "json", "content": found["content"]}
    assert ada.ask("PUT", f"api/contents/course/{LESSON}", json=body).status_code == 200
    token = next(str(one.value) for one in ada.session.cookies if one.name == "_xsrf" and one.path == "/hub/")
    answer = ada.session.delete(
        f"{hub.address}/hub/api/users/ada/server",
        headers={"X-XSRFToken": token, "Referer": f"{hub.address}/hub/home"},
        timeout=LIMIT,
    )
    assert answer.status_code in (202, 204), answer.text
    (hub.homes / "ada" / "course" / "01_losses.ipynb").unlink()
    end = time.monotonic() + LIMIT
    while "server" in hub_user(ada) and time.monotonic() < end:
        time.sleep(0.5)
    ada.start()
    assert "My own note" in copy.read_text(encoding="utf-8")
    assert (hub.homes / "ada" / "course" / "01_losses.ipynb").exists(), "the start copied what was missing"


def hub_user(student: Student) -> dict[str, Any]:
    """What the hub says of a student's server: nothing once it is stopped."""
    answer = student.session.get(f"{student.hub.address}/hub/api/user", timeout=30).json()
    return {"server": answer["server"]} if answer.get("server") else {}


# ---- in a browser


def test_lesson_00_opens_in_jupyterlab_after_signing_in(hub: Hub, browser: Any) -> None:
    page = browser.new_page()
    page.goto(hub.address, timeout=LIMIT * 1000)
    page.fill("#username_input", "carl")
    page.fill("#password_input", PASSWORD)
    page.click("#login_submit")
    page.wait_for_url(re.compile(r"/user/carl/lab.*00_start_here"), timeout=LIMIT * 1000)
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=LIMIT * 1000)
    assert page.title().startswith("00_start_her")
    page.close()
