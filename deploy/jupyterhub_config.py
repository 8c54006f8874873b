"""JupyterHub for a class: everybody signs in, gets copies of the lessons, and a server with limits.

    python -m jupyterhub -f deploy/jupyterhub_config.py                             for a class, as root
    COURSE_HUB_TRIAL=<password> python -m jupyterhub -f deploy/jupyterhub_config.py    to try it, as anybody

Where a school has to decide, it says CHOICE. deploy/README.md tells the whole way. The trial runs every
server as you and listens on this machine only: for one person, never for a class.
"""

import os
import resource
import sys
from pathlib import Path

from jupyterhub.spawner import LocalProcessSpawner, SimpleLocalProcessSpawner

FOLDER = Path(__file__).resolve().parent
COURSE = FOLDER.parent
TRIAL = os.environ.get("COURSE_HUB_TRIAL", "")

# CHOICE: what one student may use. A lesson at the profile `standard` takes about 0.5 GB and one processor.
MEMORY = 3 * 2**30  # bytes, for each process: see `limited`
PROCESSES = 500  # processes and threads of a student
IDLE_KERNEL = 30 * 60  # seconds without work, after which a kernel is ended
IDLE_SERVER = 60 * 60  # seconds without work, after which a server is ended; files stay

# CHOICE: where the hub keeps its database and secrets. Readable by its own user alone.
STATE = Path(
    os.environ.get("COURSE_HUB_STATE") or (COURSE / "build/hub/state" if TRIAL else "/srv/jupyterhub")
)


def names(path: Path) -> set[str]:
    """User names, one a line; what follows a # is a remark."""
    if not path.exists():
        raise SystemExit(f"need {path} with one user name a line; see deploy/README.md")
    lines = (line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return {line for line in lines if line}


def limited(spawner: type[LocalProcessSpawner]) -> type[LocalProcessSpawner]:
    """`spawner`, and the system holds each of its processes to the limits above.

    A process that asks for more memory gets a MemoryError; the others go on. The limit is one process's, not
    the sum of a student's: for that, take a spawner that uses cgroups (CHOICE, below).
    """
    limits = {resource.RLIMIT_DATA: MEMORY, resource.RLIMIT_CORE: 0}
    if not TRIAL:  # it counts per user, and in a trial everybody is you
        limits[resource.RLIMIT_NPROC] = PROCESSES

    class Limited(spawner):  # type: ignore[misc, valid-type]
        def make_preexec_fn(self, name):  # type: ignore[no-untyped-def]
            begin = super().make_preexec_fn(name)

            def limit() -> None:
                begin()
                for what, most in limits.items():
                    resource.setrlimit(what, (most, most))

            return limit

    return Limited


c = get_config()  # type: ignore[name-defined]  # noqa: F821
STATE.mkdir(parents=True, exist_ok=True, mode=0o700)

# ---- who may sign in

if TRIAL:
    c.JupyterHub.authenticator_class = "shared-password"
    c.SharedPasswordAuthenticator.user_password = TRIAL  # 8 characters or more
    c.Authenticator.allow_all = True
else:
    # CHOICE: one of three.
    # 1. Accounts of this machine (PAM): what a computer room has. For another choice, replace this line.
    c.JupyterHub.authenticator_class = "pam"
    # 2. The school's own sign-in, by OAuth or OpenID Connect (python -m pip install oauthenticator):
    #    c.JupyterHub.authenticator_class = "local-generic-oauth"
    #    c.LocalAuthenticator.create_system_users = True
    #    c.GenericOAuthenticator.oauth_callback_url = "https://<this hub>/hub/oauth_callback"
    #    and client_id, client_secret, authorize_url, token_url, userdata_url from the school.
    # 3. Accounts that students make here and a teacher approves (python -m pip install
    #    jupyterhub-nativeauthenticator); these are no accounts of the machine, so take dockerspawner, too:
    #    c.JupyterHub.authenticator_class = "native"
    c.Authenticator.allowed_users = names(FOLDER / "students.txt")
    c.Authenticator.admin_users = names(FOLDER / "teachers.txt")

# ---- what a student gets

# CHOICE: processes on this machine, under each student's account. For limits on all of a student's processes
# together: systemdspawner, or dockerspawner with the image of deploy/Dockerfile. Both also hold students to
# c.Spawner.mem_limit and cpu_limit, which the spawner used here only tells the server.
c.JupyterHub.spawner_class = limited(SimpleLocalProcessSpawner if TRIAL else LocalProcessSpawner)
c.SimpleLocalProcessSpawner.home_dir_template = str(STATE / "homes" / "{username}")
c.Spawner.mem_limit = MEMORY
c.Spawner.cmd = [str(FOLDER / "start"), sys.executable, "-m", "jupyterhub.singleuser"]
c.Spawner.args = [
    f"--ServerApp.shutdown_no_activity_timeout={IDLE_SERVER}",
    f"--MappingKernelManager.cull_idle_timeout={IDLE_KERNEL}",
    "--MappingKernelManager.cull_interval=60",
    *(["--allow-root"] if TRIAL and os.geteuid() == 0 else []),  # in a container you may be root
]
c.Spawner.default_url = "/lab/tree/course/00_start_here.ipynb"
c.Spawner.environment = {"COURSE_PYTHON": sys.executable}
c.Spawner.start_timeout = 120  # seconds; a whole class begins in the same minute
c.Spawner.http_timeout = 120
c.JupyterHub.concurrent_spawn_limit = 20

# ---- the hub itself

# CHOICE: https. Either a web server with a certificate in front of this address, or:
#    c.JupyterHub.bind_url = "https://:443"
#    c.JupyterHub.ssl_key, c.JupyterHub.ssl_cert = "<key file>", "<certificate file>"
c.JupyterHub.bind_url = "http://127.0.0.1:8000"
c.JupyterHub.db_url = f"sqlite:///{STATE}/jupyterhub.sqlite"
c.JupyterHub.cookie_secret_file = str(STATE / "cookie_secret")
c.ConfigurableHTTPProxy.pid_file = str(STATE / "proxy.pid")
c.JupyterHub.cleanup_servers = True

installed = COURSE / "build" / "hub" / "node_modules" / ".bin" / "configurable-http-proxy"
if installed.exists():  # npm install --prefix build/hub configurable-http-proxy@5
    c.ConfigurableHTTPProxy.command = [str(installed)]
